from __future__ import annotations

from harness.models.wires.remembered import remembered
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
