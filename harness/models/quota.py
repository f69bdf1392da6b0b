"""What an endpoint says of its rate limits: how long to wait, what there is, and what is left.

Durations come as seconds, milliseconds, `6m0s`, dates of HTTP or RFC 3339, and times since 1970 in
seconds or milliseconds. Where a time of day is given, the answer's own `date` is now.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RESOURCES = ("requests", "tokens", "input-tokens", "output-tokens")
_SPELLINGS = ("x-ratelimit-{what}-{of}", "anthropic-ratelimit-{of}-{what}")
_NAMES = [
    (of, [spelling.format(what=what, of=of) for what in ("limit", "remaining", "reset")])
    for of in RESOURCES
    for spelling in _SPELLINGS
]
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "\u00b5s": 1e-6, "ns": 1e-9}
_STEP = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|\u00b5s|ns)")
_DURATION = re.compile(rf"(?:{_STEP.pattern})+")
_TOLD = re.compile(
    r"(?:try again|retry|wait)(?:ing)? (?:in|after|for)? ?"
    r"((?:\d+(?:\.\d+)?(?:h|ms|m|s))+)(?![a-z])"
    r"|(?:try again|retry) (?:in|after) (\d+(?:\.\d+)?) ?seconds?"
    r"|\"retryDelay\": ?\"(\d+(?:\.\d+)?)s\"",
    re.IGNORECASE,
)
_YEAR = 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class Quota:
    """One rate limit: what there is of it in all, what is left, and the seconds until it is new."""

    limit: float
    remaining: float
    reset: float | None = None


def pause(headers: Mapping[str, str], body: str = "") -> float | None:
    """Seconds that the endpoint asks us to wait, where it says so in a way we can read."""
    now = _date(headers)
    if (ms := _number(headers.get("retry-after-ms"))) is not None:
        return max(0.0, ms / 1000)
    if (asked := seconds(headers.get("retry-after"), now)) is not None:
        return asked
    if told := _TOLD.search(body):
        return _duration(told[1]) if told[1] else float(told[2] or told[3])
    spent = [q.reset for q in quotas(headers).values() if q.remaining < 1 and q.reset is not None]
    return max(spent) if spent else seconds(headers.get("x-ratelimit-reset"), now)


def quotas(headers: Mapping[str, str]) -> dict[str, Quota]:
    """The limits that an answer tells of, by what they limit."""
    found = {}
    for of, names in _NAMES:
        limit, left, reset = map(headers.get, names)
        there, rest = _number(limit), _number(left)
        if there and there > 0 and rest is not None:
            found[of] = Quota(there, max(0.0, rest), seconds(reset, _date(headers)))
    return found


def seconds(text: str | None, now: float) -> float | None:
    """From `now` (seconds since 1970) to what the text says; None where it says nothing."""
    if not text or len(text) > 64:
        return None
    number = _number(text)
    if number is None:
        return _duration(text.strip()) if _DURATION.fullmatch(text.strip()) else _until(text, now)
    if number > 1e11:
        number /= 1000
    return max(0.0, number - now if number > _YEAR else number)


def _duration(text: str) -> float:
    return sum(float(n) * _UNITS[unit.lower()] for n, unit in _STEP.findall(text))


def _until(text: str, now: float) -> float | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            when = read(text)
            at = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
            return max(0.0, at - now)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _date(headers: Mapping[str, str]) -> float:
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError, IndexError):
        return time.time()


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < 1e15 else None
