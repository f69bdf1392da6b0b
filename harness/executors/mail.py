"""What passes between a run's driver and its workers; how it travels is somebody else's matter.

A worker's notices go out in their order and are numbered by it. The driver fetches them, keeps
what they hold, and says with its next visit how many it has kept: who must not go on before a
reply would survive this machine waits for that. A worker that nobody visits can so do no more
than one step, and one that is given up for dead can write nothing any more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from harness.types import Attempt, Environment, Task, Usage

AT_A_TIME = 1000
"""Notices of one visit at the most."""
PATIENCE = 5.0
"""Seconds after which a visit to somebody who has nothing to say ends empty."""


@dataclass(frozen=True, slots=True)
class Order:
    """An attempt with all that a worker needs to begin or to continue it."""

    attempt: Attempt
    task: Task
    tries: int
    """How many earlier tries have left a trace."""
    past: Mapping[int, bytes] = field(default_factory=dict)
    """The trace of the try that is to be replayed, by its number."""
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    """What that try kept, as far as it is needed again."""
    soon: Sequence[tuple[Attempt, Environment]] = ()
    """Who is likely to come next to the same worker, and what box they will ask for."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A try begins its trace."""

    attempt: Attempt
    number: int


@dataclass(frozen=True, slots=True)
class Line:
    """One event of the trace that its attempt has opened."""

    attempt: Attempt
    data: bytes
    sync: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A patch or a log."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something of which only the driver knows how much there is; its answer has this number."""

    number: int
    what: Any


@dataclass(frozen=True, slots=True)
class Said:
    """What came of it meanwhile."""

    number: int
    what: Any


@dataclass(frozen=True, slots=True)
class Returned:
    """It is not needed any more, or no longer wanted."""

    number: int


@dataclass(frozen=True, slots=True)
class Charged:
    """What a live call has cost the run."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt is over: with a record as bytes, or with what its work raised."""

    attempt: Attempt
    record: bytes = b""
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The worker has ended all that it had under way; nothing follows."""


Notice: TypeAlias = Opened | Line | Kept | Wanted | Said | Returned | Charged | Ended | Stopped


class Outbox:
    """A worker's end."""

    def __init__(self) -> None:
        self._due: deque[Notice] = deque()
        self._put = 0
        self._kept = 0
        self._more = asyncio.Event()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._asked: dict[int, asyncio.Future[Any]] = {}

    def put(self, notice: Notice) -> int:
        """Send it; return its number."""
        self._due.append(notice)
        self._put += 1
        self._more.set()
        return self._put

    async def kept(self, number: int) -> None:
        """Return once the driver has kept everything up to the notice with that number."""
        if self._kept < number:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            # Numbers only grow, but for those who wait later for something older.
            self._waiting.append((number, waiting))
            await waiting

    @asynccontextmanager
    async def lease(self, what: Any) -> AsyncIterator[tuple[int, Any]]:
        """Have something from the driver for as long as the block lasts: its number, its answer."""
        number = self._put + 1
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self.put(Wanted(number, what))
        try:
            yield number, await answer
        finally:
            del self._asked[number]
            self.put(Returned(number))

    async def visited(self, kept: int) -> list[Notice]:
        """The driver's visit: how many notices it has kept, for what is new here."""
        self._kept = kept
        late = [(number, waiting) for number, waiting in self._waiting if number > kept]
        for number, waiting in self._waiting:
            if number <= kept and not waiting.done():
                waiting.set_result(None)
        self._waiting = deque(late)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._more.wait()
        notices = [self._due.popleft() for _ in range(min(len(self._due), AT_A_TIME))]
        if not self._due:
            self._more.clear()
        return notices

    def told(self, number: int, answer: Any) -> None:
        """The driver's answer to a wish; an exception is for who waits for it."""
        asked = self._asked.get(number)
        if asked is None or asked.done():
            return
        if isinstance(answer, Exception):
            asked.set_exception(answer)
        else:
            asked.set_result(answer)
