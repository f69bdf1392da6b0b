"""A model at an endpoint, through the openai package. The only module that knows it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast
from urllib.request import getproxies

import httpx2
import openai

from harness.errors import Fault, LimitReached, UsageError
from harness.hearing import UNHEARD
from harness.models.keys import Kept, Key
from harness.models.knobs import Knobs
from harness.models.prices import Tariff
from harness.models.remains import so_far
from harness.models.retrying import Transient
from harness.models.transport import HUNG_UP, Transport
from harness.models.trouble import Trouble, inside, nobody, sort, words
from harness.models.wires import messages
from harness.models.wires.reading import Cut, Fold, NotAReply
from harness.models.wires.sse import Event, Parser
from harness.types import Ending, Message, Reply, Request, Usage

_NO_KEY = "none"
_SECRET_CHARS = 16
_ERROR_CHARS = 100_000
_BYTES_A_TOKEN = 4
_SHORTER = "give the model a smaller max_tokens=.. (or max_completion_tokens=..), or none"
_LAST_WORDS = 30.0
"""For so many seconds a stream whose reply is complete may think about its usage."""


class EndpointRefused(UsageError):
    """Key, credit or model name: no call would fare better now, whatever it asks."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model is, and by whose key, or by whose keys in turn."""

    base_url: str
    api_key: str
    keys: tuple[Key, ...] = ()
    """All of them, where there are several or they may change."""

    @property
    def all_keys(self) -> tuple[Key, ...]:
        return self.keys or (Key(self.api_key),)

    def client(self, timeout: float, key: str, *, retries: int = 0) -> openai.AsyncOpenAI:
        """UsageError for a key that no header can carry; it is not shown."""
        if not re.fullmatch(r"[!-~]*", key):
            raise UsageError(
                f"the key for {self.base_url} holds a blank, a line end or a character outside "
                "ASCII, which no header can carry; set it again without"
            )
        return openai.AsyncOpenAI(
            base_url=self.base_url,
            api_key=key or _NO_KEY,
            max_retries=retries,
            timeout=timeout,
            http_client=http(timeout),
        )


def http(timeout: float | httpx2.Timeout) -> httpx2.AsyncClient:
    """A client for any number of calls at a time."""
    # A transport of our own would go past the proxies that the environment names.
    own = None if getproxies() else Transport(httpx2.create_ssl_context())
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    return openai.DefaultAsyncHttpxClient(timeout=timeout, limits=limits, transport=own)


def unkeyed(text: str, key: str, *, least: int = 4) -> str:
    """What an endpoint said, without the key: there are servers that quote our headers back.

    Keys shorter than `least` are no secrets.
    """
    if key == _NO_KEY or len(key) < least:
        return text
    escaped = json.dumps(key)[1:-1]
    for spelling in (key, escaped, escaped.replace("/", "\\/")):
        text = text.replace(spelling, "[key]")
    return text


Hearing: TypeAlias = Callable[[Mapping[str, str]], None]


def ignore(_: Mapping[str, str]) -> None:
    """For a call in no pool."""


class Call:
    """One call over a wire: no retries, no budget, no trace; those are layers above."""

    def __init__(self, client: openai.AsyncOpenAI, key: Key, model: str, knobs: Knobs) -> None:
        self.client = client
        self._key = Kept(key)
        self.tariff = Tariff(str(client.base_url), model, knobs.prices())
        self._knobs = knobs
        self._wire = knobs.protocol
        self._settings = knobs.settings(model)
        self._headers = headers(client, knobs)

    async def complete(self, request: Request, hear: Hearing = ignore) -> Reply:
        """The reply; `hear` is told the headers of whatever answer comes."""
        return await self._key.using(lambda: self._asked(request, hear), EndpointRefused)

    async def _asked(self, request: Request, hear: Hearing) -> Reply:
        if self._key.text and self._key.text != self.client.api_key:
            self.client.api_key = self._key.text
            self._headers = headers(self.client, self._knobs)
        body, seen = self._wire.encode(request, self._settings), list[Event]()
        with self._counting(body, seen):
            return await self._answered(body, seen, hear)

    @contextmanager
    def _counting(self, body: bytes, seen: list[Event]) -> Iterator[None]:
        """Tell what a call has come to that breaks off when the endpoint is at work on it."""
        try:
            yield
        except asyncio.CancelledError:
            UNHEARD.tell(self._so_far(body, seen))
            raise
        except Transient as trouble:
            if seen or isinstance(trouble.__cause__, openai.APITimeoutError):
                UNHEARD.tell(replace(self._so_far(body, seen), calls=0))
            raise

    def _so_far(self, body: bytes, seen: list[Event]) -> Usage:
        knobs = self._knobs
        most = 0 if knobs.stream else knobs.max_completion_tokens or knobs.max_tokens or 0
        usage = so_far(self._wire, seen, body, most)
        return replace(usage, usd=self.tariff.priced(usage)[0])

    async def _answered(self, body: bytes, seen: list[Event], hear: Hearing) -> Reply:
        try:
            answer = await self._post(body)
            said = _lower(answer.headers)
            hear(said)
            text = await self._text(answer, seen)
        except openai.APIStatusError as error:
            said = _lower(error.response.headers)
            hear(said)
            text = self._unkeyed(error.response.text or str(error.body or ""))[:_ERROR_CHARS]
            return self._meet(sort(error.status_code, said, text))
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            cause = error.__cause__ or error
            told = self._unkeyed(f"{type(cause).__name__}: {cause}")
            raise Transient(f"{self.client.base_url}: {words(told)}") from error
        return counted(self._read(said, text), body)

    async def _post(self, body: bytes) -> httpx2.Response:
        """An answer of status 200. A connection that was closed under us is not held against it.

        Some servers hang up after a stream without saying so; they have not seen the request.
        """
        try:
            return await self._once(body)
        except openai.APIConnectionError as error:
            if HUNG_UP not in str(error.__cause__):
                raise
        return await self._once(body)

    async def _once(self, body: bytes) -> httpx2.Response:
        answer = await self.client.post(
            self._wire.PATH,
            cast_to=httpx2.Response,
            content=body,
            options={"headers": self._headers},
            stream=self._knobs.stream,
            stream_cls=openai.AsyncStream[Any],
        )
        return cast(httpx2.Response, answer)

    async def _text(self, answer: httpx2.Response, seen: list[Event]) -> str:
        """The body; of a stream, the body that it stands for."""
        if not self._knobs.stream:
            return answer.content.decode("utf-8-sig", errors="replace")
        try:
            if "application/json" in answer.headers.get("content-type", ""):
                return (await answer.aread()).decode("utf-8-sig", errors="replace")
            return json.dumps(await folded(self._wire.Fold(), answer, self._knobs.idle, seen))
        except (NotAReply, RecursionError) as error:
            raise Transient(self._unkeyed(f"{self.client.base_url}: {error}")) from None
        finally:
            await answer.aclose()

    def _read(self, headers: Mapping[str, str], said: str) -> Reply:
        try:
            # Short keys may be words that an honest reply has a use for.
            payload = json.loads(self._unkeyed(said, least=_SECRET_CHARS))
            if trouble := inside(payload, headers):
                return self._meet(trouble)
            reply = self._wire.decode(payload)
        except (ValueError, RecursionError) as error:
            # Half a JSON, an HTML page: something between us is unwell.
            shown = words(self._unkeyed(said)[:_ERROR_CHARS])
            why = self._unkeyed(str(error))
            raise Transient(f"unreadable answer ({why}): {shown}") from None
        return self._priced(reply)

    def _unkeyed(self, text: str, *, least: int = 4) -> str:
        return unkeyed(text, self.client.api_key, least=least)

    def _priced(self, reply: Reply) -> Reply:
        """The reply with its dollars, and among what is said of it, where their price is from."""
        usd, source = self.tariff.priced(reply.usage, reply.served.get("model", ""))
        return replace(
            reply,
            usage=replace(reply.usage, usd=usd),
            served={**reply.served, "price_source": source},
        )

    def _meet(self, trouble: Trouble) -> Reply:
        said = self._unkeyed(trouble.message)
        match trouble.kind:
            case "transient":
                raise Transient(said, trouble.retry_after, crowded=trouble.crowded)
            case "overflow":
                raise LimitReached(Ending.CONTEXT)
            case "refused":
                raise EndpointRefused(f"{self.client.base_url} refuses: {said}")
            case "setting":
                raise UsageError(f"{self.client.base_url}: {said}; {_SHORTER}")
            case "refusal":
                return Reply(Message("assistant", said), Usage(1, usd=None), "refusal")
            case "broken":
                raise Fault("model", said)


def headers(client: openai.AsyncOpenAI, knobs: Knobs) -> dict[str, str | openai.Omit]:
    """What each request says besides its body: above all, whose key it is."""
    said: dict[str, str | openai.Omit] = {"Content-Type": "application/json"}
    if knobs.wire == "messages":
        said["anthropic-version"] = messages.VERSION
    if knobs.auth == "x-api-key" or (knobs.auth == "auto" and _of_anthropic(client)):
        said |= {"x-api-key": client.api_key, "Authorization": openai.Omit()}
    return said


def _of_anthropic(client: openai.AsyncOpenAI) -> bool:
    return (client.base_url.host or "").endswith("anthropic.com")


async def folded(
    fold: Fold, answer: httpx2.Response, idle: float, seen: list[Event]
) -> dict[str, Any]:
    """The response that a stream amounts to, its events added to `seen` as they come.

    Cut where it ends, or falls silent, too early. What goes wrong once the reply is complete takes
    nothing from it but its usage.
    """
    parser, chunks = Parser(), answer.aiter_bytes()
    closed = False
    try:
        while not closed:
            async with asyncio.timeout(min(idle, _LAST_WORDS) if fold.done else idle):
                chunk = await anext(chunks, None)
            told = parser.close() if chunk is None else parser.feed(chunk)
            seen += told
            for event in told:
                fold.add(event)
            closed = chunk is None
    except TimeoutError:
        if not fold.done:
            raise Cut(f"the stream was silent for {idle:g} seconds") from None
    except httpx2.HTTPError:
        if not fold.done:
            raise
    return fold.whole()


def counted(reply: Reply, body: bytes) -> Reply:
    """The reply with its tokens. Where the endpoint counted none they are estimated, and said so.

    A limit in tokens must hold there too. There is no price for what was not counted.
    """
    if reply.usage.tokens:
        return reply
    said = reply.message
    written = [said.content, said.reasoning or "", *(call.arguments for call in said.calls)]
    estimate = replace(
        reply.usage,
        fresh=len(body) // _BYTES_A_TOKEN,
        output=sum(len(part.encode()) for part in written) // _BYTES_A_TOKEN,
        usd=None,
    )
    return replace(reply, usage=estimate, served={**reply.served, "usage": "estimated"})


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


async def preflight(endpoint: Endpoint) -> None:
    """Ask for the list of models: UsageError where nobody answers or a key is refused.

    An endpoint that has no such list may still be a good one; only a plain no stops us.
    """
    for key in endpoint.all_keys:
        await _asked_with(endpoint, key)


def _asking(client: openai.AsyncOpenAI) -> dict[str, str | openai.Omit]:
    return headers(client, Knobs(wire="messages")) if _of_anthropic(client) else {}


async def _asked_with(endpoint: Endpoint, key: Key) -> None:
    text = key.renewed()
    client = endpoint.client(30, text, retries=1)
    try:
        await client.get("/models", cast_to=object, options={"headers": _asking(client)})
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        said = words(unkeyed(error.response.text, text))
        whose = f"the key {key.name}" if len(endpoint.all_keys) > 1 else "the key"
        raise EndpointRefused(f"{endpoint.base_url} refuses {whose}: {said}") from error
    except openai.APIStatusError:
        return
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        raise nobody(endpoint.base_url, str(cause)) from error
    finally:
        await client.close()
