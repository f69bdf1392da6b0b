"""Any OpenAI-compatible endpoint, through the openai package. The only module that knows it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import openai

from harness.errors import Fault, LimitReached, UsageError
from harness.models.mending import mended
from harness.models.prices import Prices, Tariff, flat
from harness.models.retrying import Retrying, Transient
from harness.models.trouble import Trouble, inside, sort, words
from harness.models.wires import chat
from harness.types import Ending, Message, Reply, Request, Usage

_HEADERS = {"Content-Type": "application/json", "X-Stainless-Raw-Response": "raw"}
_NO_KEY = "none"
_SECRET_CHARS = 16
_ERROR_CHARS = 100_000


class EndpointRefused(UsageError):
    """Key, credit or model name: no later call would fare better, so the run stops here."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model is, and by whose key."""

    base_url: str
    api_key: str

    def client(self, timeout: float, *, retries: int = 0) -> openai.AsyncOpenAI:
        """UsageError for a key that no header can carry; it is not shown."""
        if not re.fullmatch(r"[!-~]*", self.api_key):
            raise UsageError(
                f"the key for {self.base_url} holds a blank, a line end or a character outside "
                "ASCII, which no header can carry; set it again without"
            )
        return openai.AsyncOpenAI(
            base_url=self.base_url,
            api_key=self.api_key or _NO_KEY,
            max_retries=retries,
            timeout=timeout,
        )


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


class Chat:
    """One call of Chat Completions: no retries, no budget, no trace; those are layers above."""

    def __init__(
        self, client: openai.AsyncOpenAI, settings: Mapping[str, Any], tariff: Tariff
    ) -> None:
        self.client = client
        self.settings = settings
        self.tariff = tariff

    async def complete(self, request: Request, /) -> Reply:
        body = chat.encode(request, self.settings)
        try:
            answer = await self.client.post(
                "/chat/completions", cast_to=object, content=body, options={"headers": _HEADERS}
            )
        except openai.APIStatusError as error:
            headers = {k.lower(): v for k, v in error.response.headers.items()}
            text = self._unkeyed(error.response.text or str(error.body or ""))[:_ERROR_CHARS]
            return self._meet(sort(error.status_code, headers, text))
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            where = self.client.base_url
            said = self._unkeyed(f"{type(cause).__name__}: {cause}")
            raise Transient(f"{where}: {words(said)}") from error
        return self._read(answer)

    def _read(self, answer: Any) -> Reply:
        headers = {k.lower(): v for k, v in answer.headers.items()}
        content = answer.http_response.content
        try:
            # Short keys may be words that an honest reply has a use for.
            payload = json.loads(self._unkeyed(content.decode("utf-8-sig"), least=_SECRET_CHARS))
            if trouble := inside(payload, headers):
                return self._meet(trouble)
            reply = chat.decode(payload)
        except (ValueError, RecursionError) as error:
            # Half a JSON, an HTML page: something between us is unwell.
            shown = words(self._unkeyed(content.decode(errors="replace"))[:_ERROR_CHARS])
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
                raise Transient(said, trouble.retry_after)
            case "overflow":
                raise LimitReached(Ending.CONTEXT)
            case "refused":
                raise EndpointRefused(f"{self.client.base_url} refuses: {said}")
            case "refusal":
                return Reply(Message("assistant", said), Usage(1, usd=None), "refusal")
            case "broken":
                raise Fault("model", said)


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
        """What was given, None where nothing was; UsageError for half a price."""
        named = (self.price_in, self.price_out, self.price_cached, self.price_cache_write)
        if any(usd is not None for usd in named) and None in named[:2]:
            raise UsageError("price_in=.. and price_out=.. go together; give both, or neither")
        return flat(self.price_in, self.price_out, self.price_cached, self.price_cache_write)


@dataclass(frozen=True, slots=True)
class Connection:
    """A model at an endpoint, with transport retries. Close it in the loop that used it."""

    wire: Chat
    retrying: Retrying

    async def complete(self, request: Request, /) -> Reply:
        return mended(await self.retrying.complete(request), request)

    async def close(self) -> None:
        await self.wire.client.close()


def connect(model: str, endpoint: Endpoint, knobs: Knobs) -> Connection:
    """The model `model` at `endpoint`."""
    tariff = Tariff(endpoint.base_url, model, knobs.prices())
    wire = Chat(endpoint.client(knobs.timeout), {"model": model, **knobs.settings()}, tariff)
    return Connection(wire, Retrying(wire, attempts=knobs.attempts, first=knobs.first_pause))


async def preflight(endpoint: Endpoint) -> None:
    """Ask for the list of models: UsageError where nobody answers or the key is refused.

    An endpoint that has no such list may still be a good one; only a plain no stops us.
    """
    client = endpoint.client(30, retries=1)
    try:
        await client.get("/models", cast_to=object)
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        said = words(unkeyed(error.response.text, endpoint.api_key))
        raise EndpointRefused(f"{endpoint.base_url} refuses the key: {said}") from error
    except openai.APIStatusError:
        return
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        raise UsageError(
            f"no endpoint answers at {endpoint.base_url} ({words(str(cause))}); "
            "set OPENAI_BASE_URL or give --base-url"
        ) from error
    finally:
        await client.close()
