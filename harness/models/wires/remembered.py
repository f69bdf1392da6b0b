"""What was made of messages, found again by the messages themselves.

A conversation of a thousand steps sends the same two thousand messages with each request. To ask a
dictionary about their contents takes longer than everything else that a step of ours does. What is
remembered goes when the block does for which it was (`remembering`): an attempt's with the attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar

from harness.types import Message

T = TypeVar("T")
PIECE = 32
"""Messages in one stretch: what is new at the end is looked at again with each step."""
_LAST = -1
"""Stands for the last conversation; no message has this id."""
_Kept: TypeAlias = dict[int, tuple[Any, Any]]
_KEPT: ContextVar[dict[Any, _Kept] | None] = ContextVar("remembered", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Remember what is made in this block, in its tasks too, until it ends."""
    kept: dict[Any, _Kept] = {}
    token = _KEPT.set(kept)
    try:
        yield
    finally:
        _KEPT.reset(token)
        kept.clear()  # tasks that were begun in the block and outlive it have it still


def _kept_by(make: Any) -> _Kept | None:
    every = _KEPT.get()
    return None if every is None else every.setdefault(make, {})


def remembered(make: Callable[[Message], T]) -> Callable[[Message], T]:
    """`make`, not asked again for a message that it has seen: this very one, and no equal of it."""

    def of(message: Message) -> T:
        kept = _kept_by(make)
        if kept is None:
            return make(message)
        known, made = kept.get(id(message), (None, None))
        if known is not message:
            made = make(message)
            kept[id(message)] = message, made  # while it is kept, nothing else can have its id
        return made  # type: ignore[no-any-return]

    return of


def in_pieces(
    make: Callable[[tuple[Message, ...]], T],
) -> Callable[[tuple[Message, ...]], list[T]]:
    """What `make` makes of each stretch of a conversation; only new ones are looked at."""

    def of(messages: tuple[Message, ...]) -> list[T]:
        kept = _kept_by(make)
        if kept is None:
            kept = {}
        known, told = kept.get(_LAST, (None, None))
        if known is messages:  # a step asks for the size of its request several times
            return told  # type: ignore[no-any-return]
        told = list[T]()
        for at in range(0, len(messages), PIECE):
            piece = messages[at : at + PIECE]
            known, made = kept.get(id(piece[0]), (None, None))
            if known != piece:
                made = make(piece)
                kept[id(piece[0])] = piece, made
            told.append(made)
        kept[_LAST] = messages, told
        return told

    return of
