"""Errors of endpoints, sorted once, by status and body.

Servers do not agree on shapes: `error` is an object, a string, or missing; `code` is a number, a
numeric string or a name; a context overflow comes as 400, 403, 413, 422, 429, 500 or inside a 200.
So the words decide first, and the status where they say nothing. They are the error's own: some
servers echo the whole conversation, in which anything may be said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from harness.errors import UsageError
from harness.models.quota import pause

Kind: TypeAlias = Literal["transient", "overflow", "refused", "refusal", "setting", "broken"]
"""`transient`: ask again. `overflow`: the conversation is too long. `refused`: key, credit or
model name; every later call would fail too. `refusal`: the model's own. `setting`: a longer answer
is asked for than there can ever be. `broken`: this request."""

Crowd: TypeAlias = Literal["", "rate", "load"]
"""Whether an endpoint says that it is asked too much: by us (`rate`), who are to ask less, or
by whomever (`load`), which says nothing of how much we may ask."""


@dataclass(frozen=True, slots=True)
class Trouble:
    kind: Kind
    message: str
    retry_after: float | None = None
    crowded: Crowd = ""


_SAID_CHARS = 2000
_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|contextwindowexceeded|maximum context length"
    r"|context (?:length|window|size|limit)|prompt is too long|input is too long"
    r"|maximum prompt length|exceeds the maximum number of tokens|reduce the length of the"
    r"|longer than the model's context|`?inputs`? tokens \+|too large for model|code 1261\b"
    r"|request_too_large|request too large|must be reduced in order to run",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"max_(?:completion_|output_|new_)?tokens[`'\"]*(?: value)?(?:=\d+|: \d+)?,? "
    r"(?:cannot be greater"
    r"|> ?\d+|must be less than or equal|the valid range|is too large: \d+\. this model supports)"
    r"|max_tokens: \d+ > \d+",
    re.IGNORECASE,
)
"""An answer longer than the endpoint gives at all, said without a word of the prompt."""
_WINDOW = re.compile(
    r"maximum context length (?:is|of) (\d+)|\d+ \+ \d+ > (\d+)|must be <= (\d+)", re.IGNORECASE
)
_ASKED_FOR = re.compile(
    r"tokens[`'\"]* is too large: (\d+)|(\d+) (?:tokens for|in) the completion"
    r"|requested (\d+) output tokens|\d+ \+ (\d+) > \d+|(\d+) `?max_new_tokens",
    re.IGNORECASE,
)
_TOO_OFTEN = r"rate.?limit|too many requests|throttl"
_TOO_BUSY = r"overloaded|at capacity|server is busy"
_RATE = re.compile(
    rf"{_TOO_OFTEN}|{_TOO_BUSY}|tokens per min"
    r"|resource_exhausted|concurren\w+ (?:request|limit)|code 429\b",
    re.IGNORECASE,
)
_LOAD = re.compile(_TOO_BUSY, re.IGNORECASE)
_RATED = re.compile(rf"{_TOO_OFTEN}|per min", re.IGNORECASE)
_TOO_BIG = re.compile(r"limit:? (\d+),? (?:used:? \d+,? )?requested:? (\d+)", re.IGNORECASE)
"""One request of more tokens than a minute has: it comes as a rate limit, and never passes."""
_CREDIT = re.compile(
    r"insufficient_quota|exceeded your current quota|credit balance|billing|payment_required"
    r"|spending limit|spend limit|usage limits?\b|insufficient (?:funds|credits|balance)"
    r"|out of credits",
    re.IGNORECASE,
)
_WHO = re.compile(
    r"invalid model name|model_not_found|model .{1,80} (?:does not exist|not found)"
    r"|server is pinned to|no_db_connection|no connected db|api key not valid|invalid.api.key"
    r"|authentication_error|unsupported model",
    re.IGNORECASE,
)
_UPSTREAM = re.compile(
    r"provider_unavailable|provider_error|upstream (?:connect|error)", re.IGNORECASE
)
_DEAD = re.compile(
    r"image input is not supported|validation errors?\b|not supported by (?:this|the) model"
    r"|unsupported (?:parameter|value|content)",
    re.IGNORECASE,
)
_FILTER = re.compile(
    r"content_filter|content.policy|content management policy|safety (?:system|filter|setting)"
    r"|data_inspection_failed|prohibited_content|\bflagged\b|requires moderation",
    re.IGNORECASE,
)
_OUR_FORM = re.compile(r"(?:code \d+ )?(?:bad ?request\w* )?\d+ validation errors?", re.IGNORECASE)
"""What the server found wrong with our body, with a part of that body after it."""
_AGAIN = (402, 408, 409, 425, 429)


def sort(status: int, headers: Mapping[str, str], body: str) -> Trouble:
    """What to do about a response with this status, these headers (lower case) and this body."""
    message, told = f"HTTP {status}: {words(body)}", said(body)
    kind = _kind(status, told, asked := pause(headers, told))
    if kind != "transient":
        return Trouble(kind, message)
    return Trouble(kind, message, asked, _crowd(status, told))


def _crowd(status: int, told: str) -> Crowd:
    if status not in (429, 529) and not _RATE.search(told):
        return ""
    loaded = status == 529 or _LOAD.search(told)
    return "load" if loaded and not _RATED.search(told) else "rate"


def _kind(status: int, told: str, asked: float | None) -> Kind:
    if status in (400, 422) and _OUR_FORM.match(told):
        return "broken"
    rated = status == 429 or _RATE.search(told) is not None
    if (_CREDIT.search(told) or status == 402) and not (asked and (rated or status == 402)):
        return "refused"
    if status < 500 and not rated and _asks_too_long(told):
        return "setting"
    if _never_fits(told) or (not rated and (status == 413 or _OVERFLOW.search(told))):
        return "overflow"
    if status in (400, 403, 451) and _FILTER.search(told):
        return "refusal"
    if rated or status in _AGAIN or _UPSTREAM.search(told):
        return "transient"
    if status >= 500:
        return "broken" if _DEAD.search(told) else "transient"
    return "refused" if status in (401, 403, 404) or _WHO.search(told) else "broken"


def _asks_too_long(told: str) -> bool:
    """Whether the answer that is asked for would not fit even if the prompt were empty."""
    if _ANSWER.search(told):
        return True
    window, asked = (_number(pattern.search(told)) for pattern in (_WINDOW, _ASKED_FOR))
    return bool(window and asked and asked >= window)


def _number(found: re.Match[str] | None) -> int:
    return int(next(n for n in found.groups() if n)[:15]) if found else 0


def _never_fits(told: str) -> bool:
    found = _TOO_BIG.search(told)
    return found is not None and int(found[2][:15]) > int(found[1][:15])


def inside(payload: Any, headers: Mapping[str, str]) -> Trouble | None:
    """The error that a response of status 200 carries in its body, if it does."""
    error = payload.get("error") if isinstance(payload, Mapping) else None
    if not error:
        return None
    code = error.get("code") if isinstance(error, Mapping) else None
    status = int(str(code)) if re.fullmatch("[1-5][0-9]{2}", str(code)) else 500
    return sort(status, headers, json.dumps(payload))


def said(body: str) -> str:
    """The error's own words: its message, type and code, and those of what it wraps."""
    payload = _parsed(body)
    found = " ".join(_said(payload)) if payload is not None else ""
    return (found or body)[:_SAID_CHARS]


def _said(payload: Any) -> Iterator[str]:
    error = payload.get("error", payload) if isinstance(payload, Mapping) else payload
    if isinstance(error, str):
        yield error
    if not isinstance(error, Mapping):
        return
    metadata = error.get("metadata")
    for part in (payload, error, metadata):
        if isinstance(part, Mapping):
            yield from (_labelled(k, part[k]) for k in _TELLING if _tells(part.get(k)))
    details = error.get("details")
    if isinstance(details, list):
        yield json.dumps(details)[:_SAID_CHARS]


_TELLING = ("code", "type", "status", "error_type", "message", "detail", "raw")


def _tells(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _labelled(key: str, value: Any) -> str:
    return f"code {str(value)[:40]}" if key == "code" else str(value)[:_SAID_CHARS]


def words(body: str) -> str:
    """The human part of an error body, on one line, with nothing that a terminal would obey."""
    payload, text = _parsed(body), body
    if isinstance(payload, Mapping):
        error = payload.get("error", payload)
        inner = error.get("message") or error.get("detail") if isinstance(error, Mapping) else error
        text = inner if isinstance(inner, str) and inner else body
    line = " ".join(text.split())[:400]
    return "".join(c if c.isprintable() else "\ufffd" for c in line) or "(empty body)"


def nobody(base_url: str, said: str) -> UsageError:
    """What a person is told where no endpoint answers, and what to do about it."""
    what = "set OPENAI_BASE_URL or give --base-url"
    if "certificate verify failed" in said:
        what = "for an authority of your own, set SSL_CERT_FILE to its certificate"
    return UsageError(f"no endpoint answers at {base_url} ({words(said)}); {what}")


def _parsed(body: str) -> Any:
    """The body as JSON; its first element where it is a list; None where it is none."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return payload[0] if isinstance(payload, list) and payload else payload
