"""What was made of a message, found again by the message itself.

A conversation of a thousand steps sends the same two thousand messages with each request. To ask a
dictionary about their contents takes longer than everything else that a step of ours does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harness.types import Message

S = TypeVar("S")
T = TypeVar("T")
_NEW = 64
"""More messages than these no step adds to its conversation."""


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


def growing(
    start: Callable[[], S], add: Callable[[S, Message], S], *, most: int = 1 << 10
) -> Callable[[tuple[Message, ...]], S]:
    """What `add` makes of a conversation, message by message, of which only what is new is added.

    What comes back is the next caller's as well, and grows with the conversation: use it at once.
    So many conversations are kept at most; then all are forgotten at once.
    """
    kept: dict[int, tuple[tuple[Message, ...], S]] = {}

    def over(messages: tuple[Message, ...]) -> S:
        old, made = 0, start()
        for end in range(len(messages), max(0, len(messages) - _NEW), -1):
            known, of_known = kept.get(id(messages[end - 1]), ((), made))
            if len(known) == end and (known is messages or known == messages[:end]):
                old, made = end, of_known
                break
        if old == len(messages):
            return made
        if old:
            del kept[id(messages[old - 1])]
        for message in messages[old:]:
            made = add(made, message)
        if len(kept) >= most:
            kept.clear()
        kept[id(messages[-1])] = messages, made  # which keeps the ids of all of them
        return made

    return over
