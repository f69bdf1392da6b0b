"""What is told from far below without knowing to whom; whoever asked for it is told.

As with the time that is waited (`queueing`): the layers between need no way to hand it up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

from harness.types import Usage

T = TypeVar("T")


class Hearing(Generic[T]):
    """What may be told, and who hears it in the task that is under way."""

    def __init__(self, name: str) -> None:
        self._current: ContextVar[Callable[[T], object] | None] = ContextVar(name, default=None)

    @contextmanager
    def by(self, hear: Callable[[T], object]) -> Iterator[None]:
        """In this block `hear` is told, and nobody further up."""
        before = self._current.set(hear)
        try:
            yield
        finally:
            self._current.reset(before)

    @contextmanager
    def changed(self, change: Callable[[T], T]) -> Iterator[None]:
        """In this block whoever hears is told it as `change` has it."""
        hear = self._current.get()
        with self.by(lambda what: hear(change(what)) if hear else None):
            yield

    def tell(self, what: T) -> None:
        if hear := self._current.get():
            hear(what)


UNHEARD = Hearing[Usage]("unheard")
"""What a call had come to whose answer nobody heard to its end: its tokens are spent, and have to
be counted. With `calls` of 1 it broke off for good, with 0 it is made again."""
STOPPED = Hearing[bytes]("stopped")
"""What a command had printed that was cancelled, and so has no result."""
