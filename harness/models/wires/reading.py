"""What the wires have in common: how answers are read of which nothing can be relied on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from harness.models.wires.sse import DONE, Event
from harness.types import Reply, Request, Usage

_HALF = re.compile("[\ud800-\udfff]")
_SENSELESS = 1 << 53
"""So many tokens no call has; what is to be added up and priced must stay a number."""
SHOWN_CHARS = 300


class NotAReply(ValueError):
    """The endpoint answered, but not with a reply: another try may bring one."""


class Cut(NotAReply):
    """A stream that ended before the reply did. What came of it is no short reply."""


class Fold(Protocol):
    """The events of one stream, put together into the response that it would have been."""

    done: bool
    """Whether the reply is complete, though more may come: usage, a closing word."""

    def add(self, event: Event) -> None:
        """Take in one event. NotAReply for what has no place in such a stream."""
        ...

    def whole(self) -> dict[str, Any]:
        """The payload, which may be an error's; Cut where the stream ended too early."""
        ...


class Wire(Protocol):
    """One way to talk to a model over HTTP. Each is a module of this package."""

    @property
    def PATH(self) -> str: ...

    @property
    def Fold(self) -> type[Fold]: ...

    def settings(self, asked: Mapping[str, Any], /) -> dict[str, Any]:
        """The knobs that go into each body, by the names that this wire has for them."""
        ...

    def encode(self, request: Request, settings: Mapping[str, Any], /) -> bytes:
        """The body of a POST."""
        ...

    def decode(self, payload: Any, /) -> Reply:
        """The reply in a response's JSON, without its price. NotAReply where there is none."""
        ...

    def usage(self, raw: Any, /) -> Usage:
        """The tokens of one call, as this wire counts them."""
        ...


def fold(wire: Wire, events: Iterable[Event]) -> dict[str, Any]:
    """The response that a whole stream amounts to."""
    folding = wire.Fold()
    for event in events:
        folding.add(event)
    return folding.whole()


def payload_of(event: Event) -> Mapping[str, Any] | None:
    """The object in an event; None for the closing word and for events that say nothing."""
    if event.data.strip() in (DONE, ""):
        return None
    try:
        payload = json.loads(event.data)
    except (ValueError, RecursionError) as error:
        raise NotAReply(f"an event that is not JSON ({str(error)[:SHOWN_CHARS]!a})") from None
    if not isinstance(payload, Mapping):
        raise NotAReply(f"an event that is no object: {shown(payload)}")
    return payload


@contextmanager
def as_a(what: str, payload: Any) -> Iterator[None]:
    """Read `payload` as though it were well made; NotAReply where it is not."""
    try:
        yield
    except RecursionError:
        raise NotAReply(f"not a {what}: nested too deeply") from None
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {str(error)[:SHOWN_CHARS]!a}"
        raise NotAReply(f"not a {what} ({why}): {shown(payload)}") from None


def count(raw: Any, *path: str) -> int:
    """A count of tokens at a place in `raw`, or 0 where there is none that makes sense."""
    for key in path:
        raw = raw.get(key) if isinstance(raw, Mapping) else None
    if not isinstance(raw, int) or isinstance(raw, bool):
        return 0
    return raw if 0 < raw < _SENSELESS else 0


def text(value: Any) -> str:
    """A value as text that any server takes back: half a surrogate pair is no character."""
    said = "" if value is None else str(value)
    return said if said.isascii() else _HALF.sub("\ufffd", said)


def texts(parts: Any, *keys: str) -> str:
    """The text in a list of parts, under the first of these keys that each has."""
    if not isinstance(parts, list):
        return ""
    found = (next((p[k] for k in keys if p.get(k)), None) for p in parts if isinstance(p, Mapping))
    return "".join(text(one) for one in found if one is not None)


def written(arguments: Any) -> str:
    """A call's arguments as the model wrote them; as JSON where the server has read them."""
    return text(arguments if isinstance(arguments, str) else json.dumps(arguments or {}))


def shown(payload: Any) -> str:
    try:
        return json.dumps(payload)[:SHOWN_CHARS]
    except RecursionError:
        return "nested too deeply to be shown"


def served(payload: Mapping[str, Any]) -> dict[str, str]:
    """What a response says of who made it."""
    wanted = {"model": "model", "system_fingerprint": "fingerprint", "provider": "provider"}
    return {
        ours: text(payload[theirs])[:SHOWN_CHARS]
        for theirs, ours in wanted.items()
        if payload.get(theirs)
    }
