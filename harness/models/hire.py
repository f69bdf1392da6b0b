"""A served model's machine, paid by the hour: each call bears its share of the time it is busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from harness.api import Model
from harness.hearing import UNHEARD
from harness.types import Reply, Request, Usage

SOURCE = "gpu-hour"


class Hire:
    """One machine, and the calls that are under way there.

    The hours in which at least one is are paid once, whoever they serve: of a moment with k calls
    each bears a k-th. Idle time is nobody's here.
    """

    def __init__(self, usd_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._usd_second = usd_second
        self._clock = clock
        self._calls = 0
        self._each = 0.0
        """What a call would bear that had been under way since the beginning, in seconds."""
        self._seen = clock()

    @contextmanager
    def call(self) -> Iterator[Share]:
        """For as long as a call is under way, retries and their pauses included."""
        share = Share(self, self.each())
        self._calls += 1
        try:
            yield share
        finally:
            self.each()
            self._calls -= 1

    def each(self) -> float:
        now = self._clock()
        if self._calls:
            self._each += (now - self._seen) / self._calls
        self._seen = now
        return self._each

    def usd(self, seconds: float) -> float:
        return self._usd_second * seconds


@dataclass(frozen=True, slots=True)
class Share:
    hire: Hire
    begun: float

    def priced(self, reply: Reply) -> Reply:
        """The reply with what its call has come to bear."""
        served = {**reply.served, "price_source": SOURCE}
        return replace(reply, usage=self.borne(reply.usage), served=served)

    def borne(self, usage: Usage) -> Usage:
        """Tokens with the dollars of the call; a try that is made again bears none by itself."""
        usd = self.hire.usd(self.hire.each() - self.begun) if usage.calls else 0.0
        return replace(usage, usd=usd)


@dataclass(frozen=True, slots=True)
class Hired:
    """A model whose calls cost what they bear of its machine."""

    inner: Model
    hire: Hire

    async def complete(self, request: Request, /) -> Reply:
        with self.hire.call() as share, UNHEARD.changed(share.borne):
            return share.priced(await self.inner.complete(request))
