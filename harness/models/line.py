"""The way to one model at its endpoint, whoever asks: a seat for each try, and pauses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from harness.errors import Fault
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint, EndpointRefused
from harness.models.pool import Hall, Pool, Seat
from harness.models.retrying import Patience, Transient

T = TypeVar("T")
_OUTVOTED = 2
"""So often a request may be refused while others are served, before it is taken to be its own."""


class Line:
    """One model at one endpoint, in the pool that it shares with others there.

    A refusal of the key, the credit or the model stops the run while no call has succeeded yet.
    Later it is an outage: whoever asks waits for its seat until the endpoint relents.
    """

    def __init__(self, pool: Pool, knobs: Knobs) -> None:
        self.pool = pool
        self.patience = Patience(knobs.attempts, first=knobs.first_pause)
        self._worked = False

    async def ask(self, call: Callable[[Seat], Awaitable[T]], tokens: int) -> T:
        """What `call` returns in the end, tried with patience."""
        async with self.asking(call, tokens) as got:
            return got

    @asynccontextmanager
    async def asking(self, call: Callable[[Seat], Awaitable[T]], tokens: int) -> AsyncIterator[T]:
        """The same where the answer has only begun then: its seat is held as long as the block."""
        turn = _Turn(self.pool, self.pool.place(), tokens)

        async def once() -> tuple[T, AsyncExitStack]:
            async with AsyncExitStack() as held:
                seat = await held.enter_async_context(turn.seat())
                got = await call(seat)
                return got, held.pop_all()

        got, held = await self._taken(turn, once)
        async with held:
            yield got
        self._worked = True

    async def _taken(self, turn: _Turn, once: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await self.patience.ask(once)
            except EndpointRefused as refusal:
                if not self._worked:
                    raise
                if turn.outvoted >= _OUTVOTED:
                    raise Fault("model", f"{refusal} (others were served meanwhile)") from refusal


def pool_of(endpoint: Endpoint, hall: Hall | None = None) -> Pool:
    """A new one, with a lane for each of the keys; `hall` knows those that others have too."""
    hall = hall or Hall()
    return hall.pool([key.text for key in endpoint.all_keys], endpoint.base_url)


@dataclass(slots=True)
class _Turn:
    """One request with its place in the queue, which its tries share until it is refused."""

    pool: Pool
    place: int
    tokens: int
    outvoted: int = 0
    """How often it was refused after others had been served since its last refusal."""
    _served: dict[int, int] = field(default_factory=dict)

    @asynccontextmanager
    async def seat(self) -> AsyncIterator[Seat]:
        async with self.pool.seat(self.place, self.tokens) as seat:
            try:
                yield seat
            except Transient as trouble:
                if trouble.crowded == "rate":
                    if seat.turned_away(trouble.retry_after):
                        trouble.crowded = "load"
                elif trouble.crowded == "load":
                    seat.overloaded(trouble.retry_after)
                raise
            except EndpointRefused as refusal:
                self._count(seat.at)
                # Were it first again, nobody could show that it is refused alone.
                self.place = self.pool.place()
                seat.denied(str(refusal))
                raise
            seat.welcomed()

    def _count(self, lane: int) -> None:
        served = self.pool.lanes[lane].served
        self.outvoted += served > self._served.get(lane, served)
        self._served[lane] = served
