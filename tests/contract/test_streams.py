"""The real client and streams over real sockets, with all that can happen to one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from harness.errors import Fault, LimitReached
from harness.models.connection import connect
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint
from harness.models.serving import served
from harness.models.wires.table import WIRES
from harness.types import Ending, Message, Reply, Request
from tests.contract.speaking import WHOLE, streamed
from tests.contract.test_wires import REPLY, said
from tests.e2e.endpoints import hang_up, whole

pytestmark = pytest.mark.anyio
ASK = Request((Message("user", "hi"),))
CUT, HANG = "cut", "hang"
Answer = Sequence[bytes | str]
wires = pytest.mark.parametrize("wire", WIRES)


class Speaker:
    """Streams each answer in turn, chunk by chunk, and the last of them ever after."""

    def __init__(self, *answers: Answer, kind: str = "text/event-stream", pause: float = 0) -> None:
        self.answers = list(answers)
        self.kind = kind
        self.pause = pause
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = json.loads(await whole(receive))
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append((scope["path"], headers, body))
        start = {"type": "http.response.start", "status": 200}
        await send({**start, "headers": [(b"content-type", self.kind.encode())]})
        for chunk in self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]:
            if chunk == CUT:
                hang_up(send)
                return
            if chunk == HANG:
                while (await receive())["type"] != "http.disconnect":
                    pass
                return
            assert isinstance(chunk, bytes)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(self.pause)
        with suppress(OSError):
            await send({"type": "http.response.body", "body": b""})


async def ask(app: Speaker, wire: str, **knobs: Any) -> Reply:
    async with served(app) as url:
        given = {"first_pause": 0.001, "attempts": 3, "stream": True, "wire": wire, **knobs}
        connection = connect("m", Endpoint(f"{url}/v1", "sk-secret-of-some-length"), Knobs(**given))
        try:
            return await connection.complete(ASK)
        finally:
            await connection.close()


def story(wire: str) -> list[bytes]:
    return streamed(wire, WHOLE[wire](REPLY))


@wires
async def test_a_stream_is_a_reply(wire: str) -> None:
    speaker = Speaker(story(wire))
    assert said(await ask(speaker, wire)) == said(REPLY)
    ((path, headers, body),) = speaker.asked
    assert path == f"/v1{WIRES[wire].PATH}" and body["stream"] is True
    assert headers["authorization"] == "Bearer sk-secret-of-some-length"
    assert headers.get("anthropic-version") == ("2023-06-01" if wire == "messages" else None)


@wires
async def test_an_answer_that_is_not_streamed_is_the_same_reply(wire: str) -> None:
    payload = json.dumps(WHOLE[wire](REPLY)).encode()
    for stream in (True, False):
        speaker = Speaker([payload], kind="application/json; charset=utf-8")
        assert said(await ask(speaker, wire, stream=stream)) == said(REPLY)


@wires
@pytest.mark.parametrize("chunks", [0, 1, 4])
@pytest.mark.parametrize("end", [[CUT], [], [b"data: [DONE]\n\n"]], ids=["cut", "ends", "done"])
async def test_a_stream_that_ends_early_is_asked_for_again_and_is_no_short_reply(
    wire: str, chunks: int, end: list[bytes | str]
) -> None:
    speaker = Speaker([*story(wire)[:chunks], *end], story(wire))
    assert said(await ask(speaker, wire)) == said(REPLY)
    assert len(speaker.asked) == 2


@wires
async def test_an_endpoint_whose_streams_are_always_cut_is_a_fault_of_the_model(wire: str) -> None:
    with pytest.raises(Fault, match="3 times"):
        await ask(Speaker([*story(wire)[:3], CUT]), wire)


@wires
async def test_an_error_in_a_stream_is_sorted_like_any_other(wire: str) -> None:
    def told(**error: Any) -> list[bytes]:
        event = json.dumps({"type": "error", "error": error})
        return [*story(wire)[:2], f"event: error\ndata: {event}\n\n".encode(), b"data: [DONE]\n\n"]

    died = told(message="EngineCore encountered an issue", type="InternalServerError", code=500)
    assert said(await ask(Speaker(died, story(wire)), wire)) == said(REPLY)
    with pytest.raises(LimitReached) as caught:
        await ask(Speaker(told(message="maximum context length is 8 tokens", code=400)), wire)
    assert caught.value.ending is Ending.CONTEXT


@wires
async def test_a_stream_that_falls_silent_is_given_up_and_asked_for_again(wire: str) -> None:
    speaker = Speaker([*story(wire)[:2], HANG], story(wire))
    assert said(await ask(speaker, wire, idle=0.3)) == said(REPLY)
    assert len(speaker.asked) == 2


async def test_a_stream_that_only_says_that_it_lives_is_waited_for() -> None:
    thinking = [b": keep-alive\n\n"] * 40
    told = story("messages")
    speaker = Speaker([*told[:1], *thinking, *told[1:]], pause=0.05)
    assert said(await ask(speaker, "messages", idle=1.5)) == said(REPLY)
    assert len(speaker.asked) == 1, "longer than idle all in all, and never silent"


async def test_a_reply_whose_usage_never_comes_has_its_tokens_estimated_and_says_so() -> None:
    told = [chunk for chunk in story("chat") if b'"choices": []' not in chunk]
    for answer in (told, told[:-1], [*told[:-1], CUT], [*told[:-1], HANG]):
        reply = await ask(Speaker(answer), "chat", idle=0.2)
        assert reply.message.calls == REPLY.message.calls and reply.finish == REPLY.finish
        assert reply.served["usage"] == "estimated" and reply.usage.usd is None
        assert reply.usage.fresh > 0 and reply.usage.output > 0


async def test_a_key_that_is_quoted_in_a_stream_is_taken_out() -> None:
    telling = [*pieces_of("sk-secret-of-some-length"), *story("chat")]
    reply = await ask(Speaker(telling), "chat")
    assert reply.message.content == "[key]Let us see."


def pieces_of(text: str) -> list[bytes]:
    chunks = [{"choices": [{"delta": {"content": letter}}]} for letter in text]
    return [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]


async def test_the_key_goes_where_the_knob_says() -> None:
    speaker = Speaker(story("messages"))
    await ask(speaker, "messages", auth="x-api-key")
    ((_, headers, _),) = speaker.asked
    assert headers["x-api-key"] == "sk-secret-of-some-length" and "authorization" not in headers
