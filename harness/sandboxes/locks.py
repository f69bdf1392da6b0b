"""Locks between processes of one machine; the kernel frees them if we die."""

from __future__ import annotations

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

POLL_SECONDS = 0.1


@contextmanager
def file_lock(name: str) -> Iterator[None]:
    """Hold `name` against every other process of this user, waiting in this thread."""
    with _file(name) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@asynccontextmanager
async def shared_lock(name: str) -> AsyncIterator[None]:
    """As `file_lock`, without a thread that waits: it can be cancelled."""
    with _file(name) as file:
        while not _taken(file):  # noqa: ASYNC110 - no event says that another process let go
            await asyncio.sleep(POLL_SECONDS)
        yield


@asynccontextmanager
async def lease(name: str) -> AsyncIterator[None]:
    """Hold `name` together with others who do; nobody has it to themselves meanwhile."""
    with _file(name) as file:
        while not _taken(file, fcntl.LOCK_SH):  # noqa: ASYNC110 - as above
            await asyncio.sleep(POLL_SECONDS)
        yield


@contextmanager
def unleased(names: Iterable[str]) -> Iterator[bool]:
    """Have the names to ourselves, if nobody holds a lease of one: whether that is so."""
    with ExitStack() as held:
        files = [held.enter_context(_file(name)) for name in names]
        yield all(_taken(file) for file in files)


def _file(name: str) -> IO[str]:
    folder = Path(tempfile.gettempdir()) / f"harness-locks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return (folder / name).open("w")


def _taken(file: IO[str], how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
