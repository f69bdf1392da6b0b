"""Time spent waiting for an endpoint to have room: nobody's time, and no attempt's.

Whoever waits far below (a pool, a pause between two tries) says so here, without knowing for whom;
whoever asked finds how long it was, and the deadline of the attempt stands still meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class QueueClock:
    """The seconds of one attempt in which at least one of its calls was waiting for room."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._waiting = 0
        self._since = 0.0
        self._deadline: asyncio.Timeout | None = None
        self._left: float | None = None

    @contextmanager
    def stopping(self, deadline: asyncio.Timeout) -> Iterator[None]:
        """While the block lasts, `deadline` moves by as much as was waited."""
        self._deadline = deadline
        try:
            yield
        finally:
            self._deadline = None

    @contextmanager
    def asking(self) -> Iterator[Wait]:
        """One call: what is waited for its sake within the block is counted to it, and here."""
        wait = Wait(self)
        before = _CURRENT.set(wait)
        try:
            yield wait
        finally:
            _CURRENT.reset(before)

    def begin(self) -> None:
        self._waiting += 1
        if self._waiting > 1:
            return
        self._since = time.monotonic()
        when = self._deadline.when() if self._deadline else None
        if self._deadline and when is not None and not self._deadline.expired():
            self._left = when - asyncio.get_running_loop().time()
            self._deadline.reschedule(None)

    def end(self) -> None:
        self._waiting -= 1
        if self._waiting:
            return
        self.seconds += time.monotonic() - self._since
        if self._deadline and self._left is not None and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._left)
        self._left = None


class Wait:
    """How long one call has waited for room."""

    def __init__(self, clock: QueueClock) -> None:
        self.seconds = 0.0
        self._clock = clock

    @contextmanager
    def waiting(self) -> Iterator[None]:
        started = time.monotonic()
        self._clock.begin()
        try:
            yield
        finally:
            self._clock.end()
            self.seconds += time.monotonic() - started


_CURRENT: ContextVar[Wait | None] = ContextVar("waiting", default=None)


@contextmanager
def waiting() -> Iterator[None]:
    """In this block somebody waits for room, if anybody has asked."""
    wait = _CURRENT.get()
    if wait is None:
        yield
        return
    with wait.waiting():
        yield


def waited() -> float:
    """How long the call that asks has waited so far."""
    wait = _CURRENT.get()
    return wait.seconds if wait else 0.0
