"""Boxes opened before they are asked for, and removed after they are let go.

To open and to remove a container takes a few hundred milliseconds, and an attempt that is about to
begin, or has just been measured, need not wait for either.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from harness.api import Sandbox, Sandboxes
from harness.errors import Fault
from harness.sandboxes.box import Box
from harness.sandboxes.threads import unhurried
from harness.types import Environment, Prepared

STALE_SECONDS = 1800.0
"""A box that has waited so long is not handed out: its lifetime was counted from its making."""


@dataclass(slots=True)
class _Kept:
    """A box in the hands of the task that opens and closes it."""

    environment: Environment
    ready: asyncio.Future[Sandbox]
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    since: float = field(default_factory=time.monotonic)

    @property
    def fit(self) -> bool:
        """Whether it may still be handed out; one that is being opened is."""
        if time.monotonic() - self.since > STALE_SECONDS:
            return False
        if not self.ready.done():
            return True
        if self.ready.cancelled() or self.ready.exception() is not None:
            return False
        box = self.ready.result()
        return not isinstance(box, Box) or box.alive


class Ahead:
    """Sandboxes with at most `most` boxes open that nobody has asked for yet.

    `expect` says which. A box that is let go leaves its block at once, and is gone when `settle`
    returns at the latest; whoever uses this must call that in the end.
    """

    def __init__(self, inner: Sandboxes, most: int) -> None:
        self.inner = inner
        self._most = most
        self._wanted: list[Environment] = []
        self._spare: list[_Kept] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []

    async def prepare(self, environment: Environment, /) -> Prepared:
        return await self.inner.prepare(environment)

    def expect(self, environments: Sequence[Environment]) -> None:
        """What will be opened after the next `open`, the soonest first.

        Their boxes are opened once that has what it asked for; those for anything else are let go.
        """
        self._wanted = list(environments[: self._most])

    def _refill(self) -> None:
        wanted = list(self._wanted)
        for kept in list(self._spare):
            if kept.fit and kept.environment in wanted:
                wanted.remove(kept.environment)
            else:
                self._spare.remove(kept)
                kept.let_go.set()
        self._spare += [self._opened(environment, warm=True) for environment in wanted]

    @asynccontextmanager
    async def open(self, environment: Environment, /) -> AsyncIterator[Sandbox]:
        kept = self._take(environment) or self._opened(environment, warm=False)
        self._refill()
        try:
            box = await asyncio.shield(kept.ready)
            yield box
            if isinstance(box, Box):
                await box.last_look()
        finally:
            kept.let_go.set()

    async def settle(self) -> None:
        """Let every spare box go, and return once all that were opened here are gone."""
        self.expect([])
        self._refill()
        while self._tasks:
            await unhurried(_ended(set(self._tasks)))
        if self._errors:
            raise self._errors[0]

    def _take(self, environment: Environment) -> _Kept | None:
        for kept in self._spare:
            if kept.environment == environment and kept.fit:
                self._spare.remove(kept)
                return kept
        return None

    def _opened(self, environment: Environment, *, warm: bool) -> _Kept:
        kept = _Kept(environment, asyncio.get_running_loop().create_future())
        task = asyncio.create_task(self._keep(kept, warm=warm))
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._over(kept, ended))
        return kept

    async def _keep(self, kept: _Kept, *, warm: bool) -> None:
        """Hold a box open until it is let go."""
        async with self.inner.open(kept.environment) as box:
            if warm and isinstance(box, Box):
                await box.warm()
            kept.ready.set_result(box)
            await kept.let_go.wait()

    def _over(self, kept: _Kept, task: asyncio.Task[None]) -> None:
        """What went wrong before is told to who waits for the box, and after is kept for `settle`.

        A fault in the removal is no attempt's: the measurement was over.
        """
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if kept.ready.done():
            if error and not isinstance(error, Fault):
                self._errors.append(error)
        elif error:
            kept.ready.set_exception(error)
            kept.ready.exception()  # looked at: nobody may ever wait for a spare one
        else:
            kept.ready.cancel()


async def _ended(tasks: set[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)
