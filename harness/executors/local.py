"""Attempts on this machine's event loop, so many at a time."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.api import Work
from harness.errors import Parked, UsageError
from harness.types import Attempt, Record

_OPEN_FILES = 200, 10
"""By the program itself, and by each attempt at the most: its boxes, its calls, its trace."""


@dataclass(frozen=True, slots=True)
class Local:
    """`width` attempts in flight; the next one starts when one settles.

    A parked attempt ends its seat: what others have under way is finished, nothing new begins.
    """

    width: int

    async def run(
        self, attempts: Iterable[Attempt], work: Work, settle: Callable[[Record], None], /
    ) -> None:
        make_room(self.width)
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


def make_room(width: int) -> None:
    """Let this process have as many files open as so many attempts need, or UsageError."""
    own, each = _OPEN_FILES
    need = own + each * width
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and need > hard:
        raise UsageError(
            f"--width {width}: that takes up to {need} open files, and a process may have {hard} "
            f"here; raise that (ulimit -Hn), or --width {max(1, (hard - own) // each)}"
        )
    if soft != resource.RLIM_INFINITY and soft < need:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
