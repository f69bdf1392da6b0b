"""The door: one HTTP server for a run, on a unix socket, with a token for each attempt under way.

It speaks to a program as the vendor's own API would, and to the endpoint with the program's own
bytes. What it adds is the meter, the trace, the name of the model and the key.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from harness.api import Endpoint, Hosting, WireName
from harness.meter import Meter
from harness.models.door import answers
from harness.models.door.bodies import Body
from harness.models.door.exchange import Exchange
from harness.models.door.guest import Guest
from harness.models.door.upstream import Upstream, passed_back
from harness.models.serving import served_at
from harness.trace import Journal

URL = "http://127.0.0.1:8377"
"""Where a box has the door."""
_TOKEN_PATH = re.compile(r"/as/([^/]+)(/.*)?")
_PATHS: Mapping[str, WireName] = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/messages": "messages",
}
_CHAT: WireName = "chat"
_COUNT = "/messages/count_tokens"
_BYTES_A_TOKEN = 4


class Door:
    """Open it in the loop of the run, with `to` as the way to a model for each attempt."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._guests: dict[str, Guest] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with served_at(self, self.path):
            yield

    def to(self, upstream: Upstream) -> Entrance:
        return Entrance(self, upstream)

    @asynccontextmanager
    async def holding(self, guest: Guest) -> AsyncIterator[str]:
        """A token that is the guest's for as long as the block lasts."""
        token = f"sk-{secrets.token_hex(24)}"
        self._guests[token] = guest
        try:
            yield token
        finally:
            del self._guests[token]
            await guest.leave()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        token, path = _addressed(request)
        guest = self._guests.get(token)
        try:
            answer = await _answer(request, guest, path)
        except (ClientDisconnect, ConnectionAbortedError):  # the one has left, or the other
            return
        except Exception as error:
            # A bug of ours is no answer of an endpoint's: it ends the attempt, and then the run.
            if guest:
                guest.ends(error)
            raise
        await answer(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Entrance:
    """The door, with the one model that attempts of a condition are led to."""

    door: Door
    upstream: Upstream

    @property
    def path(self) -> str:
        return self.door.path

    @asynccontextmanager
    async def admitted(
        self, scaffold: Hosting, meter: Meter, journal: Journal, /
    ) -> AsyncIterator[tuple[Guest, Endpoint]]:
        guest = Guest(self.upstream, scaffold.speech, meter, journal)
        async with self.door.holding(guest) as token:
            yield guest, Endpoint(URL, token, self.upstream.model)


async def _answer(request: Request, guest: Guest | None, path: str) -> Response:
    wire = next((w for start, w in _PATHS.items() if path.startswith(start)), _CHAT)
    if request.method == "HEAD":
        return Response(status_code=200)
    if guest is None:
        return _refusal(wire, 401, "this token is of no attempt that is under way")
    if request.method == "POST" and path in _PATHS:
        return await _called(request, guest, _PATHS[path])
    if request.method == "POST" and path == _COUNT:
        return await _counted(request, guest)
    if request.method == "GET" and path == "/models":
        return Response(answers.models(guest.upstream.model), media_type="application/json")
    said = {"note": "no_such_call", "method": request.method, "path": path[:200]}
    guest.journal.trace.emit("note", said)
    status = 405 if path in _PATHS else 404
    return _refusal(wire, status, f"the door answers no {request.method} {path[:200]}")


def _addressed(request: Request) -> tuple[str, str]:
    """The token of a request, from its path or its headers, and the path without `/v1`."""
    path, token = request.url.path, ""
    if found := _TOKEN_PATH.fullmatch(path):
        token, path = found[1], found[2] or "/"
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    token = token or request.headers.get("x-api-key") or bearer
    return token, re.sub(r"^(?:/v1)+(?=/)", "", path).rstrip("/")


async def _called(request: Request, guest: Guest, wire: WireName) -> Response:
    try:
        body = Body.read(await request.body())
    except (ValueError, RecursionError) as error:
        return _refusal(wire, 400, f"the body is no JSON object: {error}")
    headers = {k: v for k, v in request.headers.items() if k != "user-agent"}
    exchange = Exchange(guest, wire, body, headers, request.url.query)
    task = asyncio.create_task(exchange.run())
    guest.calls.add(task)
    task.add_done_callback(lambda done: _done(done, exchange))
    gone = asyncio.create_task(_gone(request))
    try:
        either: set[asyncio.Future[Any]] = {exchange.pipe.head, gone}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
    if not exchange.pipe.head.done():
        exchange.desert()
        raise ClientDisconnect
    head = exchange.pipe.head.result()
    passed = {k: v for k, v in head.headers.items() if k != "content-length"}
    return StreamingResponse(exchange.pipe.body(), head.status, headers=passed)


async def _gone(request: Request) -> None:
    """Until the program has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _done(task: asyncio.Task[None], exchange: Exchange) -> None:
    """Whether a call has ended, was cut off with its attempt, or met a bug of ours."""
    exchange.guest.calls.discard(task)
    if task.cancelled() or (error := task.exception()) is None:
        error = ConnectionAbortedError("the attempt is over")
    else:
        exchange.guest.ends(error)
    exchange.pipe.abandon(error)


async def _counted(request: Request, guest: Guest) -> Response:
    """How many tokens a request has: the endpoint's word, or an estimate where it has none."""
    raw = await request.body()
    try:
        body = Body.read(raw).with_fields({"model": guest.upstream.model})
        path = f"{_COUNT}?{request.url.query}" if request.url.query else _COUNT
        answer = await guest.upstream.send(path, body, dict(request.headers))
        if answer.status_code == 200:
            return Response(answer.content, 200, passed_back(answer.headers))
    except (ValueError, httpx2.HTTPError):
        pass
    estimate = json.dumps({"input_tokens": len(raw) // _BYTES_A_TOKEN})
    return Response(estimate, media_type="application/json")


def _refusal(wire: WireName, status: int, message: str) -> Response:
    body = answers.error(wire, status, message, "invalid_request_error")
    return Response(body, status, answers.NEVER_AGAIN)
