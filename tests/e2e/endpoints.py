"""Endpoints in a thread of the test, which outlive every run that asks them, or do not."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.models.serving import served


class Server:
    """An application on one port, that can be stopped and started again there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._port = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        ready, self._stop = threading.Event(), threading.Event()

        async def serve() -> None:
            async with served(self._app, self._port) as url:
                self._port = int(url.rpartition(":")[2])
                ready.set()
                await asyncio.to_thread(self._stop.wait)

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()))
        self._thread.start()
        assert ready.wait(60)

    def stop(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()


@contextmanager
def serving(app: ASGIApp) -> Iterator[Server]:
    server = Server(app)
    try:
        yield server
    finally:
        server.stop()


def is_a_call(scope: Scope) -> bool:
    return bool(scope["type"] == "http" and scope["path"].endswith("/chat/completions"))


async def answer(send: Send, status: int, body: bytes, **headers: str) -> None:
    told = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})


class Script:
    """A model that gives these commands in turn and then submits, whoever asks and however often.

    Which turn it is it reads from the conversation, so that it continues any try of any attempt.
    `SEED` in a command is the request's, which is the attempt's own.
    """

    def __init__(self, commands: Sequence[str]) -> None:
        self.commands = list(commands)
        self.asked: Counter[int] = Counter()
        """How often each turn was asked for."""
        self.on_call: Callable[[int], None] = lambda calls: None
        """Told of each call, numbered from 1, before it is answered."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_a_call(scope):
            await answer(send, 200, b'{"object": "list", "data": []}', content_type=_JSON)
            return
        body = json.loads(await whole(receive))
        if "messages" not in body:
            await answer(send, 400, b'{"error": "messages is required"}', content_type=_JSON)
            return
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        self.asked[turn] += 1
        await asyncio.to_thread(self.on_call, self.asked.total())
        command = self.commands[turn] if turn < len(self.commands) else "submit"
        told = _reply(turn, command.replace("SEED", str(body.get("seed", 0))))
        await answer(send, 200, json.dumps(told).encode(), content_type=_JSON)


_JSON = "application/json"


def _reply(turn: int, command: str) -> dict[str, Any]:
    function = {"name": "bash", "arguments": json.dumps({"command": command})}
    calls = [{"id": f"call_{turn}", "type": "function", "function": function}]
    return {
        "id": f"reply-{turn}",
        "object": "chat.completion",
        "model": "scripted",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "", "tool_calls": calls},
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
    }


async def whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


Spoiling = Callable[[ASGIApp, Scope, Receive, Send], Awaitable[None]]


class Spoilt:
    """An endpoint of which a share of the answers, drawn by seed, go wrong in one way."""

    def __init__(self, inner: ASGIApp, how: Spoiling, *, share: float = 0.2, seed: int = 1) -> None:
        self._inner = inner
        self._how = how
        self._share = share
        self._draw = random.Random(seed)
        self.spoilt = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_a_call(scope) and self._draw.random() < self._share:
            self.spoilt += 1
            await self._how(self._inner, scope, receive, send)
        else:
            await self._inner(scope, receive, send)


def status(code: int, body: bytes, **headers: str) -> Spoiling:
    async def spoil(inner: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await whole(receive)
        await answer(send, code, body, **headers)

    return spoil


async def reset(inner: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Take the question and hang up, as a proxy does that is restarted."""
    await whole(receive)
    hang_up(send)


async def stall(inner: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Begin an answer, and never say another word until the client has had enough."""
    await whole(receive)
    headers = [(b"content-type", _JSON.encode()), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"id": ', "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


async def half(inner: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The first half of the true answer, sent as though it were all."""
    body = await _true_answer(inner, scope, receive)
    await answer(send, 200, body[: len(body) // 2], content_type=_JSON)


async def cut_off(inner: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The first half of the true answer, and then no connection."""
    body = await _true_answer(inner, scope, receive)
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    hang_up(send)


async def _true_answer(inner: ASGIApp, scope: Scope, receive: Receive) -> bytes:
    said: list[Message] = []

    async def keep(message: Message) -> None:
        said.append(message)

    await inner(scope, receive, keep)
    return b"".join(message.get("body", b"") for message in said)


def hang_up(send: Any) -> None:
    """ASGI has no word for it: uvicorn's own cycle, behind `send`, holds the connection."""
    transport = send.__self__.transport
    abruptly = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, abruptly)
    transport.abort()
