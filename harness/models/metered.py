"""The in-process door to the meter."""

from __future__ import annotations

from dataclasses import dataclass

from harness.api import Model
from harness.errors import blame
from harness.meter import Meter
from harness.types import Reply, Request


@dataclass(frozen=True, slots=True)
class Metered:
    """Let no call begin that the budget cannot pay for."""

    inner: Model
    meter: Meter

    async def complete(self, request: Request, /) -> Reply:
        self.meter.admit()
        with blame("model"):
            return await self.inner.complete(request)
