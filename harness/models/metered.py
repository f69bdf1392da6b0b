"""The in-process door to the meter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.api import Model
from harness.errors import blame
from harness.meter import ONE_CALL, Meter
from harness.models.wires.remembered import in_pieces
from harness.types import Message, Reply, Request, Usage

Estimate = Callable[[int, int | None], Usage]
"""The worst that a call may come to, from the bytes of its request and the most it may answer."""


def unknown(request_bytes: int, max_output: int | None) -> Usage:
    """Of a model about which nothing is known."""
    return ONE_CALL


@dataclass(frozen=True, slots=True)
class Metered:
    """Let no call begin that the budget cannot pay for."""

    inner: Model
    meter: Meter
    estimate: Estimate = unknown

    async def complete(self, request: Request, /) -> Reply:
        async with self.meter.holding(self.estimate(size(request), None)):
            with blame("model"):
                return await self.inner.complete(request)


def size(request: Request) -> int:
    """About the bytes that the request will have."""
    return sum(_sizes(request.messages)) + sum(len(t.parameters) for t in request.tools)


@in_pieces
def _sizes(messages: tuple[Message, ...]) -> int:
    said = [text for m in messages for text in (m.content, m.reasoning or "")]
    said += [call.arguments for message in messages for call in message.calls]
    return sum(len(text.encode(errors="surrogatepass")) for text in said)
