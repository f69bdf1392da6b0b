"""The in-process door to the meter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.api import Model
from harness.errors import blame
from harness.meter import ONE_CALL, Meter
from harness.models.wires.remembered import growing
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
    return _size(request.messages) + sum(len(t.parameters) for t in request.tools)


def _with_that_of(so_far: int, message: Message) -> int:
    said = [message.content, message.reasoning or "", *(c.arguments for c in message.calls)]
    return so_far + sum(len(text.encode(errors="surrogatepass")) for text in said)


_size = growing(int, _with_that_of)
