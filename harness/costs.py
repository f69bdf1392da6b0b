"""What a person says that models cost: by the token, or by the hour of a machine that serves them.

It is no part of a condition: another price is no other measurement. [stdlib only]
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import UsageError, unknown
from harness.types import Part, Value

EVERY = ""
"""The model of a price that names none."""
KEYS = ("in", "out", "cached", "written")
"""Dollars per million tokens: fresh, of output, read from the cache, written into it."""
_KNOBS = dict(
    zip(KEYS, ("price_in", "price_out", "price_cached", "price_cache_write"), strict=True)
)


@dataclass(frozen=True, slots=True)
class Costs(Value):
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By the id of the model, `""` for every other."""
    gpu_hour: float | None = None
    """Dollars for an hour of one GPU: what has no price here is served on such a machine."""
    gpus: int = 1

    def of(self, model: str) -> Mapping[str, float] | None:
        return self.prices.get(model, self.prices.get(EVERY))

    def knobs(self, part: Part, model: str) -> dict[str, Any]:
        """A model's own knobs with the price of its id, where they hold none."""
        prices = self.of(model) or {}
        return {**{_KNOBS[key]: usd for key, usd in prices.items()}, **part.knobs}

    def usd_second(self, part: Part, model: str) -> float | None:
        """Of the machine that serves this model; None where it is paid by the token, or nobody."""
        if self.gpu_hour is None or "price_in" in self.knobs(part, model):
            return None
        return self.gpus * self.gpu_hour / 3600


def priced(texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """`MODEL:in=..,out=..` as a person writes it, a table by model; UsageError for two of one."""
    tables: dict[str, dict[str, float]] = {}
    for text in texts:
        model, _, listed = text.rpartition(":")
        if model in tables:
            raise UsageError(f"--price {text}: there are two prices for {model or 'every model'!r}")
        pieces = (piece.partition("=") for piece in listed.split(","))
        given: dict[str, Any] = {key.strip(): _number(value) for key, _, value in pieces}
        tables[model] = table(given, f"--price {text}")
    return tables


def table(given: Any, where: str) -> dict[str, float]:
    """One model's prices, if they make sense."""
    if not isinstance(given, Mapping):
        raise UsageError(f"{where}: a price is a table, as in {{in = 1.25, out = 10}}")
    for key, usd in given.items():
        if key not in KEYS:
            raise unknown(f"price in {where}:", key, KEYS)
        if isinstance(usd, bool) or not isinstance(usd, int | float) or not 0 <= usd < math.inf:
            raise UsageError(f"{where}: {key}={usd!r} is no number of dollars per million tokens")
    if "in" not in given or "out" not in given:
        raise UsageError(f"{where}: give both in=.. and out=.., dollars per million tokens")
    return dict(given)


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def checked(costs: Costs) -> Costs:
    """The same, if it makes sense."""
    for model, prices in costs.prices.items():
        table(prices, f"prices of {model or 'every model'!r}")
    if costs.gpu_hour is not None:
        if EVERY in costs.prices:
            raise UsageError(
                "--price without a model leaves nothing for --gpu-hour; name its model"
            )
        if not 0 <= costs.gpu_hour < math.inf:
            raise UsageError(f"--gpu-hour {costs.gpu_hour}: it is dollars for an hour of one GPU")
    if costs.gpus < 1:
        raise UsageError(f"--gpus {costs.gpus}: it is how many serve the model, at least 1")
    return costs
