"""A model at an endpoint as the rest of the program asks it: seats, tries, keys, mended replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.errors import Fault
from harness.models.knobs import Knobs
from harness.models.mending import mended
from harness.models.openai import Call, Endpoint, EndpointRefused
from harness.models.pool import Pool, Seat
from harness.models.prices import Quote
from harness.models.reasoning import given_back
from harness.models.retrying import Patience, Retrying, Transient
from harness.models.text_calls import lifted
from harness.types import Reply, Request

_OUTVOTED = 2
"""So often a request may be refused while others are served, before it is taken to be its own."""
_CHARS_A_TOKEN = 4


class Connection:
    """One model at one endpoint. Close it in the loop that used it.

    A refusal of the key, the credit or the model stops the run while no call has succeeded yet.
    Later it is an outage: whoever asks waits for its seat until the endpoint relents.
    """

    def __init__(self, calls: Sequence[Call], pool: Pool, knobs: Knobs) -> None:
        self.calls = calls
        self.pool = pool
        self.quote = Quote(calls[0].tariff, knobs.max_completion_tokens or knobs.max_tokens)
        self._knobs = knobs
        self._worked = False

    async def complete(self, request: Request, /) -> Reply:
        seated = Seated(self.calls, self.pool, self.pool.place())
        patience = Patience(self._knobs.attempts, first=self._knobs.first_pause)
        retrying = Retrying(seated, patience)
        shown = given_back(request, self._knobs.reasoning)
        while True:
            try:
                reply = await retrying.complete(shown)
            except EndpointRefused as refusal:
                if not self._worked:
                    raise
                if seated.outvoted >= _OUTVOTED:
                    raise Fault("model", f"{refusal} (others were served meanwhile)") from refusal
            else:
                self._worked = True
                if self._knobs.text_calls == "auto":
                    reply = lifted(reply, request.tools)
                return mended(reply, request)

    async def close(self) -> None:
        for call in self.calls:
            await call.client.close()


@dataclass(slots=True)
class Seated:
    """One request with its place in the queue, which all its tries share."""

    calls: Sequence[Call]
    pool: Pool
    place: int
    outvoted: int = 0
    """How often it was refused after others had been served since its last refusal."""
    _served: dict[int, int] = field(default_factory=dict)

    async def complete(self, request: Request, /) -> Reply:
        async with self.pool.seat(self.place, weight(request)) as seat:
            try:
                reply = await self._ask(request, seat)
            except Transient as trouble:
                if trouble.crowded:
                    seat.turned_away(trouble.retry_after)
                raise
            except EndpointRefused as refusal:
                self._count(seat.at)
                seat.denied(str(refusal))
                raise
            seat.welcomed()
            return reply

    async def _ask(self, request: Request, seat: Seat) -> Reply:
        call = self.calls[seat.at]
        try:
            return await call.complete(request, seat.told)
        except EndpointRefused:
            if not call.renew_key():
                raise
        return await call.complete(request, seat.told)

    def _count(self, lane: int) -> None:
        served = self.pool.lanes[lane].served
        self.outvoted += served > self._served.get(lane, served)
        self._served[lane] = served


def weight(request: Request) -> int:
    """About how many tokens a request takes, without encoding it."""
    chars = sum(
        len(m.content) + len(m.reasoning or "") + sum(len(call.arguments) for call in m.calls)
        for m in request.messages
    )
    return chars // _CHARS_A_TOKEN + 1


def connect(model: str, endpoint: Endpoint, knobs: Knobs, pool: Pool | None = None) -> Connection:
    """The model `model` at `endpoint`, in the pool that it shares with others, or in its own."""
    keys = endpoint.all_keys
    calls = [Call(endpoint.client(knobs.timeout, key.text), key, model, knobs) for key in keys]
    return Connection(calls, pool or Pool(len(keys), name=endpoint.base_url), knobs)


class Pools:
    """One pool for each endpoint and its keys."""

    def __init__(self) -> None:
        self._pools: dict[Endpoint, Pool] = {}

    def of(self, endpoint: Endpoint) -> Pool:
        keys = len(endpoint.all_keys)
        return self._pools.setdefault(endpoint, Pool(keys, name=endpoint.base_url))

    def at(self, number: int) -> Pool:
        """By the order in which they were first asked for."""
        return list(self._pools.values())[number]

    def tell(self, say: Callable[[str], None]) -> None:
        """Have every pool say its long pauses so."""
        for pool in self._pools.values():
            pool.say = say
