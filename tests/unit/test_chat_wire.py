from __future__ import annotations

import json

import pytest

from harness.models.wires import chat
from harness.types import Message, Request, Tool, ToolCall, Usage

BASH = Tool("bash", "Run it.", '{"type": "object", "properties": {"command": {"type": "string"}}}')
TALK = Request(
    (
        Message("system", "be brief"),
        Message("user", 'a "quoted" \ud800 line'),
        Message("assistant", "", (ToolCall("c1", "bash", '{"command": "ls"}'),), reasoning="hm"),
        Message("tool", "out", call_id="c1"),
    ),
    (BASH,),
    seed=7,
)


def test_a_request_is_what_the_api_documents() -> None:
    body = json.loads(chat.encode(TALK, {"model": "m", "temperature": 0}))
    assert (body["model"], body["temperature"], body["seed"]) == ("m", 0, 7)
    call = {"name": "bash", "arguments": '{"command": "ls"}'}
    assert body["messages"][2] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": call}],
        "reasoning_content": "hm",
    }
    assert body["messages"][3] == {"role": "tool", "content": "out", "tool_call_id": "c1"}
    assert body["tools"][0]["function"]["parameters"]["type"] == "object"


def test_a_lone_surrogate_leaves_as_an_escape_and_not_as_a_crash() -> None:
    assert b"\\ud800" in chat.encode(TALK, {"model": "m"})


def answer(**message: object) -> dict[str, object]:
    return {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, ""), ("hi", "hi"), ([{"type": "text", "text": "a"}, {"text": "b"}], "ab"), ([], "")],
)
def test_content_is_read_in_every_form_that_servers_give_it(content: object, text: str) -> None:
    assert chat.decode(answer(content=content)).message.content == text


def test_calls_without_an_id_or_with_arguments_as_an_object_are_still_calls() -> None:
    raw = [{"id": "", "function": {"name": "bash", "arguments": {"command": "ls"}}}]
    (call,) = chat.decode(answer(tool_calls=raw)).message.calls
    assert call == ToolCall("", "bash", '{"command": "ls"}')


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_goes_back_in_the_field_that_it_came_in(field: str) -> None:
    message = chat.decode(answer(content="x", **{field: "thought"})).message
    body = json.loads(chat.encode(Request((message,)), {"model": "m"}))
    assert body["messages"][0][field] == "thought"


def test_tokens_are_split_so_that_nothing_is_counted_twice() -> None:
    usage = chat.usage(
        {
            "prompt_tokens": 100,
            "prompt_tokens_details": {"cached_tokens": 60},
            "completion_tokens": 20,
            "completion_tokens_details": {"reasoning_tokens": 15},
        }
    )
    assert usage == Usage(1, 40, 60, 0, 20, 15, None)
    assert (usage.prompt, usage.tokens) == (100, 120)


@pytest.mark.parametrize("raw", [None, [], "x", {}, {"prompt_tokens": None}, {"prompt_tokens": -5}])
def test_missing_or_senseless_usage_counts_nothing_and_has_no_price(raw: object) -> None:
    assert chat.usage(raw) == Usage(calls=1, usd=None)


@pytest.mark.parametrize("payload", [None, [], {}, {"choices": []}, {"choices": [{"message": 3}]}])
def test_what_is_no_completion_is_named(payload: object) -> None:
    with pytest.raises(chat.NotAReply, match="not a chat completion"):
        chat.decode(payload)
