"""What was made of a message, found again by the message itself.

A conversation of a thousand steps sends the same two thousand messages with each request. To ask a
dictionary about their contents takes longer than everything else that a step of ours does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harness.types import Message

T = TypeVar("T")


def remembered(make: Callable[[Message], T], *, most: int = 1 << 14) -> Callable[[Message], T]:
    """`make`, not asked again for a message that it has seen: this very one, not one that is equal.

    At most so many are kept; then all are forgotten at once.
    """
    kept: dict[int, tuple[Message, T]] = {}

    def of(message: Message) -> T:
        found = kept.get(id(message))
        if found is not None and found[0] is message:
            return found[1]
        made = make(message)
        if len(kept) >= most:
            kept.clear()
        kept[id(message)] = message, made  # while it is kept, nothing else can have its id
        return made

    return of
