"""Seats at an endpoint for workers elsewhere: the driver's pool gives them out, to all alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from harness.executors.mail import Outbox, Said
from harness.models.connection import Pools
from harness.models.openai import Endpoint
from harness.models.pacing import MOST
from harness.models.pool import Pool, Seat
from harness.queueing import waiting

Method: TypeAlias = Literal["told", "welcomed", "turned_away", "overloaded", "denied"]


@dataclass(frozen=True, slots=True)
class SeatWanted:
    """A call wants to be made."""

    endpoint: int
    """Which, in the order in which the conditions name them: the same on driver and workers."""
    place: int | None
    """In the queue, from the second try of a call on."""
    tokens: int


@dataclass(frozen=True, slots=True)
class Given:
    """The seat: which key, the call's place in the queue, how many that key has served, and whether
    it is refused now and then however little is asked."""

    lane: int
    place: int
    served: int
    moody: bool


@dataclass(frozen=True, slots=True)
class News:
    """What came of a call: a method of the driver's `Seat`, and what it is to be told."""

    method: Method
    told: tuple[Any, ...]

    def to(self, seat: Seat) -> None:
        getattr(seat, self.method)(*self.told)


Hears: TypeAlias = Callable[[News], None]


class LentPools(Pools):
    """The pools of a worker."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__()
        self._outbox = outbox

    def of(self, endpoint: Endpoint) -> Pool:
        if endpoint not in self._pools:
            keys = len(endpoint.all_keys)
            self._pools[endpoint] = LentPool(self._outbox, len(self._pools), keys)
        return self._pools[endpoint]


class LentPool(Pool):
    """A pool that has no seats of its own."""

    def __init__(self, outbox: Outbox, endpoint: int, keys: int) -> None:
        super().__init__(keys)
        self._outbox = outbox
        self._endpoint = endpoint
        self._theirs: dict[int, int] = {}

    @asynccontextmanager
    async def seat(self, place: int, tokens: int = 0) -> AsyncIterator[Seat]:
        wish = SeatWanted(self._endpoint, self._theirs.get(place), tokens)
        async with AsyncExitStack() as stack:
            with waiting():
                number, given = await stack.enter_async_context(self._outbox.lease(wish))
            self._remember(place, given.place)
            self.lanes[given.lane].served = given.served
            yield LentSeat(self._outbox, number, given)

    def _remember(self, place: int, theirs: int) -> None:
        """Where a call stands in the driver's queue, should it have to be tried again."""
        self._theirs[place] = theirs
        while len(self._theirs) > MOST:
            del self._theirs[next(iter(self._theirs))]


class LentSeat(Seat):
    """A seat whose news go to the driver."""

    def __init__(self, outbox: Outbox, number: int, given: Given) -> None:
        self.at = given.lane
        self._moody = given.moody
        self._outbox = outbox
        self._number = number

    def told(self, headers: Mapping[str, str]) -> None:
        kept = ("limit", "retry", "date")
        self._say("told", {k: v for k, v in headers.items() if any(word in k for word in kept)})

    def welcomed(self) -> None:
        self._say("welcomed")

    def turned_away(self, asked: float | None) -> bool:
        self._say("turned_away", asked)
        return self._moody

    def overloaded(self, asked: float | None) -> None:
        self._say("overloaded", asked)

    def denied(self, why: str) -> None:
        self._say("denied", why)

    def _say(self, method: Method, *told: Any) -> None:
        self._outbox.put(Said(self._number, News(method, told)))


@asynccontextmanager
async def given(
    pool: Pool, wish: SeatWanted
) -> AsyncIterator[tuple[Given, Callable[[News], None]]]:
    """On the driver: a seat of the pool for a call elsewhere, and who hears what comes of it."""
    place = pool.place() if wish.place is None else wish.place
    async with pool.seat(place, wish.tokens) as seat:
        lane = pool.lanes[seat.at]
        yield Given(seat.at, place, lane.served, lane.moody), lambda news: news.to(seat)
