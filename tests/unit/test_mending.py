from __future__ import annotations

from harness.models.mending import mended
from harness.types import Message, Reply, Request, ToolCall, Usage

ASK = Request((Message("user", "hi"),))


def calling(*ids: str) -> Reply:
    calls = tuple(ToolCall(id_, "bash", "{}") for id_ in ids)
    return Reply(Message("assistant", "", calls), Usage(1), "tool_calls")


def ids(reply: Reply) -> list[str]:
    return [call.id for call in reply.message.calls]


def test_a_reply_whose_calls_can_be_told_apart_is_left_alone() -> None:
    reply = calling("a", "b")
    assert mended(reply, ASK) is reply
    assert mended(calling(), ASK) == calling()


def test_calls_without_an_id_or_with_the_same_get_ids_of_their_own() -> None:
    assert ids(mended(calling("", "a", "a", ""), ASK)) == [
        "call00000",
        "a",
        "call00002",
        "call00003",
    ]


def test_an_id_of_an_earlier_turn_is_not_given_again() -> None:
    talk = Request((Message("user", "hi"), mended(calling("", "x"), ASK).message))
    again = ids(mended(calling("x", ""), talk))
    assert len({*again, "x", "call00000"}) == 4
