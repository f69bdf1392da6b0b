"""How fast one key may ask, learnt from what its endpoint says.

Three things hold calls back, each as far as it is known: the limits that headers tell of, a rate
that was found out by being refused, and a number of calls at a time that grows while it is welcome.
Time is in seconds of the event loop's clock; it is given and never read, so that a year can be
tried in a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.models.quota import Quota

FIRST = 8
"""So many calls at a time before anything is known."""
MOST = 4096
_PERIODS = (1.0, 60.0, 3600.0, 86_400.0)
_MARGIN = 0.01
"""Of a limit, what is left alone: our estimate and the endpoint's clock differ a little."""
_ROUNDED = 0.5
"""Seconds by which a limit may be new later than was told."""
_PATIENCE = (64, 2048)
"""Welcomes in a row before one call more is tried than was once too many."""
_WINDOW = 60.0
_FINE = 10.0
_FEW = 5
"""From fewer calls than these no rate can be told."""
_SLOWER, _FASTER = 0.9, 0.003
"""A rate that was too high is cut by a tenth, and grows by a third of a percent in a second."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


@dataclass(slots=True)
class Grant:
    """One call that was let through."""

    at: float
    tokens: int
    taken: dict[str, float]
    """How much of each resource had been taken when it began, it included."""
    busy: int
    """How many calls were under way, it included."""


@dataclass(slots=True)
class Gauge:
    """What is left of one rate limit: as last told, less what was taken since, plus what refills.

    Most endpoints refill all the time; one that does so by the minute is found out by its refusal.
    """

    limit: float = 0.0
    left: float = 0.0
    taken: float = 0.0
    """In all, by every call so far."""
    rate: float = 0.0
    full_at: float | None = None
    stepwise: bool = False
    _told_at: float = -1.0
    _taken_then: float = 0.0

    def tell(self, quota: Quota, grant: Grant, name: str, now: float) -> None:
        """Heed an answer, unless a call that began later has been answered before."""
        if grant.at < self._told_at:
            return
        self.limit, self.left, self._told_at = quota.limit, quota.remaining, grant.at
        self._taken_then = grant.taken.get(name, 0.0)
        self.full_at = None if quota.reset is None else now + quota.reset + _ROUNDED
        if not self.stepwise:
            self.rate = _rate(quota)

    def wait(self, need: float, now: float) -> float:
        """Seconds until so much may be taken."""
        if not self.limit:
            return 0.0
        margin = min(_MARGIN * self.limit, 2 * need)
        need = min(need + margin, (1 - _MARGIN) * self.limit)
        since = self.taken - self._taken_then
        if self.stepwise and self.full_at is not None:
            if now < self.full_at:
                return 0.0 if self.left - since >= need else self.full_at - now
            return 0.0 if self.limit - since >= need else 1.0
        there = min(self.limit, self.left + self.rate * (now - self._told_at)) - since
        return 0.0 if there >= need else (need - there) / self.rate


def _rate(quota: Quota) -> float:
    """How much comes back in a second: what was used, by when it will be there again.

    A short time that is told in whole seconds is too coarse for that: then it is what of the
    limit comes in a second, a minute, an hour or a day, whichever is nearest.
    """
    used = quota.limit - quota.remaining
    if not quota.reset or used <= 0:
        return quota.limit / 60
    measured = used / quota.reset
    if quota.reset > _FINE or quota.reset % 1:
        return measured
    return min((quota.limit / p for p in _PERIODS), key=lambda rate: _apart(rate, measured))


def _apart(a: float, b: float) -> float:
    return max(a, b) / max(min(a, b), 1e-9)


@dataclass(slots=True)
class Lane:
    """One key: what it may have at a time, and how fast."""

    width: float = FIRST
    busy: int = 0
    opens: float = 0.0
    """No call begins before: the endpoint has asked for it."""
    gauges: dict[str, Gauge] = field(default_factory=dict)
    rate: float | None = None
    """Calls in a second, where they were found to be too many without a word in the headers."""
    _ceiling: float = MOST
    _patience: int = _PATIENCE[0]
    _welcomes: int = 0
    _cut_at: float = -1.0
    _refused: int = 0
    denials: int = 0
    """How often in a row the key was refused. Until it is not, one call at a time asks again."""
    served: int = 0
    _denied_at: float = -1.0
    _paced_at: float = 0.0
    _begun_at: float | None = None
    _begun: deque[float] = field(default_factory=deque)
    """When those calls of the last minute began that were not turned away."""
    _started: float | None = None

    @property
    def seats(self) -> int:
        return 1 if self.denials else int(self.width)

    def wait(self, tokens: int, now: float) -> float | None:
        """Seconds until a call may begin; None where another has to end first."""
        if self.busy >= self.seats:
            return None
        pause = max(self.opens - now, 0.0)
        if self.rate is not None and self._begun_at is not None:
            self._quicken(now)
            pause = max(pause, self._begun_at + 1 / self.rate - now)
        for name, gauge in self.gauges.items():
            pause = max(pause, gauge.wait(1 if name == "requests" else tokens, now))
        return pause

    def begin(self, tokens: int, now: float) -> Grant:
        self.busy += 1
        self._begun_at = now
        self._started = now if self._started is None else self._started
        self._begun.append(now)
        while self._begun[0] < now - _WINDOW:
            self._begun.popleft()
        for name, gauge in self.gauges.items():
            gauge.taken += 1 if name == "requests" else tokens
        taken = {name: gauge.taken for name, gauge in self.gauges.items()}
        return Grant(now, tokens, taken, self.busy)

    def end(self) -> None:
        self.busy -= 1

    def told(self, quotas: Mapping[str, Quota], grant: Grant, now: float) -> None:
        """What the headers of an answer say."""
        for name, quota in quotas.items():
            self.gauges.setdefault(name, Gauge()).tell(quota, grant, name, now)
        if quotas:
            self.rate = None

    def welcomed(self, grant: Grant) -> None:
        """A call was served: one more at a time, but beyond what was once too many only slowly."""
        self._refused = self.denials = 0
        self.served += 1
        if grant.busy < int(self.width) - 1:
            return  # it was not for want of width that there were no more
        if self.width < self._ceiling:
            self.width = min(self.width + 1, MOST)
            return
        self._welcomes += 1
        if self._welcomes >= self._patience:
            self._welcomes = 0
            self.width = min(self.width + 1, MOST)

    def turned_away(self, grant: Grant, asked: float | None, now: float) -> None:
        """A call was refused for there being too many. Those begun before the last cut say nothing
        new but how long to wait."""
        self._refused += 1
        if self._begun:
            self._begun.pop()
        grown = min(_FIRST_PAUSE * 2 ** min(self._refused - 1, 10), _LONGEST_PAUSE)
        self.opens = max(self.opens, now + (grown if asked is None else asked))
        if grant.at <= self._cut_at:
            return
        self._cut_at = now
        if self.gauges:
            self._found_stepwise(grant)
        else:
            self._slow(now)
        if grant.busy >= int(self.width) - 1:
            self._narrow(grant)

    def denied(self, grant: Grant, now: float) -> bool:
        """The key was refused. Whether that is news: calls begun before the last time say none."""
        if grant.at <= self._denied_at:
            return False
        self._denied_at = now
        self.denials += 1
        pause = min(_FIRST_PAUSE * 2 ** min(self.denials - 1, 10), _LONGEST_PAUSE)
        self.opens = max(self.opens, now + pause)
        return self.denials == 1

    def _narrow(self, grant: Grant) -> None:
        below = max(1, grant.busy - 1)
        again = below >= self._ceiling - 1
        self._patience = min(2 * self._patience, _PATIENCE[1]) if again else _PATIENCE[0]
        self._ceiling, self._welcomes = below, 0
        self.width = max(1, grant.busy // 2)

    def _found_stepwise(self, grant: Grant) -> None:
        """Refused though there should have been something left: it does not refill as we think."""
        for gauge in self.gauges.values():
            if gauge.full_at is not None and gauge.left < gauge.limit / 2:
                gauge.stepwise = True

    def _slow(self, now: float) -> None:
        since = min(_WINDOW, now - (self._started or 0.0))
        if len(self._begun) < _FEW:
            return
        measured = len(self._begun) / max(1.0, since)
        self.rate = _SLOWER * min(self.rate or measured, measured)
        self._paced_at = now

    def _quicken(self, now: float) -> None:
        if self.rate is not None and now > self._paced_at:
            self.rate *= (1 + _FASTER) ** (now - self._paced_at)
            self._paced_at = now
