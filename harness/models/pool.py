"""Seats at an endpoint: who asks next, with which key, and when. First come, first served.

One pool serves every condition that asks the same endpoint with the same keys. Those that have
some keys in common stand in one hall and share the limits of these. A call that was turned away
keeps its place in the queue, so that it is not overtaken by those that came later.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import TypeVar

from harness.models.pacing import Grant, Lane
from harness.models.quota import quotas
from harness.queueing import waiting

T = TypeVar("T")
_TICK = 1e-3
"""Less than so many seconds a clock may round away, and then nobody would ever be let in."""
LONG = 60.0
"""A pause of so many seconds is worth a line."""
Granted = asyncio.Future[tuple[int, Grant]]


def silent(_: str) -> None:
    """For a pool that nobody watches."""


class Pool:
    """Lanes to one endpoint, one for each key, and the queue before them."""

    def __init__(
        self, keys: int = 1, *, name: str = "the endpoint", hall: Hall | None = None
    ) -> None:
        self.lanes: Sequence[Lane] = [Lane() for _ in range(keys)]
        self.say: Callable[[str], None] = silent
        """Tells the person of a long pause, and of its end."""
        self.name = name
        self.queue: list[tuple[int, int, Granted]] = []
        self._hall = hall or Hall()
        self._hall.pools.append(self)

    def place(self) -> int:
        """A place in the queue, for one call and all its tries."""
        return next(self._hall.places)

    @asynccontextmanager
    async def seat(self, place: int, tokens: int = 0) -> AsyncIterator[Seat]:
        """A seat once it is this call's turn; `tokens` is about what it will take."""
        granted: Granted = asyncio.get_running_loop().create_future()
        heapq.heappush(self.queue, (place, tokens, granted))
        self._hall.admit()
        try:
            if not granted.done():
                with waiting():
                    await granted
            lane, grant = granted.result()
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.lanes[granted.result()[0]].end()
            self._hall.admit()
            raise
        try:
            yield Seat(self, lane, grant)
        finally:
            self.lanes[lane].end()
            self._hall.admit()

    def let_in(self, now: float, awaited: set[int]) -> float | None:
        """Let in who is first, unless it has to wait: so many seconds, or nobody can tell (None).

        By lanes that are `awaited` by those who came before, it does not come in.
        """
        _, tokens, granted = self.queue[0]
        if not granted.done():
            lane, wait = self._best(tokens, now, awaited)
            if wait is None or wait > 0:
                return wait
            granted.set_result((lane, self.lanes[lane].begin(tokens, now)))
        heapq.heappop(self.queue)
        return 0.0

    def _best(self, tokens: int, now: float, awaited: set[int]) -> tuple[int, float | None]:
        """The lane that is free first, the emptiest of several; None where all are full."""
        free = [
            (wait, lane.busy / lane.seats, at)
            for at, lane in enumerate(self.lanes)
            if id(lane) not in awaited and (wait := lane.wait(tokens, now)) is not None
        ]
        if not free:
            return 0, None
        wait, _, at = min(free)
        return at, wait


class Hall:
    """The pools before one endpoint. Of those that share a key, who came first goes first."""

    def __init__(self) -> None:
        self.pools: list[Pool] = []
        self.places = count()
        self._lanes: dict[str, Lane] = {}
        self._timer: asyncio.TimerHandle | None = None

    def pool(self, keys: Sequence[str], name: str) -> Pool:
        """A pool of these keys, each of which has one lane whoever else has it too."""
        pool = Pool(len(keys), name=name, hall=self)
        pool.lanes = [
            self._lanes.setdefault(key, lane) for key, lane in zip(keys, pool.lanes, strict=True)
        ]
        return pool

    def admit(self) -> None:
        """Let in whoever may come in now; come again when the next one may."""
        loop = asyncio.get_running_loop()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        awaited, waits, now = set[int](), list[float](), loop.time()
        asking = [pool for pool in self.pools if pool.queue]
        while asking:
            first = min(asking, key=_place)
            wait = first.let_in(now, awaited)
            if wait is None or wait > 0:
                awaited.update(map(id, first.lanes))
                waits += [] if wait is None else [wait]
            if wait != 0 or not first.queue:
                asking.remove(first)
        if waits:
            self._timer = loop.call_later(max(min(waits), _TICK), self.admit)


def _place(pool: Pool) -> int:
    return pool.queue[0][0]


class Seat:
    """One call at the endpoint, and what its answer tells of those to come."""

    def __init__(self, pool: Pool, lane: int, grant: Grant) -> None:
        self.at = lane
        """Which key it is to use, from 0."""
        self._pool = pool
        self._lane = pool.lanes[lane]
        self._grant = grant

    def told(self, headers: Mapping[str, str]) -> None:
        """The headers of the answer, names in lower case, as soon as they have come."""
        self._lane.told(quotas(headers), self._grant, _now())

    def welcomed(self) -> None:
        """It was served."""
        if self._lane.denials:
            self._pool.say(f"{self._who()} is taken again; going on")
        self._lane.welcomed(self._grant, _now())

    def turned_away(self, asked: float | None) -> bool:
        """The endpoint is asked too much by us, and wants `asked` seconds of rest. Whether that is
        this call's matter alone, since it says so however little it is asked."""
        alone = self._heed(self._lane.turned_away, asked)
        if share := self._lane.moods.news():
            self._pool.say(
                f"{self._who()} refuses about {share:.0%} of the calls however few are made: "
                "each of them is tried again by itself"
            )
        return alone

    def overloaded(self, asked: float | None) -> None:
        """The endpoint has too much to do, whoever asks, and wants `asked` seconds of rest."""
        self._heed(self._lane.overloaded, asked)

    def _heed(self, hear: Callable[[Grant, float | None, float], T], asked: float | None) -> T:
        now, before = _now(), self._lane.opens
        heard = hear(self._grant, asked, now)
        if self._lane.opens - max(now, before) >= LONG:
            self._pool.say(
                f"paused: {self._pool.name} wants {self._lane.opens - now:.0f} seconds of rest"
            )
        return heard

    def denied(self, why: str) -> None:
        """Key, credit or model name is refused: it is asked again, ever less often."""
        if self._lane.denied(self._grant, _now()):
            others = "; the other keys go on" if len(self._pool.lanes) > 1 else ""
            self._pool.say(f"paused: {why}; asking again until it is taken{others}")

    def _who(self) -> str:
        keys = len(self._pool.lanes)
        return self._pool.name if keys == 1 else f"key {self.at + 1} of {self._pool.name}"


def _now() -> float:
    return asyncio.get_running_loop().time()
