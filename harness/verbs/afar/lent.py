"""What an attempt works with on another machine: a past, a budget and a box, all the driver's.

`attempt.py` cannot tell them from those of a run on one machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from harness.api import Event, Sandbox, Sandboxes, Trace
from harness.errors import Parked
from harness.executors.mail import Charged, Kept, Line, Opened, Order, Outbox, Ready
from harness.meter import RunLimits, RunMeter
from harness.types import Attempt, Environment, ExecResult, Prepared, Usage
from results.traces import Clock, event_line


class LentArchive:
    """Implements Archive and Trace: the past came with the order, what is new goes to the driver.

    An event is on its way when `emit` returns. `settled` waits until what had to survive does.
    """

    def __init__(self, order: Order, outbox: Outbox) -> None:
        self._order = order
        self._outbox = outbox
        self._synced = 0
        self._clock = Clock()

    def keep(self, data: bytes, /) -> str:
        self._outbox.put(Kept(data))
        return hashlib.sha256(data).hexdigest()

    def fetch(self, digest: str, /) -> bytes:
        return self._order.blobs[digest]

    def tries(self, attempt: Attempt, /) -> int:
        return self._order.tries

    def events(self, attempt: Attempt, number: int, /) -> Iterator[Event]:
        sealed = self._order.past.get(number, b"").split(b"\n")[:-1]
        return map(json.loads, sealed)

    @contextmanager
    def trace(self, attempt: Attempt, number: int, /) -> Iterator[Trace]:
        self._clock = Clock()
        self._outbox.put(Opened(attempt, number))
        yield self

    def emit(self, kind: str, data: Mapping[str, Any], /, *, sync: bool = False) -> None:
        line = Line(self._order.attempt, event_line(kind, self._clock.seconds, data), sync)
        number = self._outbox.put(line)
        self._synced = number if sync else self._synced

    async def settled(self) -> None:
        await self._outbox.kept(self._synced)


class LentMeter(RunMeter):
    """The run's budget: what is spent is told the driver, who alone knows what is left."""

    def __init__(self, outbox: Outbox, *, limited: bool) -> None:
        super().__init__(RunLimits())
        self._outbox = outbox
        self._limited = limited

    @asynccontextmanager
    async def holding(self, worst: Usage) -> AsyncIterator[None]:
        if self._limited and not await self._outbox.ask("admit"):
            raise Parked("the run's budget is spent")
        yield

    def charge(self, usage: Usage) -> None:
        super().charge(usage)
        self._outbox.put(Charged(usage))


@dataclass(frozen=True, slots=True)
class Behind:
    """Sandboxes in which nothing is done before what it follows from is on the driver's disk."""

    inner: Sandboxes
    archive: LentArchive
    outbox: Outbox

    async def prepare(self, environment: Environment, /) -> Prepared:
        ready = await self.inner.prepare(environment)
        self.outbox.put(Ready(environment.name))
        return ready

    @asynccontextmanager
    async def open(self, environment: Environment, /) -> AsyncIterator[Sandbox]:
        async with self.inner.open(environment) as box:
            yield BehindBox(box, self.archive)


@dataclass(frozen=True, slots=True)
class BehindBox:
    inner: Sandbox
    archive: LentArchive

    async def exec(
        self,
        argv: Sequence[str],
        /,
        *,
        kill_after: float,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        keep: int = 1 << 20,
    ) -> ExecResult:
        await self.archive.settled()
        return await self.inner.exec(argv, kill_after=kill_after, env=env, stdin=stdin, keep=keep)

    async def read(self, path: str, /, *, limit: int = 1 << 20) -> bytes:
        await self.archive.settled()
        return await self.inner.read(path, limit=limit)

    async def write(self, path: str, data: bytes, /) -> None:
        await self.archive.settled()
        await self.inner.write(path, data)

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.inner.facts
