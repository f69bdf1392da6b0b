"""Any OpenAI-compatible endpoint, through the openai package. The only module that knows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import openai

from harness.errors import Fault, LimitReached, UsageError
from harness.models.retrying import Retrying, Transient
from harness.models.trouble import Trouble, inside, sort, words
from harness.models.wires import chat
from harness.types import Ending, Message, Reply, Request, Usage

_HEADERS = {"Content-Type": "application/json", "X-Stainless-Raw-Response": "raw"}


class EndpointRefused(UsageError):
    """Key, credit or model name: no later call would fare better, so the run stops here."""


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens."""

    fresh: float
    output: float
    cache_read: float
    cache_write: float

    def of(self, usage: Usage) -> float:
        return (
            usage.fresh * self.fresh
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write * self.cache_write
        ) / 1e6


class Chat:
    """One call of Chat Completions: no retries, no budget, no trace; those are layers above."""

    def __init__(self, client: openai.AsyncOpenAI, settings: Mapping[str, Any]) -> None:
        self.client = client
        self.settings = settings
        self.prices: Prices | None = None

    async def complete(self, request: Request, /) -> Reply:
        body = chat.encode(request, self.settings)
        try:
            answer = await self.client.post(
                "/chat/completions", cast_to=object, content=body, options={"headers": _HEADERS}
            )
        except openai.APIStatusError as error:
            headers = {k.lower(): v for k, v in error.response.headers.items()}
            text = error.response.text or str(error.body or "")
            return self._meet(sort(error.status_code, headers, text))
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            where = self.client.base_url
            raise Transient(f"{where}: {type(cause).__name__}: {cause}") from error
        return self._read(answer)

    def _read(self, answer: Any) -> Reply:
        headers = {k.lower(): v for k, v in answer.headers.items()}
        try:
            payload = json.loads(answer.http_response.content)
            if trouble := inside(payload, headers):
                return self._meet(trouble)
            reply = chat.decode(payload)
        except ValueError as error:  # half a JSON, an HTML page: something between us is unwell
            shown = words(answer.http_response.content[:400].decode(errors="replace"))
            raise Transient(f"unreadable answer ({error}): {shown}") from None
        return self._priced(reply)

    def _priced(self, reply: Reply) -> Reply:
        if self.prices is None or not reply.usage.tokens:
            return reply
        usage = reply.usage + Usage(usd=0.0)
        priced = Usage(
            usage.calls,
            usage.fresh,
            usage.cache_read,
            usage.cache_write,
            usage.output,
            usage.reasoning,
            self.prices.of(usage),
        )
        return Reply(reply.message, priced, reply.finish, reply.served)

    def _meet(self, trouble: Trouble) -> Reply:
        match trouble.kind:
            case "transient":
                raise Transient(trouble.message, trouble.retry_after)
            case "overflow":
                raise LimitReached(Ending.CONTEXT)
            case "refused":
                raise EndpointRefused(f"{self.client.base_url} refuses: {trouble.message}")
            case "refusal":
                return Reply(Message("assistant", trouble.message), Usage(1, usd=None), "refusal")
            case "broken":
                raise Fault("model", trouble.message)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model is, and by whose key."""

    base_url: str
    api_key: str


@dataclass(frozen=True, slots=True)
class Knobs:
    """What may follow a model's name: sampling goes to the endpoint, the rest stays here."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    reasoning_effort: str | None = None
    timeout: float = 900.0
    attempts: int = 8
    first_pause: float = 1.0
    price_in: float | None = None
    price_out: float | None = None
    price_cached: float | None = None
    price_cache_write: float | None = None

    def settings(self) -> dict[str, Any]:
        sent = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "reasoning_effort")
        return {name: value for name in sent if (value := getattr(self, name)) is not None}

    def prices(self) -> Prices | None:
        if self.price_in is None or self.price_out is None:
            return None
        cached = self.price_in if self.price_cached is None else self.price_cached
        written = self.price_in if self.price_cache_write is None else self.price_cache_write
        return Prices(self.price_in, self.price_out, cached, written)


@dataclass(frozen=True, slots=True)
class Connection:
    """A model at an endpoint, with transport retries. Close it in the loop that used it."""

    wire: Chat
    retrying: Retrying

    async def complete(self, request: Request, /) -> Reply:
        return await self.retrying.complete(request)

    async def close(self) -> None:
        await self.wire.client.close()


def connect(model: str, endpoint: Endpoint, knobs: Knobs) -> Connection:
    """The model `model` at `endpoint`."""
    client = openai.AsyncOpenAI(
        base_url=endpoint.base_url,
        api_key=endpoint.api_key or "none",
        max_retries=0,
        timeout=knobs.timeout,
    )
    wire = Chat(client, {"model": model, **knobs.settings()})
    wire.prices = knobs.prices()
    return Connection(wire, Retrying(wire, attempts=knobs.attempts, first=knobs.first_pause))


async def preflight(endpoint: Endpoint) -> None:
    """Ask for the list of models: UsageError where nobody answers or the key is refused.

    An endpoint that has no such list may still be a good one; only a plain no stops us.
    """
    client = openai.AsyncOpenAI(
        base_url=endpoint.base_url, api_key=endpoint.api_key or "none", max_retries=1, timeout=30
    )
    try:
        await client.get("/models", cast_to=object)
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        said = words(error.response.text)
        raise EndpointRefused(f"{endpoint.base_url} refuses the key: {said}") from error
    except openai.APIStatusError:
        return
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        raise UsageError(
            f"no endpoint answers at {endpoint.base_url} ({cause}); "
            "set OPENAI_BASE_URL or give --base-url"
        ) from error
    finally:
        await client.close()
