from __future__ import annotations

import pytest

from harness.models.wires.remembered import growing, remembered
from harness.types import Message


def test_what_was_made_of_a_message_is_made_once_and_never_taken_for_anothers() -> None:
    made: list[str] = []

    def shout(message: Message) -> str:
        made.append(message.content)
        return message.content.upper()

    of = remembered(shout, most=2)
    first, second, third = (Message("user", text) for text in ("a", "b", "c"))
    assert [of(first), of(first), of(second), of(first)] == ["A", "A", "B", "A"]
    assert made == ["a", "b"]
    assert [of(third), of(first)] == ["C", "A"], "what is forgotten is made anew"
    assert made == ["a", "b", "c", "a"]


def test_of_a_conversation_that_grows_only_what_is_new_is_looked_at() -> None:
    looked: list[str] = []

    def add(lengths: list[int], message: Message) -> list[int]:
        looked.append(message.content)
        lengths.append(len(message.content))
        return lengths

    lengths = growing(list[int], add, most=2)
    talk = tuple(Message("user", "x" * size) for size in range(1, 6))
    assert [sum(lengths(part)) for part in (talk[:2], talk[:4], talk, talk)] == [3, 10, 15, 15]
    assert len(looked) == 5
    assert lengths(talk[2:]) == [3, 4, 5], "without its beginning it is another one"
    assert lengths((*talk[:4], Message("user", "y"))) == [1, 2, 3, 4, 1]
    assert [lengths(talk), lengths(())] == [[1, 2, 3, 4, 5], []]


def test_what_cannot_be_added_spoils_nothing_for_who_comes_after() -> None:
    def add(so_far: list[str], message: Message) -> list[str]:
        so_far.append(message.content)
        if message.content == "broken":
            raise ValueError("broken")
        return so_far

    said = growing(list[str], add)
    first, broken, second = (Message("user", text) for text in ("a", "broken", "b"))
    assert said((first,)) == ["a"]
    with pytest.raises(ValueError, match="broken"):
        said((first, broken))
    assert said((first, second)) == ["a", "b"]
