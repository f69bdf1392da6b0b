"""A model at an endpoint as the rest of the program asks it: a line, and mended replies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from harness.models.knobs import Knobs
from harness.models.line import Line, pool_of
from harness.models.mending import mended
from harness.models.metered import size
from harness.models.openai import Call, Endpoint
from harness.models.pool import Hall, Pool
from harness.models.prices import Quote
from harness.models.reasoning import given_back
from harness.models.text_calls import lifted
from harness.types import Reply, Request

_BYTES_A_TOKEN = 4


class Connection:
    """One model at one endpoint. Close it in the loop that used it."""

    def __init__(self, calls: Sequence[Call], line: Line, knobs: Knobs) -> None:
        self.calls = calls
        self.line = line
        self.quote = Quote(calls[0].tariff, knobs.max_completion_tokens or knobs.max_tokens)
        self._knobs = knobs

    async def complete(self, request: Request, /) -> Reply:
        shown = given_back(request, self._knobs.reasoning)
        reply = await self.line.ask(
            lambda seat: self.calls[seat.at].complete(shown, seat.told),
            weight(shown),
        )
        if self._knobs.text_calls == "auto":
            reply = lifted(reply, request.tools)
        return mended(reply, request)

    async def close(self) -> None:
        for call in self.calls:
            await call.client.close()


def weight(request: Request) -> int:
    """About how many tokens a request takes, without encoding it."""
    return size(request) // _BYTES_A_TOKEN + 1


def connect(model: str, endpoint: Endpoint, knobs: Knobs, pool: Pool | None = None) -> Connection:
    """The model `model` at `endpoint`, in the pool that it shares with others, or in its own."""
    calls = [
        Call(endpoint.client(knobs.timeout, key.text), key, model, knobs)
        for key in endpoint.all_keys
    ]
    return Connection(calls, Line(pool or pool_of(endpoint), knobs), knobs)


class Pools:
    """One pool for each endpoint and its keys; what a key may have is counted once."""

    def __init__(self) -> None:
        self._pools: dict[Endpoint, Pool] = {}
        self._halls: defaultdict[str, Hall] = defaultdict(Hall)

    def of(self, endpoint: Endpoint) -> Pool:
        if endpoint not in self._pools:
            self._pools[endpoint] = pool_of(endpoint, self._halls[endpoint.base_url])
        return self._pools[endpoint]

    def at(self, number: int) -> Pool:
        """By the order in which they were first asked for."""
        return list(self._pools.values())[number]

    def tell(self, say: Callable[[str], None]) -> None:
        """Have every pool say its long pauses so."""
        for pool in self._pools.values():
            pool.say = say
