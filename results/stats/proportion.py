"""Intervals for one proportion, and the bounds that missing measurements put on it."""

from __future__ import annotations

from math import sqrt
from typing import TypeAlias

from results.stats.distributions import beta_ppf, normal_ppf

Interval: TypeAlias = tuple[float, float]


def wilson(successes: float, n: int, *, level: float = 0.95) -> Interval:
    """The score interval: Wilson 1927; Brown, Cai and DasGupta 2001.

    `successes` may be a sum of per-task means; `n` must then be the number of tasks, since
    repeats of one task are not independent.
    """
    _check(successes, n, level)
    if n == 0:
        return 0.0, 1.0
    z = normal_ppf((1 + level) / 2)
    p, share = successes / n, z * z / n
    centre = p + share / 2
    reach = z * sqrt(p * (1 - p) / n + share / (4 * n))
    low = 0.0 if successes == 0 else max(0.0, (centre - reach) / (1 + share))
    high = 1.0 if successes == n else min(1.0, (centre + reach) / (1 + share))
    return low, high


def clopper_pearson(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """The exact interval from beta quantiles: never covers too little. Clopper, Pearson 1934."""
    _check(successes, n, level)
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else beta_ppf(tail, successes, n - successes + 1)
    high = 1.0 if successes == n else beta_ppf(1 - tail, successes + 1, n - successes)
    return low, high


def bounds(successes: float, measured: float, declared: float) -> Interval | None:
    """The rate over everything declared if all that is missing had failed, and had passed.

    Nothing is assumed about why a measurement is missing. None where nothing was declared.
    """
    if not 0 <= successes <= measured <= declared:
        raise ValueError(f"no such counts: {successes=} {measured=} {declared=}")
    if declared == 0:
        return None
    return successes / declared, (successes + declared - measured) / declared


def _check(successes: float, n: int, level: float) -> None:
    if not (0 <= successes <= n and 0 < level < 1):
        raise ValueError(f"no such interval: {successes=} {n=} {level=}")
