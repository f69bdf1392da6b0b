"""Whatever an endpoint answers is a reply, or said to be none in one line."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models.trouble import inside, sort, words
from harness.models.wires import chat
from harness.types import Message, Reply, Request, ToolCall
from tests.property.hostile import DEEP, GOOD, HUGE, PAYLOADS, REPLIES, mutated, one_line


def decoded(payload: Any) -> Reply | str:
    try:
        return chat.decode(payload)
    except chat.NotAReply as error:
        return str(error)


@given(st.one_of(PAYLOADS, mutated()))
def test_any_json_is_a_reply_or_not_one(payload: Any) -> None:
    match decoded(payload):
        case str() as why:
            assert one_line(why)
        case Reply(message=message, usage=usage, served=served):
            texts = [message.content, message.reasoning or "", *served.values()]
            texts += [
                part for call in message.calls for part in (call.id, call.name, call.arguments)
            ]
            assert all(text.encode() is not None for text in texts)
            assert 0 <= usage.tokens < 1 << 55 and usage.reasoning <= usage.output


@given(REPLIES)
def test_whatever_a_model_said_can_be_sent_back(reply: Reply) -> None:
    body = json.loads(chat.encode(Request((reply.message,)), {"model": "m"}))
    (message,) = body["messages"]
    said = [call["function"]["arguments"] for call in message.get("tool_calls", ())]
    assert said == [call.arguments for call in reply.message.calls]


@pytest.mark.parametrize("depth", [300, 900, 990, 3000])
@pytest.mark.parametrize("place", ["arguments", "content", "model", "usage", "choices"])
def test_depth_is_no_crash(place: str, depth: int) -> None:
    deep: Any = 1
    for _ in range(depth):
        deep = [deep]
    payload = json.loads(json.dumps(GOOD))
    if place == "arguments":
        payload["choices"][0]["message"]["tool_calls"][0]["function"][place] = {"command": deep}
    elif place == "content":
        payload["choices"][0]["message"][place] = deep
    else:
        payload[place] = deep
    found = decoded(payload)
    assert isinstance(found, Reply) or one_line(found)


@given(st.integers(100, 599), st.one_of(PAYLOADS, mutated()), st.binary())
def test_any_error_is_sorted_and_told_in_one_line(status: int, payload: Any, raw: bytes) -> None:
    for body in (json.dumps(payload), raw.decode(errors="replace")):
        trouble = sort(status, {"retry-after": body[:9]}, body)
        assert one_line(trouble.message) and trouble.message.isprintable()
        assert one_line(words(body))


def test_a_deep_error_is_sorted_too() -> None:
    assert one_line(sort(500, {}, "[" * DEEP).message)


@given(st.dictionaries(st.sampled_from(["error", "choices"]), PAYLOADS))
def test_an_error_within_a_good_status_is_sorted_too(payload: Any) -> None:
    trouble = inside(payload, {})
    assert trouble is None or one_line(trouble.message)


def test_a_thousand_calls_and_ten_megabytes_take_no_longer_than_to_copy_them() -> None:
    calls = tuple(ToolCall(f"c{at}", "bash", "{}") for at in range(1000))
    huge = ToolCall("huge", "bash", json.dumps({"command": "x" * HUGE}))
    request = Request((Message("assistant", "", (*calls, huge)),))
    started = time.process_time()
    assert len(chat.encode(request, {"model": "m"})) > HUGE
    assert time.process_time() - started < 10
