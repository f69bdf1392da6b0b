"""Attempts on this machine's event loop, so many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.api import Work
from harness.errors import Parked
from harness.types import Attempt, Record


@dataclass(frozen=True, slots=True)
class Local:
    """`width` attempts in flight; the next one starts when one settles.

    A parked attempt ends its seat: what others have under way is finished, nothing new begins.
    """

    width: int

    async def run(
        self, attempts: Iterable[Attempt], work: Work, settle: Callable[[Record], None], /
    ) -> None:
        queue = iter(attempts)

        async def seat() -> None:
            for attempt in queue:
                try:
                    settle(await work(attempt))
                except Parked:
                    return

        async with asyncio.TaskGroup() as group:
            for _ in range(self.width):
                group.create_task(seat())
