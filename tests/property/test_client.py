"""The real client against a real server whose bodies are hostile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from harness.errors import Fault, LimitReached, UsageError
from harness.models.connection import Connection, connect
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint, preflight
from harness.models.retrying import Transient
from harness.models.serving import served
from harness.types import Message, Reply, Request
from tests.property.hostile import DEEP, GOOD, HUGE, PAYLOADS, mutated, nested, one_line, share

KEY = "sk-canary/0123456789"
ASK = Request((Message("user", "hi"),))


class Server:
    """Answers with the one body that it is given."""

    def __init__(self) -> None:
        self.body = b""
        self.status = 200

    async def answer(self, request: HttpRequest) -> Response:
        return Response(self.body, self.status, media_type="application/json")


@contextmanager
def asking() -> Iterator[Any]:
    """A function that has the endpoint say something, and returns what becomes of it."""
    server = Server()
    app = Starlette(routes=[Route("/{path:path}", server.answer, methods=["GET", "POST"])])

    async def ask(connection: Connection, body: bytes, status: int) -> Reply | str:
        server.body, server.status = body, status
        try:
            return await connection.calls[0].complete(ASK)
        except (Transient, Fault, LimitReached, UsageError) as error:
            return str(error)

    with asyncio.Runner() as runner:
        door = served(app)
        endpoint = Endpoint(f"{runner.run(door.__aenter__())}/v1", KEY)
        connection = connect("m", endpoint, Knobs())
        try:
            yield lambda body, status=200: runner.run(ask(connection, body, status))
        finally:
            runner.run(connection.close())
            runner.run(door.__aexit__(None, None, None))


STATUSES = st.sampled_from([200, 200, 200, 400, 401, 404, 413, 429, 500, 503])
BODIES = st.one_of(
    st.one_of(PAYLOADS, mutated()).map(lambda payload: json.dumps(payload).encode()), st.binary()
)


def test_any_body_is_a_reply_or_one_line_of_trouble() -> None:
    with asking() as ask:

        @share(3)
        @given(BODIES, STATUSES)
        def each(body: bytes, status: int) -> None:
            found = ask(body, status)
            assert isinstance(found, Reply) or one_line(found)

        each()


def completion(**message: Any) -> bytes:
    whole = json.loads(json.dumps(GOOD))
    whole["choices"][0]["message"] |= message
    return json.dumps(whole).encode()


def calling(arguments: str, times: int = 1) -> bytes:
    call = {"id": "a", "function": {"name": "bash", "arguments": arguments}}
    return completion(tool_calls=[call] * times)


@pytest.mark.parametrize(
    ("body", "calls"),
    [
        (calling(json.dumps({"command": "x" * HUGE})), 1),
        (calling("{}", times=1000), 1000),
        (calling(nested(DEEP)), 1),
        (calling("\0\ud800"), 1),
        (b"[" * DEEP, None),
        (b'{"error":' + b"[" * 980 + b"]" * 980 + b"}", None),
        (b'{"error":{"message":"\\ud800\\u0000\\u001b[2J","code":"\xc2\xb2"}}', None),
        (b'{"usage":' + b"9" * 5000 + b"}", None),
        (b"\xff\xfe{", None),
        (b"", None),
        (b"x" * HUGE, None),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_depth_and_size_are_no_crash(body: bytes, calls: int | None) -> None:
    with asking() as ask:
        for status in (200, 400, 500):
            found = ask(body, status)
            if status == 200 and calls:
                assert isinstance(found, Reply) and len(found.message.calls) == calls
            else:
                assert isinstance(found, Reply) or one_line(found)


ECHOES = [
    f"Authorization: Bearer {KEY}",
    json.dumps({"error": {"message": f"bad key {KEY}"}}),
    json.dumps({"error": {"message": "x" * 390 + KEY}}),
    json.dumps({"error": {"message": f"bad key {KEY}"}}).replace("/", "\\/"),
    json.dumps({"error": "\n".join([*["x" * 30] * 12, KEY])}),
    json.dumps({"detail": [{"headers": {"authorization": f"Bearer {KEY}"}}]}),
    json.dumps({"choices": [{"massage": KEY}]}),
    json.dumps({**GOOD, "provider": KEY, "model": f"m?key={KEY}"}),
    completion(content=f"You sent {KEY}.").decode(),
    completion(refusal="no", content=KEY).decode(),
]


@pytest.mark.parametrize("echo", ECHOES)
def test_a_key_that_the_endpoint_quotes_back_is_taken_out(echo: str) -> None:
    with asking() as ask:
        for status in (200, 400, 401, 404, 429, 500):
            found = repr(ask(echo.encode(), status))
            assert KEY not in found and KEY[:12] not in found


def test_a_short_key_is_a_word_like_others_in_a_reply_and_hidden_in_an_error() -> None:
    body = {"error": {"message": "no such key lm-studio"}}
    server = Server()
    app = Starlette(routes=[Route("/{path:path}", server.answer, methods=["GET", "POST"])])

    async def both() -> tuple[Reply, str]:
        async with served(app) as url:
            connection = connect("m", Endpoint(f"{url}/v1", "lm-studio"), Knobs())
            try:
                server.body = completion(content="start lm-studio")
                reply = await connection.calls[0].complete(ASK)
                server.status, server.body = 400, json.dumps(body).encode()
                with pytest.raises(Fault) as caught:
                    await connection.calls[0].complete(ASK)
                return reply, str(caught.value)
            finally:
                await connection.close()

    reply, said = asyncio.run(both())
    assert reply.message.content == "start lm-studio"
    assert "lm-studio" not in said


@pytest.mark.parametrize("key", ["sk-canary\n", "sk canary", "sk-cänary", "\0"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    with pytest.raises(UsageError, match="no header can carry") as caught:
        connect("m", Endpoint("http://127.0.0.1:9/v1", key), Knobs())
    assert one_line(str(caught.value)) and key not in str(caught.value)
    with pytest.raises(UsageError, match="no header can carry"):
        asyncio.run(preflight(Endpoint("http://127.0.0.1:9/v1", key)))
