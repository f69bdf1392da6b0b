from __future__ import annotations

import json

import pytest

from harness.models.reasoning import given_back
from harness.models.wires import chat
from harness.types import Message, Request

EARLY = Message("assistant", "a", reasoning="early", sealed='{"chat": {}}')
LATE = Message("assistant", "b", reasoning="late")
TALK = Request((Message("user", "1"), EARLY, Message("user", "2"), LATE))


@pytest.mark.parametrize(
    ("policy", "left"), [("keep", ["early", "late"]), ("turn", ["late"]), ("drop", [])]
)
def test_as_much_of_the_thoughts_goes_back_as_the_policy_leaves(
    policy: str, left: list[str]
) -> None:
    shown = given_back(TALK, policy).messages
    assert [m.reasoning for m in shown if m.reasoning] == left
    assert [m.content for m in shown] == ["1", "a", "2", "b"]
    assert (shown[1].sealed == "") == (policy != "keep")


@pytest.mark.parametrize(
    ("content", "thought", "said"),
    [
        ("<think>hm</think>\n\nhello", "hm", "hello"),
        ("<think>\nhm\n</think>hello", "\nhm\n", "hello"),
        ("<think></think>hello", None, "hello"),
        ("<think>never ends", "never ends", ""),
        ("hm\n</think>\n\nhello", "hm", "hello"),
        ("write `</think>` there", None, "write `</think>` there"),
        ("hello <think>not a thought</think>", None, "hello <think>not a thought</think>"),
    ],
)
def test_thoughts_in_the_text_are_told_apart_from_what_is_said(
    content: str, thought: str | None, said: str
) -> None:
    payload = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    message = chat.decode(payload).message
    assert (message.reasoning, message.content) == (thought, said)
    (back,) = json.loads(chat.encode(Request((message,)), {"model": "m"}))["messages"]
    again = {"choices": [{"message": back, "finish_reason": "stop"}]}
    assert chat.decode(again).message.reasoning == thought
