"""A rate that nobody tells, found out by being refused.

After a refusal the rate is a tenth below what went well, is back there within some seconds, stays
about there, and then grows ever faster beyond: the curve of CUBIC (RFC 9438, section 4.2), which
serves here for calls in a second. Its clock stands still while nobody asks.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf

_CUT = 0.1
_BACK = 20.0
"""Seconds of asking after which the rate is again what went well."""
_CALM = 18.0
"""Seconds of asking for which it is less."""
_WINDOW = 60.0
_FEW = 5
"""From fewer calls than these no rate can be told."""


@dataclass(slots=True)
class Pace:
    """At most so many calls in a second, once there have been refusals."""

    top: float = inf
    """Calls in a second that went well."""
    _age: float = 0.0
    _at: float | None = None
    """When the last call began."""
    _begun: deque[float] = field(default_factory=deque)
    """When the calls of the last minute began, back to the last refusal that was news."""
    _since: float | None = None
    _first: float | None = None
    """Since when those that went well are counted, while they are too few."""
    _tried: float = inf
    _went: int = 0
    _seconds: float = 1.0

    @property
    def rate(self) -> float:
        return self._rate(self._age)

    @property
    def calm(self) -> bool:
        """Whether it is less than what went well."""
        return self._age < _CALM

    def _rate(self, age: float) -> float:
        return self.top * (1 + _CUT * (age / _BACK - 1) ** 3)

    def wait(self, now: float) -> float:
        """Seconds until the next call may begin."""
        if self.top == inf or self._at is None:
            return 0.0
        return max(0.0, self._at + 1 / self._rate(self._older(now)) - now)

    def begin(self, now: float) -> None:
        self._age = self._older(now)
        self._at = now
        self._since = now if self._since is None else self._since
        self._begun.append(now)
        while self._begun[0] < now - _WINDOW:
            self._begun.popleft()

    def cut(self, now: float) -> None:
        """A call was refused that began after the last cut."""
        since = now if self._since is None else self._since
        self._tried = self.rate
        if self._tried == inf:
            if self._first is None or now - since > _WINDOW:
                self._first, self._went = max(since, self._begun[0]), 0
            self._went += len(self._begun)  # to those that were too few to tell, until lately
            self._seconds = max(1.0, now - self._first)
        else:
            self._went = len(self._begun)
            self._first = None
            self._seconds = min(_WINDOW, max(1.0, now - since))
        self._begun.clear()
        self._since, self._age = now, 0.0
        self.not_that(now)

    def not_that(self, begun: float) -> None:
        """A call that was counted as one that went well, begun then, was refused as well.

        The mean of a time is less than what its end showed to be possible, and what a short time
        shows may be far off: the truth is taken to lie midway.
        """
        if self._since is None or begun > self._since:
            with suppress(ValueError):  # it may have been more than a minute ago
                self._begun.remove(begun)
            return
        self._went -= 1
        if self._went < _FEW and self._tried == inf:
            self.top = inf
            return
        went = max(1, self._went) / self._seconds
        self.top = went if self._tried == inf else min(self._tried, (went + self._tried) / 2)

    def forget(self) -> None:
        """The endpoint tells its limits after all."""
        self.top = inf

    def _older(self, now: float) -> float:
        if self.top == inf or self._at is None:
            return 0.0
        return self._age + min(now - self._at, 2 / self.rate)
