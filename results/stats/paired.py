"""Two systems, one run each, on the same tasks: what the discordant pairs say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from results.stats.distributions import coin_cdf, coin_pmf, normal_ppf
from results.stats.estimate import Estimate, PValue, nothing
from results.stats.proportion import Interval
from results.stats.roots import crossing


@dataclass(frozen=True, slots=True)
class Pairs:
    """How tasks came out under both systems."""

    both: int
    first: int
    """Solved by the first system only."""
    second: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.first + self.second + self.neither

    @property
    def difference(self) -> float | None:
        return (self.first - self.second) / self.n if self.n else None


def pairs(first: npt.ArrayLike, second: npt.ArrayLike) -> Pairs:
    """Counts over tasks that both have a verdict for: never two different denominators."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"pairs are of two lists of equal length, not {a.shape} and {b.shape}")
    kept = ~np.isnan(a) & ~np.isnan(b)
    x, y = a[kept] > 0, b[kept] > 0
    counts = (x & y, x & ~y, ~x & y, ~x & ~y)
    return Pairs(*(int(np.sum(count)) for count in counts))


def mcnemar_exact(table: Pairs) -> PValue:
    """Twice the binomial tail of the discordant pairs: never above its level, a little below."""
    discordant, fewer = table.first + table.second, min(table.first, table.second)
    p = min(1.0, 2 * coin_cdf(fewer, discordant))
    return PValue(p, "B", "McNemar exact", table.n)


def mcnemar_midp(table: Pairs) -> PValue:
    """McNemar with half of the observed table's own chance: Fagerland, Lydersen, Laake 2013."""
    discordant, fewer = table.first + table.second, min(table.first, table.second)
    p = 2 * coin_cdf(fewer, discordant)
    p -= coin_pmf(fewer, discordant)
    return PValue(p, "B", "McNemar mid-p", table.n)


def tango(table: Pairs, *, level: float = 0.95) -> Estimate:
    """The difference of the two rates with its score interval (Tango 1998).

    Good down to a dozen pairs, and an interval still where no pair disagrees.
    """
    if table.n == 0:
        return nothing("B", "Tango", "no task has a verdict of both")
    z = normal_ppf((1 + level) / 2)
    value = (table.first - table.second) / table.n
    low = _root(lambda delta: _score(table, delta) - z, -1.0, value)
    high = _root(lambda delta: _score(table, delta) + z, value, 1.0)
    return Estimate(value, low, high, "B", "Tango", table.n, level)


def bonett_price(table: Pairs, *, level: float = 0.95) -> Interval | None:
    """A closed form to check others by: Wald's interval after one pair is added to each side."""
    if table.n == 0:
        return None
    n = table.n + 2
    first, second = (table.first + 1) / n, (table.second + 1) / n
    reach = normal_ppf((1 + level) / 2)
    reach *= sqrt((first + second - (first - second) ** 2) / n)
    return max(-1.0, first - second - reach), min(1.0, first - second + reach)


def _score(table: Pairs, delta: float) -> float:
    """Tango's statistic, the distance from a difference `delta` in its own standard errors."""
    n, b, c = table.n, table.first, table.second
    linear = -b - c + (2 * n - b + c) * delta
    root = sqrt(max(0.0, linear**2 + 8 * n * c * delta * (1 - delta)))
    nuisance = max(0.0, (root - linear) / (4 * n))
    variance = n * (2 * nuisance + delta * (1 - delta))
    return (b - c - n * delta) / sqrt(variance) if variance > 1e-300 else 0.0


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where `function` crosses zero; the end that has no room left where it does not."""
    edge = 1e-12
    low, high = max(low, -1 + edge), min(high, 1 - edge)
    if low >= high or function(low) * function(high) > 0:
        return -1.0 if abs(low + 1) < abs(high - 1) else 1.0
    return crossing(function, low, high)
