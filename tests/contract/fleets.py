"""Nodes in this very process: what the cluster does about them is the same as about any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from harness import codec
from harness.errors import Parked
from harness.executors.fleet import Gone, Hand, Heed, Place
from harness.executors.mail import Ended, Kept, Line, Notice, Opened, Order
from harness.types import Attempt, Faulted, Record
from tests.contract.toy_workers import ToyWorker, faulted, task


class NearHand:
    """A worker that can be killed."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.dead: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ask(self, method: str, /, *args: Any) -> Any:
        asked = asyncio.ensure_future(getattr(self.worker, method)(*args))
        await asyncio.wait([asked, self.dead], return_when=asyncio.FIRST_COMPLETED)
        if self.dead.done():
            asked.cancel()
            raise Gone("killed")
        return await asked

    async def end(self) -> None:
        self.kill()

    def kill(self) -> None:
        if not self.dead.done():
            self.dead.set_result(None)


@dataclass
class Nearby:
    """Implements Fleet."""

    nodes: list[Place]
    make: Callable[[Any], Any] = ToyWorker
    papers: Any = None
    hands: dict[str, NearHand] = field(default_factory=dict)

    async def places(self) -> list[Place]:
        return self.nodes

    async def hire(self, place: Place, /) -> tuple[Hand, set[str]]:
        hand = self.hands[place.name] = NearHand(self.make(self.papers))
        return hand, await hand.ask("hired", "secret")


@dataclass
class ToyDesk:
    """Implements Desk with lists."""

    kept: list[Notice] = field(default_factory=list)
    ended: list[Attempt] = field(default_factory=list)
    seat: asyncio.Lock = field(default_factory=asyncio.Lock)
    seated: list[Any] = field(default_factory=list)
    said: list[Any] = field(default_factory=list)

    def order(self, attempt: Attempt, soon: Sequence[Attempt], /) -> Order:
        tries = sum(isinstance(n, Opened) and n.attempt == attempt for n in self.kept)
        return Order(
            attempt,
            task(attempt),
            tries,
            soon=[(one, task(one).brief.environment) for one in soon],
        )

    def keep(self, notice: Notice, /) -> None:
        assert isinstance(notice, Opened | Line | Kept)
        self.kept.append(notice)

    def record(self, ended: Ended, /) -> Record:
        self.ended.append(ended.attempt)
        if ended.error:
            raise ended.error
        return codec.decode(ended.record)

    @asynccontextmanager
    async def lease(self, what: Any, /) -> AsyncIterator[tuple[Any, Heed]]:
        """Seats, one at a time, and `none` where a run has nothing left."""
        if what == "none":
            raise Parked("nothing is left")
        async with self.seat:
            self.seated.append(what)
            yield what, self.said.append

    def lost(self, attempt: Attempt, why: str, /) -> Faulted:
        return faulted(attempt)

    def close(self, attempt: Attempt, /) -> None:
        pass
