"""What every estimator of this package answers with: a number, its interval, and the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from results.stats.distributions import t_ppf, t_sf

Question: TypeAlias = Literal["A", "B", "C"]
"""A: would a rerun give this? B: would new issues of these repositories? C: new repositories?"""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval, or None and the reason. None is never 0."""

    value: float | None
    low: float | None
    high: float | None
    question: Question
    method: str
    n: int
    """How many tasks (or repositories, for C) it rests on."""
    level: float = 0.95
    reason: str = ""
    """Why `value`, or else the interval, is None; or what to beware of."""


@dataclass(frozen=True, slots=True)
class PValue:
    """The p-value of a null hypothesis, or None and the reason."""

    p: float | None
    question: Question
    method: str
    n: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean with its standard error, and the t distribution that goes with it."""

    mean: float
    se: float
    df: float
    """Infinite where the normal distribution is meant."""
    n: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        reach = self.quantile((1 + level) / 2) * self.se
        return self.mean - reach, self.mean + reach

    def p(self, null: float = 0.0) -> float:
        """Two-sided, that the true mean is `null`; 1 where mean and null agree without spread."""
        if self.se == 0:
            return 1.0 if self.mean == null else 0.0
        return float(2 * t_sf(abs(self.mean - null) / self.se, self.df))

    def quantile(self, share: float) -> float:
        return t_ppf(share, self.df)


def nothing(question: Question, method: str, reason: str, n: int = 0) -> Estimate:
    return Estimate(None, None, None, question, method, n, reason=reason)


def estimate(
    spread: Spread,
    question: Question,
    method: str,
    *,
    level: float = 0.95,
    within: tuple[float, float] = (-1.0, 1.0),
) -> Estimate:
    """A spread as an answer, its ends kept where the quantity can be.

    Where nothing varied there is no interval: a width of zero would claim certainty.
    """
    if spread.se == 0:
        reason = "nothing varied, and that makes no interval"
        return Estimate(spread.mean, None, None, question, method, spread.n, level, reason)
    low, high = spread.interval(level)
    low, high = max(low, within[0]), min(high, within[1])
    return Estimate(spread.mean, low, high, question, method, spread.n, level)
