"""The endpoint under test, asked with a program's own bytes. [httpx2]"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import httpx2

from harness.errors import UsageError
from harness.models.hire import Hire, Share
from harness.models.keys import Kept
from harness.models.knobs import Knobs
from harness.models.line import Line, pool_of
from harness.models.openai import Endpoint, EndpointRefused, counted, http, unkeyed
from harness.models.pool import Seat
from harness.models.prices import Quote, Tariff
from harness.models.retrying import Transient
from harness.models.trouble import Trouble, inside, nobody, sort, words
from harness.models.wires.reading import NotAReply, Wire, payload_of
from harness.models.wires.sse import Event, Parser
from harness.models.wires.table import WIRES
from harness.types import Reply, Usage

_OURS = {
    *("host", "content-length", "connection", "transfer-encoding", "accept-encoding", "te"),
    *("authorization", "x-api-key", "x-goog-api-key", "keep-alive", "upgrade", "trailer"),
    *("proxy-authorization", "proxy-connection", "expect"),
}
"""Headers that are between two machines, or hold a key: they are not passed on."""
_NOT_SPOKEN = (404, 405, 501)
_CONNECT_SECONDS = 30.0
_BYTES_A_TOKEN = 4
_COMMENTS = re.compile(rb"(?:(?::[^\r\n]*)?(?:\r\n|\n|\r))*")


@dataclass(slots=True)
class Answer:
    """A response that has begun: its events so far, and the bytes that they came in."""

    response: httpx2.Response
    first: bytes = b""
    events: list[Event] = field(default_factory=list)
    chunks: AsyncIterator[bytes] | None = None
    parser: Parser | None = None
    """Of a stream; None where the body is one JSON."""


class Way(Protocol):
    """The way back to whoever asked, while there is no answer yet."""

    async def alive(self, answer: Answer, comments: bytes) -> None:
        """The endpoint says, in comments that are no event, that it is at work."""
        ...

    def sent(self) -> None:
        """A try is at the endpoint."""
        ...

    def troubled(self, why: str) -> None:
        """It has failed, and there will be another, or there will not."""
        ...


class Refused(Exception):
    """The endpoint said no to this request, and another try of it would fare no better."""

    def __init__(self, trouble: Trouble, response: httpx2.Response, body: bytes) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble
        self.status = max(response.status_code, 400)
        self.headers = passed_back(response.headers)
        self.body = body


class Upstream:
    """One model at one endpoint. Close it in the loop that used it."""

    Broken = httpx2.HTTPError
    """What a connection raises that fails in the middle of an answer."""

    def __init__(
        self,
        model: str,
        endpoint: Endpoint,
        knobs: Knobs,
        line: Line | None = None,
        hire: Hire | None = None,
    ) -> None:
        self.model = model
        self.hire = hire
        self.base_url = endpoint.base_url.rstrip("/")
        self.tariff = Tariff(self.base_url, model, knobs.prices())
        self.quote = Quote(self.tariff, knobs.max_completion_tokens or knobs.max_tokens)
        self.idle = knobs.idle
        self._line = line or Line(pool_of(endpoint), knobs)
        self.knobs = knobs
        self._keys = [Kept(key) for key in endpoint.all_keys]
        self._client = http(httpx2.Timeout(knobs.timeout, connect=_CONNECT_SECONDS))

    async def close(self) -> None:
        await self._client.aclose()

    async def speaks(self, wire: str, whom: str) -> None:
        """UsageError where the endpoint plainly does not know the wire of a program."""
        try:
            answer = await self._client.post(
                f"{self.base_url}{WIRES[wire].PATH}", content=b"{}", headers=self._headers({}, 0)
            )
        except httpx2.HTTPError as error:
            raise nobody(self.base_url, str(error)) from None
        if answer.status_code in _NOT_SPOKEN:
            raise UsageError(
                f"{whom} speaks the {wire} wire, and {self.base_url} has no {WIRES[wire].PATH} "
                f"(HTTP {answer.status_code}); nothing is translated here: name an endpoint that "
                "has it, or put a LiteLLM proxy before this one"
            )

    async def send(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
        """One whole exchange, tried once."""
        return await self._client.post(
            self.base_url + path, content=body, headers=self._headers(headers, 0)
        )

    def asking(
        self, path: str, body: bytes, headers: Mapping[str, str], way: Way
    ) -> AbstractAsyncContextManager[Answer]:
        """An answer whose first bytes are good, tried with patience, or Refused.

        It has its seat at the endpoint until the block ends.
        """

        async def begin(seat: Seat) -> Answer:
            return await self._keys[seat.at].using(lambda: once(seat), EndpointRefused)

        async def once(seat: Seat) -> Answer:
            way.sent()
            try:
                return await self._begin(path, body, headers, seat, way)
            except (Transient, EndpointRefused) as trouble:
                way.troubled(str(trouble))
                raise

        return self._line.asking(begin, len(body) // _BYTES_A_TOKEN + 1)

    async def _begin(
        self, path: str, body: bytes, headers: Mapping[str, str], seat: Seat, way: Way
    ) -> Answer:
        request = self._client.build_request(
            "POST", self.base_url + path, content=body, headers=self._headers(headers, seat.at)
        )
        try:
            response = await self._client.send(request, stream=True)
            try:
                return await self._begun(response, seat, way)
            except BaseException:
                await response.aclose()
                raise
        except TimeoutError:
            raise Transient(f"{self.base_url}: silent for {self.idle:g} seconds") from None
        except httpx2.HTTPError as error:
            told = self.unkeyed(f"{type(error).__name__}: {error}")
            raise Transient(f"{self.base_url}: {words(told)}") from None

    async def _begun(self, response: httpx2.Response, seat: Seat, way: Way) -> Answer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        seat.told(headers)
        if response.status_code != 200:
            body = await response.aread()
            text = self.unkeyed(body.decode(errors="replace"))
            self._meet(sort(response.status_code, headers, text), response, text.encode())
        if "text/event-stream" not in headers.get("content-type", ""):
            return await self._whole(response, headers)
        answer = Answer(response, chunks=response.aiter_bytes(), parser=Parser())
        while not answer.events:
            chunk = await self.next(answer)
            if chunk is None:
                raise Transient(f"{self.base_url}: the stream ended before it began")
            answer.first += chunk
            if not answer.events:
                alive, answer.first = comments(answer.first)
                await way.alive(answer, alive)
        for event in answer.events:
            said = _object(event)
            if trouble := inside(said, headers):
                self._meet(trouble, response, json.dumps(said).encode())
        return answer

    async def _whole(self, response: httpx2.Response, headers: Mapping[str, str]) -> Answer:
        body = await response.aread()
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            raise Transient(f"{self.base_url}: an answer that is not JSON") from None
        if trouble := inside(payload, headers):
            self._meet(trouble, response, self.unkeyed(body.decode(errors="replace")).encode())
        return Answer(response, body)

    async def next(self, answer: Answer) -> bytes | None:
        """The next bytes of a stream, their events added to the answer's; None at its end."""
        assert answer.chunks and answer.parser
        async with asyncio.timeout(self.idle):
            chunk = await anext(answer.chunks, None)
        answer.events += answer.parser.close() if chunk is None else answer.parser.feed(chunk)
        return chunk

    def read(self, wire: Wire, payload: Any, body: bytes) -> Reply:
        """What an answer comes to: the reply with its tokens, its dollars and their source."""
        reply = wire.decode(payload)
        usd, source = self.tariff.priced(reply.usage, reply.served.get("model", ""))
        served = {**reply.served, "price_source": source}
        return counted(replace(reply, usage=replace(reply.usage, usd=usd), served=served), body)

    def priced(self, usage: Usage, share: Share | None) -> Usage:
        """Tokens that nobody has priced, as a whole answer of so many would be."""
        if share is None:
            return replace(usage, usd=self.tariff.priced(usage)[0])
        return share.borne(usage)

    def unkeyed(self, text: str) -> str:
        for key in self._keys:
            text = unkeyed(text, key.text)
        return text

    def _headers(self, headers: Mapping[str, str], at: int) -> dict[str, str]:
        passed = {k: v for k, v in headers.items() if k.lower() not in _OURS}
        own = {"content-type": "application/json", "accept-encoding": "identity"}
        return {
            "anthropic-version": "2023-06-01",
            **passed,
            **own,
            **self._auth(self._keys[at].text),
        }

    def _auth(self, key: str) -> dict[str, str]:
        of_anthropic = (httpx2.URL(self.base_url).host or "").endswith("anthropic.com")
        if not key:
            return {}
        if self.knobs.auth == "x-api-key" or (self.knobs.auth == "auto" and of_anthropic):
            return {"x-api-key": key}
        return {"authorization": f"Bearer {key}"}

    def _meet(self, trouble: Trouble, response: httpx2.Response, body: bytes) -> None:
        match trouble.kind:
            case "transient":
                raise Transient(trouble.message, trouble.retry_after, crowded=trouble.crowded)
            case "refused":
                raise EndpointRefused(f"{self.base_url} refuses: {trouble.message}")
            case "overflow" | "refusal" | "setting" | "broken":
                raise Refused(trouble, response, body)


def comments(begun: bytes) -> tuple[bytes, bytes]:
    """The whole comments and empty lines that a stream begins with, and what comes after them."""
    found = _COMMENTS.match(begun)
    end = found.end() if found else 0
    return begun[:end], begun[end:]


def passed_back(headers: Mapping[str, str]) -> dict[str, str]:
    """What a program may know of the response's headers; what has been undone is not among it."""
    hidden = {*_OURS, "content-encoding", "set-cookie", "server", "date", "alt-svc"}
    return {k.lower(): v for k, v in headers.items() if k.lower() not in hidden}


def _object(event: Event) -> Mapping[str, Any]:
    try:
        said = dict(payload_of(event) or {})
    except NotAReply:
        return {}
    wrapped = event.name == "error" or said.get("type") == "error"
    return {"error": said.get("error") or said} if wrapped else said
