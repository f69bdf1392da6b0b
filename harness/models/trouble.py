"""Errors of endpoints, sorted once, by status and body.

Servers do not agree on shapes: `error` is an object, a string, or missing; `code` is a number, a
numeric string or a name; a context overflow comes as 400, 403, 413, 422 or inside a 200. So the
text decides first, and the status where the text says nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["transient", "overflow", "refused", "refusal", "broken"]
"""`transient`: ask again. `overflow`: the conversation is too long. `refused`: key, credit or
model name; every later call would fail too. `refusal`: the model's own. `broken`: this request."""


@dataclass(frozen=True, slots=True)
class Trouble:
    kind: Kind
    message: str
    retry_after: float | None = None


_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|contextwindowexceeded|maximum context length"
    r"|context (?:length|window|size|limit)|prompt is too long|input is too long"
    r"|maximum prompt length|exceeds the maximum number of tokens|reduce the length of the"
    r"|longer than the model's context|`?inputs`? tokens \+|too large for model",
    re.IGNORECASE,
)
_RATE = re.compile(
    r"rate.?limit|too many requests|throttl|overloaded|tokens per min", re.IGNORECASE
)
_CREDIT = re.compile(
    r"insufficient_quota|exceeded your current quota|credit balance|billing|payment_required"
    r"|spending limit|insufficient (?:funds|credits|balance)",
    re.IGNORECASE,
)
_DEAD = re.compile(r"image input is not supported|validation error", re.IGNORECASE)
_FILTER = re.compile(r"content_filter|content management policy|safety", re.IGNORECASE)


def sort(status: int, headers: Mapping[str, str], body: str) -> Trouble:
    """What to do about a response with this status, these headers (lower case) and this body."""
    message = f"HTTP {status}: {words(body)}"
    rated = _RATE.search(body) is not None
    if _CREDIT.search(body) or status == 402:
        return Trouble("refused", message)
    if 400 <= status < 500 and not rated and _OVERFLOW.search(body):
        return Trouble("overflow", message)
    if status == 401 or (status == 403 and not rated):
        return Trouble("refused", message)
    if status == 404:
        return Trouble("refused", message)
    if status == 400 and _FILTER.search(body):
        return Trouble("refusal", message)
    if status in (408, 409, 425, 429) or rated or (status >= 500 and not _DEAD.search(body)):
        return Trouble("transient", message, pause(headers))
    return Trouble("broken", message)


def inside(payload: Any, headers: Mapping[str, str]) -> Trouble | None:
    """The error that a response of status 200 carries in its body, if it does."""
    error = payload.get("error") if isinstance(payload, Mapping) else None
    if not error:
        return None
    code = error.get("code") if isinstance(error, Mapping) else None
    status = int(str(code)) if re.fullmatch("[1-5][0-9]{2}", str(code)) else 500
    return sort(status, headers, json.dumps(payload))


def words(body: str) -> str:
    """The human part of an error body, on one line, with nothing that a terminal would obey."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if isinstance(payload, list) and payload:
        payload = payload[0]
    text = body
    if isinstance(payload, Mapping):
        error = payload.get("error", payload)
        inner = error.get("message") or error.get("detail") if isinstance(error, Mapping) else error
        text = inner if isinstance(inner, str) and inner else body
    line = " ".join(text.split())[:400]
    return "".join(c if c.isprintable() else "\ufffd" for c in line) or "(empty body)"


def pause(headers: Mapping[str, str]) -> float | None:
    """Seconds that the endpoint asks us to wait, where it says so in a way we can read."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    return None
