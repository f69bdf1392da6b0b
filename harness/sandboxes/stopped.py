"""What a command had printed that was stopped because nobody waits for it any more.

There is no result of it; whoever keeps a record is told here what there would have been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CURRENT: ContextVar[Callable[[bytes], None] | None] = ContextVar("stopped", default=None)


@contextmanager
def told_to(hear: Callable[[bytes], None]) -> Iterator[None]:
    """In this block `hear` is told the output of a command that is cancelled."""
    before = _CURRENT.set(hear)
    try:
        yield
    finally:
        _CURRENT.reset(before)


def stopped(output: bytes) -> None:
    if hear := _CURRENT.get():
        hear(output)
