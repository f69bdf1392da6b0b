"""One endpoint being asked: plain requests, so that what it really says is seen. [httpx2]"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import httpx2

from harness.errors import UsageError
from harness.models.openai import Endpoint, unkeyed
from harness.models.trouble import Trouble, inside, nobody, sort, words
from harness.models.wires import chat
from harness.models.wires.reading import NotAReply
from harness.models.wires.sse import Event, Parser
from harness.types import Reply

PATIENCE = 300.0
"""Seconds for one answer: a model may think, and a server may have to load it."""

Word: TypeAlias = Literal["yes", "no", "unclear"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one question came to."""

    question: str
    answer: Word
    said: str
    """In words, with the figures."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came, whatever it was."""

    status: int
    headers: Mapping[str, str]
    text: str
    seconds: float

    @property
    def payload(self) -> Any:
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None

    @property
    def trouble(self) -> Trouble | None:
        """The error that it is, sorted as a run would sort it; None for an answer."""
        if self.status == 200:
            return inside(self.payload, self.headers)
        return sort(self.status, self.headers, self.text)

    @property
    def reply(self) -> Reply | None:
        if self.trouble:
            return None
        try:
            return chat.decode(self.payload)
        except NotAReply:
            return None

    @property
    def complaint(self) -> str:
        return words(self.text)[:160]


@dataclass(frozen=True, slots=True)
class Streamed:
    """A stream as it came, with the moments (seconds since the request) of its first and last."""

    status: int
    events: tuple[Event, ...]
    text: str
    first: float
    last: float


class Asker:
    """Asks one model at one endpoint. What it brings back never holds the key."""

    def __init__(self, model: str, endpoint: Endpoint) -> None:
        self.model = model
        self.endpoint = endpoint
        self.cap = "max_tokens"
        """The field that bounds an answer here."""
        self.room = 96
        """Tokens for an answer to a plain question."""
        self._http = httpx2.AsyncClient(timeout=PATIENCE)

    async def __aenter__(self) -> Asker:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str) -> Answer:
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any] | bytes, key: str = "") -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self._ask("POST", path, data, key)

    async def chat(self, said: str | list[dict[str, Any]], most: int = 64, **more: Any) -> Answer:
        """One call of Chat Completions, of at most so many tokens of answer."""
        return await self.post("/chat/completions", self.body(said, most, **more))

    def body(self, said: str | list[dict[str, Any]], most: int, **more: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
        return {"model": self.model, "messages": messages, self.cap: most, **more}

    async def stream(self, body: Mapping[str, Any]) -> Streamed:
        parser, events, started = Parser(), [], time.monotonic()
        text, first, last = b"", 0.0, 0.0
        try:
            answer = await self._begun(body)
            async for chunk in answer.aiter_bytes():
                last = time.monotonic() - started
                first = first or last
                text += chunk
                events += parser.feed(chunk)
            await answer.aclose()
        except httpx2.HTTPError as error:
            raise self._silent(error) from error
        events += parser.close()
        said = self._unkeyed(text.decode(errors="replace"))
        return Streamed(answer.status_code, tuple(events), said, first, last)

    async def begun(self, body: Mapping[str, Any]) -> Answer:
        """A refusal as it is said; of anything else the beginning, and then we hang up."""
        try:
            answer = await self._begun(body)
            try:
                told = b"{}" if answer.status_code == 200 else await answer.aread()
            finally:
                await answer.aclose()
        except httpx2.HTTPError as error:
            return Answer(0, {}, self._unkeyed(f"hung up: {error}"), 0.0)
        text = self._unkeyed(told.decode(errors="replace"))
        return Answer(answer.status_code, {}, text, 0.0)

    async def _begun(self, body: Mapping[str, Any]) -> httpx2.Response:
        request = self._http.build_request(
            "POST", self._url("/chat/completions"), json=body, headers=self._headers("")
        )
        return await self._http.send(request, stream=True)

    async def _ask(self, method: str, path: str, data: bytes | None, key: str = "") -> Answer:
        started = time.monotonic()
        try:
            answer = await self._http.request(
                method, self._url(path), content=data, headers=self._headers(key)
            )
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError) as error:
            # Some servers hang up where others say what they dislike.
            return Answer(0, {}, f"hung up: {error}", time.monotonic() - started)
        except httpx2.HTTPError as error:
            raise self._silent(error) from error
        headers = {name.lower(): value for name, value in answer.headers.items()}
        seconds = time.monotonic() - started
        text = self._unkeyed(answer.content.decode(errors="replace"))
        return Answer(answer.status_code, headers, text, seconds)

    def _url(self, path: str) -> str:
        return self.endpoint.base_url.rstrip("/") + path

    def _headers(self, key: str) -> dict[str, str]:
        told = key or self.endpoint.api_key or "none"
        return {"Authorization": f"Bearer {told}", "Content-Type": "application/json"}

    def _unkeyed(self, text: str) -> str:
        return unkeyed(text, self.endpoint.api_key)

    def _silent(self, error: Exception) -> UsageError:
        said = self._unkeyed(str(error) or type(error).__name__)
        return nobody(self.endpoint.base_url, said)
