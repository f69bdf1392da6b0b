"""What a call has come to that broke off, as far as its answer had come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.models.wires.reading import NotAReply, Wire, payload_of
from harness.models.wires.sse import Event
from harness.types import Usage

_BYTES_A_TOKEN = 4
_NAMES = ("type", "id", "role", "index", "signature")


def so_far(wire: Wire, events: Iterable[Event], body: bytes, most: int = 0) -> Usage:
    """The tokens that the stream has told, and by its text where it has not; without a price.

    `most` is what an answer that comes in one piece may have: of it nothing else is known, and the
    endpoint may have gone on to its end. What a stream is given after we have hung up is left out.
    """
    told, written = Usage(), 0
    for event in events:
        payload = _payload(event)
        told = next((wire.usage(raw) for raw in _usages(payload)), told)
        written += sum(len(text.encode(errors="replace")) for text in _texts(payload.get("delta")))
        for choice in payload.get("choices") or ():
            written += sum(len(t.encode(errors="replace")) for t in _texts(choice.get("delta")))
    fresh = told.fresh if told.prompt else len(body) // _BYTES_A_TOKEN
    output = max(told.output, written // _BYTES_A_TOKEN, most)
    return replace(told, calls=1, fresh=fresh, output=output, usd=None)


def _payload(event: Event) -> Mapping[str, Any]:
    try:
        return payload_of(event) or {}
    except NotAReply:
        return {}


def _usages(payload: Mapping[str, Any]) -> Iterator[Any]:
    for place in (payload, payload.get("message"), payload.get("response")):
        if isinstance(place, Mapping) and place.get("usage"):
            yield place["usage"]


def _texts(value: Any) -> Iterator[str]:
    """All that is said in a delta."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each) if key not in _NAMES else ()
