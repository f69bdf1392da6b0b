"""One budget for one attempt, whichever door the calls come through, and one for the run.

A call is admitted before it begins, with what all those under way may come to at the worst counted
as spent. So however many are made at a time, they pass a limit by no more than their last replies.
Where only what is under way stands in the way of a call, it waits for that to end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from harness.errors import LimitReached, Parked
from harness.limits import RunLimits
from harness.types import Ending, Limits, Usage

ONE_CALL = Usage(1)
"""A call of which nothing is known beforehand."""
_HOUR = 3600.0


class Account:
    """What has been used, and what is under way at its worst."""

    def __init__(self, used: Usage = Usage()) -> None:
        self.used = used
        self.usd = used.usd or 0.0
        """Of the calls that had a price: one without must not lift the limit for all the others."""
        self._under_way = 0
        self._held = Usage()
        self._held_usd = 0.0
        """Calls, tokens of whatever kind, and dollars, summed as calls come and go: to add up a
        thousand at each call would take too long."""
        self._waiting: list[asyncio.Future[None]] = []

    def charge(self, usage: Usage) -> None:
        self.used += usage
        self.usd += usage.usd or 0.0

    @asynccontextmanager
    async def holding(
        self, worst: Usage, end: Callable[[Usage, float], Exception | None]
    ) -> AsyncIterator[None]:
        """Hold the worst case of a call while it is made, having waited for those under way.

        Raises what `end` says of the tokens and calls, and of the dollars, that are used.
        """
        while True:
            if (over := end(self.used, self.usd)) is not None:
                raise over
            if end(self.used + self._held, self.usd + self._held_usd) is None:
                break
            await self._change()
        self._hold(worst, 1)
        try:
            yield
        finally:
            self._hold(worst, -1)
            self._wake()

    def _hold(self, worst: Usage, sign: int) -> None:
        self._under_way += sign
        self._held += Usage(sign * worst.calls, sign * worst.tokens)
        # What is left of adding and taking away fractions goes as soon as nothing is under way.
        self._held_usd = self._held_usd + sign * (worst.usd or 0.0) if self._under_way else 0.0

    async def _change(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        finally:
            self._waiting.remove(waiter)

    def _wake(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)


class RunMeter:
    """What the run has spent, over all its tries, failed ones included."""

    def __init__(self, limits: RunLimits, spent: Usage = Usage()) -> None:
        self.limits = limits
        self._account = Account(spent)
        self._began = time.monotonic()

    @property
    def spent(self) -> Usage:
        return self._account.used

    @property
    def usd(self) -> float:
        return self._account.usd

    @property
    def limited(self) -> bool:
        """Whether there is a limit to what may be paid for."""
        return self.limits.usd is not None or self.limits.tokens is not None

    def exhausted(self) -> bool:
        return self._end(self.spent, self.usd) is not None

    def holding(self, worst: Usage) -> AbstractAsyncContextManager[None]:
        """Admit a live call; Parked where the run has nothing left. A replay asks nobody."""
        return self._account.holding(worst, self._end)

    def charge(self, usage: Usage) -> None:
        self._account.charge(usage)

    def _end(self, used: Usage, usd: float) -> Parked | None:
        limits = self.limits
        if limits.usd is not None and usd >= limits.usd:
            return Parked("the run's budget is spent")
        if limits.tokens is not None and used.tokens >= limits.tokens:
            return Parked("the run's budget is spent")
        if limits.hours is not None and time.monotonic() - self._began >= limits.hours * _HOUR:
            return Parked("the run's hours are over")
        return None


class Meter:
    """The budget of one attempt.

    `used` counts the attempt as though it had never been interrupted; `spent` only what this try
    paid for. Replayed replies are used and not spent.
    """

    def __init__(self, limits: Limits, run: RunMeter) -> None:
        self.limits = limits
        self.run = run
        self.spent = Usage()
        self._account = Account()

    @property
    def used(self) -> Usage:
        return self._account.used

    def holding(self, worst: Usage) -> AbstractAsyncContextManager[None]:
        """Admit a call; LimitReached rather than let one begin that the budget cannot pay for."""
        return self._account.holding(worst, self._end)

    def charge(self, usage: Usage, *, live: bool) -> None:
        self._account.charge(usage)
        if live:
            self.spent += usage
            self.run.charge(usage)

    def unheard(self, usage: Usage) -> None:
        """Charge what broke off; where the call is made again, the attempt has used none of it."""
        if usage.calls:
            self.charge(usage, live=True)
        else:
            self.spent += usage
            self.run.charge(usage)

    def _end(self, used: Usage, usd: float) -> LimitReached | None:
        limits = self.limits
        if limits.turns is not None and used.calls >= limits.turns:
            return LimitReached(Ending.TURNS)
        if limits.tokens is not None and used.tokens >= limits.tokens:
            return LimitReached(Ending.TOKENS)
        if limits.usd is not None and usd >= limits.usd:
            return LimitReached(Ending.COST)
        return None
