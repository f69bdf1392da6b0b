"""What a whole run may spend. What one attempt may is a noun of its condition."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a whole run may spend on live calls. None: unbounded."""

    usd: float | None = None
    tokens: int | None = None
    hours: float | None = None
    """Of this start of the run, by the clock on the wall."""
