"""What a person says that things cost, from the flags to values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import UsageError, unknown
from harness.models.prices import Prices, flat
from harness.types import Condition

EVERY = ""
"""The model of a price that names none."""
_KEYS = ("in", "out", "cached", "written")


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
    tokens: dict[str, Prices] = {}
    for text in prices:
        model, price = _price(text)
        if model in tokens:
            raise UsageError(f"--price {text}: there are two prices for {model or 'every model'!r}")
        tokens[model] = price
    if not tokens and usd_hour is None:
        raise UsageError("say --price MODEL:in=..,out=.. or --gpu-hour USD --gpus N")
    if usd_hour is None:
        return Offer(tokens)
    if EVERY in tokens:
        raise UsageError("--price without a model leaves nothing for --gpu-hour; name its model")
    if not math.isfinite(usd_hour) or usd_hour < 0:
        raise UsageError(f"--gpu-hour {usd_hour}: it is dollars for an hour of one GPU")
    return Offer(tokens, Hire(usd_hour, gpus))


def _price(text: str) -> tuple[str, Prices]:
    model, _, listed = text.rpartition(":")
    given: dict[str, float] = {}
    for piece in listed.split(","):
        key, _, value = piece.partition("=")
        if key.strip() not in _KEYS:
            raise unknown(f"price in --price {text}:", key.strip(), _KEYS)
        given[key.strip()] = _dollars(value, text)
    price = flat(*(given.get(key) for key in _KEYS))
    if price is None:
        raise UsageError(f"--price {text}: give both in=.. and out=.., dollars per million tokens")
    return model, price


def _dollars(value: str, text: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise UsageError(f"--price {text}: {value!r} is no number of dollars per million tokens")
    return number


def model_id(condition: Condition) -> str:
    """The id that the endpoint was asked for."""
    model = condition.model
    return str(model.knobs.get("id", model.name)) if model.name == "openai" else model.name
