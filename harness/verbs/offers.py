"""What a person says that things cost, from the flags to values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.costs import EVERY, KEYS, Costs, checked, priced
from harness.errors import UsageError
from harness.models.prices import Prices, flat
from harness.types import Condition


@dataclass(frozen=True, slots=True)
class Hire:
    """A served model's machine: so many GPUs, at so much an hour each."""

    usd_hour: float
    gpus: int = 1


@dataclass(frozen=True, slots=True)
class Offer:
    """What a person says that things cost: by token, by model's name, and the rest by the hour."""

    tokens: Mapping[str, Prices]
    hire: Hire | None = None

    def of(self, condition: Condition) -> Prices | None:
        return self.tokens.get(model_id(condition), self.tokens.get(EVERY))


def offer(prices: Sequence[str], usd_hour: float | None, gpus: int) -> Offer:
    """The flags as values; UsageError where they say nothing, or two things at once."""
    said = checked(Costs(priced(prices), usd_hour, gpus))
    if not said.prices and usd_hour is None:
        raise UsageError("say --price MODEL:in=..,out=.. or --gpu-hour USD --gpus N")
    hire = None if usd_hour is None else Hire(usd_hour, gpus)
    return Offer({model: _prices(table) for model, table in said.prices.items()}, hire)


def _prices(table: Mapping[str, float]) -> Prices:
    price = flat(*(table.get(key) for key in KEYS))
    assert price, "checked: it has an in and an out"
    return price


def model_id(condition: Condition) -> str:
    """The id that the endpoint was asked for."""
    model = condition.model
    return str(model.knobs.get("id", model.name)) if model.name == "openai" else model.name
