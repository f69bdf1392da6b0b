from __future__ import annotations

import asyncio
import weakref

import pytest

from harness.models.wires.remembered import PIECE, in_pieces, remembered, remembering
from harness.types import Message

pytestmark = pytest.mark.anyio


def test_what_was_made_of_a_message_is_made_once_and_never_taken_for_anothers() -> None:
    made: list[str] = []

    @remembered
    def shout(message: Message) -> str:
        made.append(message.content)
        return message.content.upper()

    first, second, equal = (Message("user", text) for text in ("a", "b", "a"))
    with remembering():
        assert [shout(first), shout(first), shout(second), shout(first)] == ["A", "A", "B", "A"]
        assert shout(equal) == "A"
    assert made == ["a", "b", "a"]


def test_what_is_remembered_goes_with_the_block_that_it_was_for() -> None:
    class Made:
        pass

    make = remembered(lambda message: Made())
    message = Message("user", "a")
    with remembering():
        gone = weakref.ref(make(message))
        assert make(message) is gone()
    assert gone() is None
    assert make(message) is not make(message), "outside of any nothing is kept"


async def test_not_even_a_task_that_outlives_the_block_keeps_it() -> None:
    class Made:
        pass

    make, over = remembered(lambda message: Made()), asyncio.Event()
    message = Message("user", "a")
    with remembering():
        outlives = asyncio.create_task(over.wait())
        gone = weakref.ref(make(message))
    assert gone() is None
    over.set()
    await outlives


def test_of_a_conversation_that_grows_only_what_is_new_is_looked_at() -> None:
    looked: list[int] = []

    @in_pieces
    def length(messages: tuple[Message, ...]) -> int:
        looked.append(len(messages))
        return sum(len(message.content) for message in messages)

    talk = tuple(Message("user", "x") for _ in range(3 * PIECE + 1))
    other = Message("user", "yy")
    with remembering():
        assert length(()) == []
        assert length(talk[:-1]) == [PIECE] * 3
        assert length(talk) == [PIECE] * 3 + [1]
        assert looked == [PIECE] * 3 + [1]
        changed = (*talk[: 2 * PIECE + 1], other, *talk[2 * PIECE + 2 :])
        assert length(changed) == [PIECE, PIECE, PIECE + 1, 1]
        assert looked == [PIECE] * 3 + [1, PIECE], "one stretch was another"
        assert length(talk[1:])[-1] == PIECE
