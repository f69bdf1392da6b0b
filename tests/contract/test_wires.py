"""What every wire promises: a stream is the reply that the whole response would have been."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import codec
from harness.models.wires.reading import Cut, NotAReply, fold
from harness.models.wires.remembered import PIECE, remembering
from harness.models.wires.sse import Event, Parser, events
from harness.models.wires.table import WIRES
from harness.types import Message, Reply, Request, Tool, ToolCall, Usage
from tests.contract.speaking import WHOLE, streamed
from tests.property.hostile import PAYLOADS, TEXT, one_line, share

BASH = Tool("bash", "Run it.", '{"type": "object", "properties": {"command": {"type": "string"}}}')
CALLS = (ToolCall("c1", "bash", '{"command": "ls"}'), ToolCall("c2", "bash", '{"command": "pwd"}'))
REPLY = Reply(
    Message("assistant", "Let us see.", CALLS, reasoning="which folder?"),
    Usage(1, 40, 60, 5, 20, 15, None),
    "tool_calls",
)
wires = pytest.mark.parametrize("wire", WIRES)


def read(wire: str, payload: Any) -> Reply | str:
    try:
        return WIRES[wire].decode(payload() if callable(payload) else payload)
    except NotAReply as error:
        return str(error)


def read_stream(wire: str, told: Iterable[Event]) -> Reply | str:
    return read(wire, lambda: fold(WIRES[wire], told))


def replies() -> st.SearchStrategy[Reply]:
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    call = st.builds(
        ToolCall,
        st.text("abc", min_size=1),
        st.just("bash"),
        text.map(lambda t: json.dumps({"command": t})),
    )
    message = st.builds(
        lambda said, calls, thought: Message("assistant", said, tuple(calls), reasoning=thought),
        text.filter(lambda t: "think>" not in t),
        st.lists(call, max_size=3),
        st.one_of(st.none(), text.filter(bool)),
    )
    return st.builds(
        lambda said, usage, finish: Reply(
            said, usage, "tool_calls" if said.calls and finish == "stop" else finish
        ),
        message.filter(lambda m: bool(m.content)),
        st.builds(Usage, st.just(1), *[st.integers(1, 99)] * 3, st.just(50), st.integers(0, 50)),
        st.sampled_from(["stop", "length", "refusal"]),
    )


def said(reply: Reply) -> Any:
    """A reply but for what only its wire or its endpoint knows."""
    message = reply.message
    usage = reply.usage
    tokens = (usage.fresh, usage.cache_read, usage.cache_write, usage.output, usage.reasoning)
    return message.content, message.calls, message.reasoning, reply.finish, tokens


@wires
@given(reply=replies())
def test_a_reply_is_read_from_a_whole_response_and_from_a_stream_alike(
    wire: str, reply: Reply
) -> None:
    payload = WHOLE[wire](reply)
    whole = WIRES[wire].decode(payload)
    assert said(whole) == said(reply)
    assert WIRES[wire].decode(fold(WIRES[wire], events(streamed(wire, payload)))) == whole


@wires
@pytest.mark.parametrize("size", [1, 2, 7, 64, 1 << 20])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_no_way_of_cutting_a_stream_into_chunks_changes_it(
    wire: str, size: int, end: bytes
) -> None:
    payload = WHOLE[wire](REPLY)
    raw = b": keep-alive\n\n".join(streamed(wire, payload)).replace(b"\n", end)
    chunks = [raw[at : at + size] for at in range(0, len(raw), size)]
    reply = WIRES[wire].decode(fold(WIRES[wire], events(chunks)))
    assert reply == WIRES[wire].decode(payload)


@wires
def test_a_stream_that_is_cut_anywhere_is_the_reply_or_none(wire: str) -> None:
    payload = WHOLE[wire](REPLY)
    raw = b"".join(streamed(wire, payload))
    told = (REPLY.message.content, REPLY.message.calls, REPLY.message.reasoning, REPLY.finish)
    for end in range(0, len(raw), 7):
        match read_stream(wire, events([raw[:end]])):
            case str() as why:
                assert one_line(why)
            case Reply(message=message, finish=finish):
                assert (message.content, message.calls, message.reasoning, finish) == told


@wires
@pytest.mark.parametrize("raw", [b"", b"data: [DONE]\n\n", b": ping\n\n", b"event: ping\n\n"])
def test_a_stream_in_which_nothing_was_said_is_no_reply(wire: str, raw: bytes) -> None:
    with pytest.raises(Cut):
        fold(WIRES[wire], events([raw]))


@wires
@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize("done", [True, False])
def test_an_error_in_the_midst_of_a_stream_is_what_comes_of_it(
    wire: str, after: int, done: bool
) -> None:
    error = {"type": "error", "error": {"message": "EngineCore encountered an issue", "code": 500}}
    told = streamed(wire, WHOLE[wire](REPLY))[:after]
    told.append(f"event: error\ndata: {json.dumps(error)}\n\n".encode())
    payload = fold(WIRES[wire], events([*told, *[b"data: [DONE]\n\n"] * done]))
    assert payload["error"]["message"] == "EngineCore encountered an issue"


@wires
def test_a_failure_of_the_responses_wire_is_an_error_like_any_other(wire: str) -> None:
    if wire != "responses":
        return
    for error in ({"code": "server_error", "message": "m"}, None):
        failed = {"type": "response.failed", "response": {"status": "failed", "error": error}}
        assert fold(WIRES[wire], [Event(json.dumps(failed))])["error"]


@wires
def test_what_the_model_said_can_be_sent_back_with_its_results(wire: str) -> None:
    reply = WIRES[wire].decode(WHOLE[wire](REPLY))
    talk = Request(
        (
            Message("system", "be brief"),
            Message("user", "list it"),
            reply.message,
            Message("tool", "a b", call_id="c1"),
            Message("tool", "", call_id="c2"),
        ),
        (BASH,),
        seed=1,
    )
    body = WIRES[wire].encode(talk, {"model": "m", **WIRES[wire].settings({"stream": True})})
    asked = json.loads(body)
    assert asked["model"] == "m" and asked["stream"] is True
    assert b"which folder?" in body and body.count(b"c1") == 2


@pytest.mark.parametrize(("wire", "sealed"), [("responses", "gAAA="), ("messages", "EqQB==")])
def test_what_is_signed_or_encrypted_goes_back_as_it_came_also_after_a_replay(
    wire: str, sealed: str
) -> None:
    reply = WIRES[wire].decode(WHOLE[wire](REPLY))
    replayed = codec.load(Reply, json.loads(json.dumps(codec.dump(reply))), where="trace")
    assert replayed == reply
    body = WIRES[wire].encode(Request((replayed.message,)), {"model": "m"})
    assert sealed in body.decode()
    if wire == "messages":
        (turn,) = json.loads(body)["messages"]
        assert [block["type"] for block in turn["content"]] == [
            "thinking",
            "text",
            *["tool_use"] * 2,
        ]


@wires
def test_another_wire_leaves_alone_what_it_cannot_read(wire: str) -> None:
    for theirs in WIRES:
        message = WIRES[theirs].decode(WHOLE[theirs](REPLY)).message
        body = WIRES[wire].encode(Request((message,)), {"model": "m"})
        assert (wire == theirs and wire != "chat") == (b"gAAA=" in body or b"EqQB" in body)


@wires
@given(payload=PAYLOADS)
def test_any_json_is_a_reply_or_not_one(wire: str, payload: Any) -> None:
    found = read(wire, payload)
    assert isinstance(found, Reply) or one_line(found)


@wires
@share(2)
@given(told=st.lists(st.one_of(PAYLOADS.map(json.dumps), TEXT), max_size=4), name=TEXT)
def test_any_events_are_a_response_or_none(wire: str, told: list[str], name: str) -> None:
    good = list(events(streamed(wire, WHOLE[wire](REPLY))))
    mixed = [*good[: len(good) // 2], *(Event(data, name) for data in told), *good[-3:]]
    found = read_stream(wire, mixed)
    assert isinstance(found, Reply) or one_line(found)


@given(st.binary(max_size=200), st.integers(1, 9))
def test_any_bytes_parse_alike_whole_and_in_pieces(raw: bytes, size: int) -> None:
    whole, parts = Parser(), Parser()
    told = [*whole.feed(raw), *whole.close()]
    cut = [raw[at : at + size] for at in range(0, len(raw), size)]
    assert [*(e for chunk in cut for e in parts.feed(chunk)), *parts.close()] == told


def test_events_are_read_as_the_standard_says() -> None:
    raw = (
        b'\xef\xbb\xbfevent: a\r\ndata: {\r\ndata:  "x"\r\n: note\r\nid: 1\r\n\r\ndata:y\n\ndata: z'
    )
    assert list(events([raw])) == [Event('{\n "x"', "a"), Event("y"), Event("z")]


MESSAGES = st.one_of(
    st.builds(Message, st.sampled_from(["user", "system"]), st.text("ab \n", max_size=3)),
    st.builds(Message, st.just("assistant"), st.text("ab", max_size=3), st.just(CALLS)),
    st.builds(lambda said: Message("assistant", said), st.text("ab", max_size=3)),
    st.builds(lambda said: Message("tool", said, call_id="c1"), st.text("ab", max_size=3)),
)


@wires
@given(st.lists(MESSAGES, max_size=2 * PIECE), st.sampled_from(["off", "5m"]))
def test_a_conversation_that_grew_is_the_same_body_as_one_that_came_at_once(
    wire: str, talk: list[Message], cache: str
) -> None:
    settings = {"model": "m", **({"cache": cache} if wire == "messages" else {})}
    with remembering():
        for end in range(len(talk) + 1):
            grown = WIRES[wire].encode(Request(tuple(talk[:end])), settings)
            fresh = Request(tuple(replace(message) for message in talk[:end]))
            assert grown == WIRES[wire].encode(fresh, settings)
    assert json.loads(grown)
