"""What a worker has of the driver's for a while: leave to make a call, a seat at an endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from harness.errors import Parked
from harness.executors.fleet import Desk, Gone, Hand, Heed
from harness.executors.mail import Returned, Said, Wanted

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


@dataclass(slots=True, eq=False)
class _Lease:
    holding: asyncio.Task[None]
    returned: asyncio.Event = field(default_factory=asyncio.Event)
    heed: Heed | None = None
    """None: it is still waited for."""


class Leases:
    """Those of one worker, by the number of its wish. Each lasts while a task holds it."""

    def __init__(self, hand: Hand, desk: Desk, spawn: Spawn) -> None:
        self._hand = hand
        self._desk = desk
        self._spawn = spawn
        self._held: dict[int, _Lease] = {}

    def take(self, notice: Wanted | Said | Returned) -> None:
        match notice:
            case Wanted(number, what):
                self._held[number] = _Lease(self._spawn(self._hold(number, what)))
            case Said(number, what):
                if heed := self._held[number].heed:
                    heed(what)
            case Returned(number):
                lease = self._held.pop(number)
                lease.returned.set()
                if lease.heed is None:
                    lease.holding.cancel()

    def end(self) -> None:
        """The worker is gone: what it had is there for others."""
        for lease in self._held.values():
            lease.holding.cancel()

    async def _hold(self, number: int, what: Any) -> None:
        lease = self._held[number]
        with suppress(Gone):
            try:
                async with self._desk.lease(what) as (answer, lease.heed):
                    await self._hand.ask("told", number, answer)
                    await lease.returned.wait()
            except Parked as parked:
                await self._hand.ask("told", number, parked)
