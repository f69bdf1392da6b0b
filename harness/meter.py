"""One budget for one attempt, whichever door the calls come through, and one for the run."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import LimitReached, Parked
from harness.types import Ending, Limits, Usage


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a whole run may spend on live calls. None: unbounded."""

    usd: float | None = None
    tokens: int | None = None


class RunMeter:
    """What the run has spent, over all its tries, failed ones included."""

    def __init__(self, limits: RunLimits, spent: Usage = Usage()) -> None:
        self.limits = limits
        self.spent = spent
        self.usd = spent.usd or 0.0
        """Of the calls that had a price: one without must not lift the limit for all the others."""

    @property
    def limited(self) -> bool:
        return self.limits.usd is not None or self.limits.tokens is not None

    def exhausted(self) -> bool:
        usd, tokens = self.limits.usd, self.limits.tokens
        over_usd = usd is not None and self.usd >= usd
        return over_usd or (tokens is not None and self.spent.tokens >= tokens)

    def charge(self, usage: Usage) -> None:
        self.spent += usage
        self.usd += usage.usd or 0.0


class Meter:
    """The budget of one attempt.

    `used` counts the attempt as though it had never been interrupted; `spent` only what this try
    paid for. Replayed replies are used and not spent.
    """

    def __init__(self, limits: Limits, run: RunMeter) -> None:
        self.limits = limits
        self.run = run
        self.used = Usage()
        self.spent = Usage()
        self.usd = 0.0

    def admit(self) -> None:
        """Raise rather than let a call begin that the budget cannot pay for."""
        used, limits = self.used, self.limits
        if limits.turns is not None and used.calls >= limits.turns:
            raise LimitReached(Ending.TURNS)
        if limits.tokens is not None and used.tokens >= limits.tokens:
            raise LimitReached(Ending.TOKENS)
        if limits.usd is not None and self.usd >= limits.usd:
            raise LimitReached(Ending.COST)

    def admit_live(self) -> None:
        """Raise where the whole run has nothing left; a replay asks nobody."""
        if self.run.exhausted():
            raise Parked("the run's budget is spent")

    def charge(self, usage: Usage, *, live: bool) -> None:
        self.used += usage
        self.usd += usage.usd or 0.0
        if live:
            self.spent += usage
            self.run.charge(usage)
