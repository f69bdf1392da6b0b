"""How fast one key may ask, learnt from what its endpoint says.

Three things hold calls back, each as far as it is known: the limits that headers tell of, a rate
that was found out by being refused, and a number of calls at a time that grows while it is welcome.
Time is in seconds of the event loop's clock; it is given and never read, so that a year can be
tried in a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.models.moods import Asking, Moods
from harness.models.pace import Pace
from harness.models.quota import Quota

FIRST = 64
"""So many calls at a time before anything is known."""
_MORE = 3
"""For every call that is served, while none has been refused: fourfold with every round trip."""
MOST = 4096
_PERIODS = (1.0, 60.0, 3600.0, 86_400.0)
_MARGIN = 0.01
"""Of a limit, what is left alone: our estimate and the endpoint's clock differ a little."""
_ROUNDED = 0.5
"""Seconds by which a limit may be new later than was told."""
_PATIENCE = (64, 2048)
"""Welcomes in a row before one call more is tried than was once too many."""
_CALM = 0.9
"""Of the calls at a time that were once too many, what is not."""
_FINE = 10.0
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
    pressed: bool
    """Whether they were at least the half of what there is room for."""


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
    _longest: float = 0.0
    """Of the times that were told until it is full again."""
    _told_at: float = -1.0
    _at: float = 0.0
    """When so much was left."""

    def tell(self, quota: Quota, grant: Grant, name: str, now: float) -> None:
        """Heed an answer, unless a call that began later has been answered before."""
        if grant.at < self._told_at:
            return
        self.limit, self._told_at, self._at = quota.limit, grant.at, grant.at
        self.left = quota.remaining - (self.taken - grant.taken.get(name, 0.0))
        self.full_at = None if quota.reset is None else now + quota.reset + _ROUNDED
        self._longest = max(self._longest, quota.reset or 0.0)
        if not self.stepwise:
            self.rate = _rate(quota)

    def take(self, amount: float, now: float) -> None:
        self._refill(now)
        self.left -= amount
        self.taken += amount

    def wait(self, need: float, now: float) -> float:
        """Seconds until so much may be taken."""
        if not self.limit:
            return 0.0
        self._refill(now)
        margin = min(_MARGIN * self.limit, 2 * need)
        need = min(need + margin, (1 - _MARGIN) * self.limit)
        if self.left >= need:
            return 0.0
        if self.stepwise and self.full_at is not None:
            return self.full_at - now
        return (need - self.left) / self.rate

    def _refill(self, now: float) -> None:
        """Also where no answer tells of it: some endpoints do so only when they refuse."""
        if not self.limit:
            return
        if not (self.stepwise and self.full_at is not None):
            self.left = min(self.limit, self.left + self.rate * (now - self._at))
        elif now >= self.full_at:
            period = next((p for p in _PERIODS if p >= self._longest), self._longest)
            self.left, self.full_at = self.limit, self.full_at + period
        self._at = now


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
    pace: Pace = field(default_factory=Pace)
    """Of calls that were found to be too many without a word in the headers, or against it."""
    doubted: bool = False
    """A call was refused for which, by the headers, there was room: there is a limit besides."""
    moods: Moods = field(default_factory=Moods)
    _ceiling: float = MOST
    _patience: int = _PATIENCE[0]
    _welcomes: int = 0
    _cut_at: float = -1.0
    _served_at: float = -1.0
    """When a call was served last."""
    _refused: int = 0
    denials: int = 0
    """How often in a row the key was refused. Until it is not, one call at a time asks again."""
    served: int = 0
    _denied_at: float = -1.0

    @property
    def moody(self) -> bool:
        """Whether it refuses a call now and then however little it is asked."""
        return self.moods.expected is not None

    @property
    def seats(self) -> int:
        return 1 if self.denials else int(self.width)

    def wait(self, tokens: int, now: float) -> float | None:
        """Seconds until a call may begin; None where another has to end first."""
        if self.busy >= self.seats:
            return None
        return max(self.opens - now, self.pace.wait(now), self._by_headers(tokens, now))

    def begin(self, tokens: int, now: float) -> Grant:
        self.busy += 1
        self.pace.begin(now)
        self.moods.begun(self.busy)
        for name, gauge in self.gauges.items():
            gauge.take(_need(name, tokens), now)
        taken = {name: gauge.taken for name, gauge in self.gauges.items()}
        return Grant(now, tokens, taken, self.busy, 2 * self.busy >= self.seats)

    def end(self) -> None:
        self.busy -= 1

    def told(self, quotas: Mapping[str, Quota], grant: Grant, now: float) -> None:
        """What the headers of an answer say."""
        for name, quota in quotas.items():
            self.gauges.setdefault(name, Gauge()).tell(quota, grant, name, now)
        if quotas and not self.doubted:
            self.pace.forget()

    def welcomed(self, grant: Grant, now: float) -> None:
        """A call was served: more at a time, but beyond what was once too many only slowly."""
        self._refused = self.denials = 0
        self.served += 1
        self._served_at = now
        if not grant.pressed:
            return  # it was not for want of width that there were no more
        if self.width < self._ceiling:
            more = _MORE if self._ceiling == MOST else 1
            self.width = min(self.width + more, self._ceiling)
            return
        self._welcomes += 1
        if self._welcomes >= self._patience:
            self._welcomes = 0
            self.width = min(self.width + 1, MOST)

    def turned_away(self, grant: Grant, asked: float | None, now: float) -> bool:
        """A call was refused for there being too many. Those begun before the last cut say nothing
        new but how long to wait. Whether it was a mood, and is nobody's matter but this call's."""
        if self.moods.refused():
            return True
        if fallback := self.moods.failed():
            self._ask(fallback)
        if asked is not None:
            self._rest(asked, now)
        if grant.at <= self._cut_at:
            self.pace.not_that(grant.at)
            return False
        calm, before = self._calm(grant, now), self._asking
        self._ask_less(grant, asked, now)
        again = self.moods.suspect(calm=calm, before=before, after=self._asking)
        if again:
            self._ask(replace(again, ceiling=MOST))
        return again is not None

    def _ask_less(self, grant: Grant, asked: float | None, now: float) -> None:
        self._cut_at = now
        self._refused += 1
        if asked is None:
            grown = min(_FIRST_PAUSE * 2 ** min(self._refused - 1, 10), _LONGEST_PAUSE)
            self._rest(grown, now)
        if self.gauges and not self._found_stepwise() and not self._by_headers(grant.tokens, now):
            self.doubted = True
        if self._refused > 1:  # nobody was served since: the same rest goes on, and tells no rate
            self.pace.not_that(grant.at)
            return
        if self.doubted or not self.gauges:
            self.pace.cut(now)
        if grant.busy >= int(self.width) - 1:
            self._narrow(grant)

    def _calm(self, grant: Grant, now: float) -> bool:
        """Whether it was asked less than before the last cut, and others have been served since."""
        return (
            -1 < self._cut_at < self._served_at
            and self.pace.calm
            and grant.busy < _CALM * self._ceiling
            and not self._by_headers(grant.tokens, now)
        )

    @property
    def _asking(self) -> Asking:
        return Asking(self.pace.top, self.width, self._ceiling)

    def _ask(self, so: Asking) -> None:
        self.pace.top, self.width, self._ceiling = so.top, so.width, so.ceiling

    def overloaded(self, grant: Grant, asked: float | None, now: float) -> None:
        """The endpoint had too much to do, whoever asked. Some are so for a few calls in a hundred,
        however few they are asked: each of those is tried again by itself, ever later."""
        if asked is not None:
            self._rest(asked, now)

    def denied(self, grant: Grant, now: float) -> bool:
        """The key was refused. Whether that is news: calls begun before the last time say none."""
        if grant.at <= self._denied_at:
            return False
        self._denied_at = now
        self.denials += 1
        pause = min(_FIRST_PAUSE * 2 ** min(self.denials - 1, 10), _LONGEST_PAUSE)
        self._rest(pause, now)
        return self.denials == 1

    def _rest(self, seconds: float, now: float) -> None:
        self.opens = max(self.opens, now + seconds)

    def _narrow(self, grant: Grant) -> None:
        below = max(1, grant.busy - 1)
        again = below >= self._ceiling - 1
        self._patience = min(2 * self._patience, _PATIENCE[1]) if again else _PATIENCE[0]
        self._ceiling, self._welcomes = below, 0
        self.width = max(1, grant.busy // 2)

    def _found_stepwise(self) -> bool:
        """Refused though there should have been something left: it does not refill as we think."""
        found = [
            gauge
            for gauge in self.gauges.values()
            if gauge.full_at is not None and gauge.left < gauge.limit / 2 and not gauge.stepwise
        ]
        for gauge in found:
            gauge.stepwise = True
        return bool(found)

    def _by_headers(self, tokens: int, now: float) -> float:
        """Seconds until a call may begin by all that headers told, a refusal's too."""
        waits = (gauge.wait(_need(name, tokens), now) for name, gauge in self.gauges.items())
        return max(waits, default=0.0)


def _need(name: str, tokens: int) -> int:
    """What a call takes of a limit of that name."""
    return 1 if name == "requests" else tokens
