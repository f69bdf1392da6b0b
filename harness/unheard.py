"""Answers that nobody heard to their end: their tokens are spent, and have to be counted.

Whoever is at the endpoint tells here what a call had come to when it broke off, without knowing for
whom; whoever asked is told, as with the time that is waited (`queueing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from harness.types import Usage

_CURRENT: ContextVar[Callable[[Usage], None] | None] = ContextVar("unheard", default=None)


@contextmanager
def told_to(hear: Callable[[Usage], None]) -> Iterator[None]:
    """In this block `hear` is told of every answer that breaks off."""
    before = _CURRENT.set(hear)
    try:
        yield
    finally:
        _CURRENT.reset(before)


@contextmanager
def told_as(change: Callable[[Usage], Usage]) -> Iterator[None]:
    """In this block it is told as `change` has it: with another price."""
    hear = _CURRENT.get()
    with told_to(lambda usage: hear(change(usage)) if hear else None):
        yield


def unheard(usage: Usage) -> None:
    """A call has broken off: with `calls` of 1 for good, with 0 where it is made again."""
    if hear := _CURRENT.get():
        hear(usage)
