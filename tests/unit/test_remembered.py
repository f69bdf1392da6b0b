from __future__ import annotations

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

    def length(message: Message) -> int:
        looked.append(message.content)
        return len(message.content)

    lengths = growing(length, most=2)
    talk = tuple(Message("user", "x" * size) for size in range(1, 6))
    assert [sum(lengths(part)) for part in (talk[:2], talk[:4], talk, talk)] == [3, 10, 15, 15]
    assert len(looked) == 5
    assert lengths(talk[2:]) == [3, 4, 5], "without its beginning it is another one"
    assert lengths((*talk[:4], Message("user", "y"))) == [1, 2, 3, 4, 1]
    assert [lengths(talk), lengths(())] == [[1, 2, 3, 4, 5], []]
