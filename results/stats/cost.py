"""What a solved issue costs, in dollars, seconds or tokens: a ratio of two means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, sqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from results.stats.distributions import t_ppf
from results.stats.estimate import Estimate, Question, nothing
from results.stats.proportion import Interval, clopper_pearson
from results.stats.scores import Array, as_scores, labels, task_means
from results.stats.seeded import resampled, weights


@dataclass(frozen=True, slots=True)
class Spent:
    """Tasks with a cost and a verdict, repeats averaged; failures are part of it."""

    cost: Array
    solved: Array
    groups: npt.NDArray[np.intp] | None = None
    """Repositories, where new ones are asked about."""

    @property
    def moments(self) -> tuple[float, float, float]:
        """Variances of the mean cost and the mean solved, and their covariance."""
        n = len(self.cost)
        if self.groups is None:
            table = np.cov(self.cost, self.solved) / n
        else:
            # CR1 with t(G-1): the two means need one set of weights.
            sums = np.stack([_sums(self.groups, v) for v in (self.cost, self.solved)])
            count = sums.shape[1]
            table = count / (count - 1) * sums @ sums.T / n**2
        return float(table[0, 0]), float(table[1, 1]), float(table[0, 1])

    def quantile(self, level: float) -> float:
        df = inf if self.groups is None else float(self.groups.max())
        return t_ppf((1 + level) / 2, df)


def spent(cost: npt.ArrayLike, scores: npt.ArrayLike, repos: npt.ArrayLike | None = None) -> Spent:
    """From tasks x repeats of both. A run without a cost or a verdict counts for neither."""
    costs, table = as_scores(cost), as_scores(scores)
    gaps = np.isnan(costs) | np.isnan(table)
    means = task_means(np.where(gaps, np.nan, costs))
    solved = task_means(np.where(gaps, np.nan, table))
    kept = ~np.isnan(means)
    groups = None if repos is None else labels(np.asarray(repos)[kept])
    return Spent(means[kept], solved[kept], groups)


def per_solved(what: Spent, *, level: float = 0.95) -> Estimate:
    """Mean cost over mean solved with Fieller's interval: B, or C where `what` has repositories.

    With nothing solved the ratio is infinite: None, with a lower bound. Where the mean solved is
    not clearly above zero the interval has no upper end: "at least `low`".
    """
    question: Question = "B" if what.groups is None else "C"
    n = len(what.cost)
    if n == 0:
        return nothing(question, "Fieller", "nothing has been measured")
    total, solved = float(what.cost.mean()), float(what.solved.mean())
    if solved == 0:
        low = total / clopper_pearson(0, n, level=level)[1]
        reason = "nothing was solved, so the cost per solved is at least `low`"
        return Estimate(None, low, None, question, "Clopper-Pearson", n, level, reason)
    if n < 2 or (what.groups is not None and what.groups.max() < 1):
        reason = (
            "an interval needs two tasks" if what.groups is None else "it needs two repositories"
        )
        return Estimate(total / solved, None, None, question, "Fieller", n, level, reason)
    low_end, high_end = fieller((total, solved), what.moments, what.quantile(level))
    reason = "" if high_end is not None else "too little was solved for an upper end"
    return Estimate(total / solved, low_end, high_end, question, "Fieller", n, level, reason)


def fieller(
    means: tuple[float, float], moments: tuple[float, float, float], quantile: float
) -> tuple[float | None, float | None]:
    """The ratios that a t test does not reject (Fieller 1954); None for an end that is not."""
    top, bottom = means
    square = quantile**2
    a = bottom**2 - square * moments[1]
    b = top * bottom - square * moments[2]
    c = top**2 - square * moments[0]
    inner = b * b - a * c
    if a > 0 and inner >= 0:
        return (b - sqrt(inner)) / a, (b + sqrt(inner)) / a
    if a < 0 < c:
        # The mean below may be zero: every ratio from the positive root upwards is left.
        return (b - sqrt(inner)) / a, None
    return None, None


def log_delta(what: Spent, *, level: float = 0.95) -> Interval | None:
    """The delta method on the logarithm, to check Fieller's by. None with nothing solved."""
    if len(what.cost) < 2 or what.solved.sum() == 0 or what.cost.sum() == 0:
        return None
    ratio = float(what.cost.mean() / what.solved.mean())
    var_cost, var_solved, cov = what.moments
    se = sqrt(max(0.0, var_cost - 2 * ratio * cov + ratio**2 * var_solved)) / what.solved.mean()
    reach = exp(what.quantile(level) * se / ratio)
    return ratio / reach, ratio * reach


Draws: TypeAlias = Sequence[tuple[Array, Array]]
"""Means of cost and solved of two systems over resampled tasks."""


def drawn(first: Spent, second: Spent, *, seed: int, draws: int = 10_000) -> Draws:
    """Resamples that several answers about one pair may share, and pairs on as many tasks."""
    table = weights(len(first.cost), draws if len(first.cost) else 0, seed) @ _columns(
        first, second
    )
    return _halves(table)


def ratio_of_ratios(
    first: Spent,
    second: Spent,
    *,
    rng: np.random.Generator,
    draws: int | Draws = 10_000,
    level: float = 0.95,
) -> Estimate:
    """How many times dearer a solved issue is under `first`, on the same tasks (B).

    Percentiles of the logarithm over resampled tasks, which both systems share in each draw.
    """
    one, other = (_ratio(*pair) for pair in _taken(first, second, rng, draws))
    if len(first.cost) < 2 or not (first.solved.any() and second.solved.any()):
        return nothing("B", "paired bootstrap", "both must have solved something")
    told = np.isfinite(one) & np.isfinite(other) & (one > 0) & (other > 0)
    if not told.any():
        return nothing("B", "paired bootstrap", "a solved issue must have cost something")
    low, high = np.exp(np.quantile(np.log(one[told]) - np.log(other[told]), _tails(level)))
    value = _point(first) / _point(second)
    n = len(first.cost)
    return Estimate(value, float(low), float(high), "B", "paired bootstrap", n, level)


def marginal(
    first: Spent,
    second: Spent,
    *,
    rng: np.random.Generator,
    draws: int | Draws = 10_000,
    level: float = 0.95,
) -> Estimate:
    """What each issue that `first` solves beyond `second` costs on top, on the same tasks (B).

    None where `first` does not solve more; no upper end where a resample often does not.
    """
    n, method = len(first.cost), "paired bootstrap"
    gain = float(first.solved.mean() - second.solved.mean()) if n else 0.0
    if gain <= 0:
        return nothing("B", method, "the first system does not solve more than the second", n)
    (cost_a, solved_a), (cost_b, solved_b) = _taken(first, second, rng, draws)
    more, extra = solved_a - solved_b, cost_a - cost_b
    # A resample without a gain stands for an unbounded price, not for a negative one.
    ratios = np.where(more > 0, extra / np.where(more > 0, more, 1.0), np.inf)
    low, high = (float(q) for q in np.quantile(ratios, _tails(level), method="nearest"))
    value = float(first.cost.mean() - second.cost.mean()) / gain
    if high == inf:
        reason = "resamples without any gain leave no upper end"
        return Estimate(value, low, None, "B", method, n, level, reason)
    return Estimate(value, low, high, "B", method, n, level)


def on_frontier(
    cost: Array, solved: Array, *, rng: np.random.Generator, draws: int = 2_000
) -> list[float]:
    """The chance of each system (column) that no other both costs less and solves as much.

    Whole tasks (rows) are resampled for all systems at once.
    """
    n = len(cost)
    weights = resampled(n, draws, rng) / n
    spend, rate = weights @ cost, weights @ solved
    beaten = np.zeros_like(spend, dtype=bool)
    for j in range(cost.shape[1]):
        cheap, good = spend[:, [j]] <= spend, rate[:, [j]] >= rate
        beaten |= cheap & good & ((spend[:, [j]] < spend) | (rate[:, [j]] > rate))
    return [float(share) for share in 1 - beaten.mean(axis=0)]


def _sums(groups: npt.NDArray[np.intp], values: Array) -> Array:
    return np.asarray(np.bincount(groups, weights=values - values.mean()), dtype=np.float64)


def _point(what: Spent) -> float:
    return float(what.cost.mean() / what.solved.mean())


def _ratio(cost: Array, solved: Array) -> Array:
    return np.divide(cost, solved, out=np.full_like(cost, np.inf), where=solved > 0)


def _tails(level: float) -> list[float]:
    return [(1 - level) / 2, (1 + level) / 2]


def _taken(first: Spent, second: Spent, rng: np.random.Generator, draws: int | Draws) -> Draws:
    return _resampled(first, second, rng, draws) if isinstance(draws, int) else draws


def _resampled(
    first: Spent, second: Spent, rng: np.random.Generator, draws: int
) -> list[tuple[Array, Array]]:
    """Means of cost and solved of both systems over resampled tasks."""
    n, columns = len(first.cost), _columns(first, second)
    found = [resampled(n, 500, rng) @ columns / n for _ in range(0, draws if n else 0, 500)]
    table = np.concatenate(found) if found else np.empty((0, 4))
    return _halves(table)


def _columns(first: Spent, second: Spent) -> Array:
    if len(first.cost) != len(second.cost):
        counts = f"{len(first.cost)} and {len(second.cost)}"
        raise ValueError(f"{counts} tasks cannot be compared; pair them first")
    return np.stack([first.cost, first.solved, second.cost, second.solved], axis=1)


def _halves(table: Array) -> list[tuple[Array, Array]]:
    return [(table[:, 0], table[:, 1]), (table[:, 2], table[:, 3])]
