"""An endpoint with a rate limit: how much of it is used, how often we are refused, who starves.

Sixty talkers ask as fast as they are let, at an endpoint that takes 300 calls a minute: one that
says nothing of it but 429, and one whose every answer tells what is left. And at one without a
limit that refuses one call in twenty whatever is asked. After a while in which that is found out,
everybody's calls are counted.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from harness.errors import Fault
from harness.types import Message, Request
from tests.bench.endpoint import Manner, Told, endpoint
from tests.bench.figures import Figure
from tests.bench.parts import connection

TALKERS, PER_MINUTE = 60, 300
LEARNING, STEADY = 60.0, 60.0
WHIMS = 0.05


async def measure() -> list[Figure]:
    return [*await _limited(tells=False), *await _limited(tells=True), *await _whimsical()]


async def _limited(*, tells: bool) -> list[Figure]:
    what = "rate limit, told" if tells else "rate limit"
    burst = PER_MINUTE if tells else 5  # what is told to be left is of the whole limit
    manner = Manner(latency=0.2, per_minute=PER_MINUTE, burst=burst, tells=tells)
    each, told = await _talk(manner)
    used = sum(each) / (PER_MINUTE * STEADY / 60)
    refused = told.refused / max(1, told.calls)
    spread = f"{min(each)} to {max(each)} calls each"
    return [
        Figure(f"{what}: used", used, 0.95, "", f"{sum(each)} calls", least=True),
        Figure(f"{what}: refused with 429", refused, 0.02, "", f"{told.refused}"),
        Figure(f"{what}: fewest calls of a talker", min(each), 1, "", spread, least=True),
    ]


async def _whimsical() -> list[Figure]:
    each, told = await _talk(Manner(latency=1.0, whims=WHIMS))
    share = sum(each) / (TALKERS * STEADY * (1 - WHIMS))
    return [
        Figure("429 by chance: served", share, 0.8, "", f"{sum(each)} calls", least=True),
        Figure("429 by chance: refused", told.refused / max(1, told.calls), 2 * WHIMS, ""),
    ]


async def _talk(manner: Manner) -> tuple[list[int], Told]:
    """How many calls of each talker were answered in the steady time, and what the endpoint saw."""
    with endpoint(manner) as served:
        model = connection(served.url, attempts=50)
        answered = [0] * TALKERS

        async def talk(number: int) -> None:
            while True:
                with suppress(Fault):
                    await model.complete(Request((Message("user", "hi"),)))
                    answered[number] += 1

        talkers = [asyncio.create_task(talk(number)) for number in range(TALKERS)]
        await asyncio.sleep(LEARNING)
        served.stats(anew=True)
        before = list(answered)
        await asyncio.sleep(STEADY)
        told = served.stats()
        for talker in talkers:
            talker.cancel()
        await asyncio.gather(*talkers, return_exceptions=True)
        await model.close()
    return [now - then for now, then in zip(answered, before, strict=True)], told
