"""How likely the verdict on each patch is to flip, from K gradings of every one: beta-binomial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy import special

from results.stats.flips import at_most
from results.stats.roots import crossing
from results.stats.scores import Array

METHOD = "beta-binomial"
NONE_TWICE = "no patch was graded twice"
_MEANS, _SIZES = 48, 24
_SLIGHT = 1e-5
"""Below so much of the likeliest distribution's weight, one is left out."""


@dataclass(frozen=True, slots=True)
class Chance:
    """The chance that a grading of one patch is not what most of its gradings would be."""

    value: float
    """The mean of what the gradings of this patch and of all others leave likely."""
    low: float
    high: float
    at_most: float | None
    """What its own K gradings leave open, no other patch asked; None where it flipped."""


@dataclass(frozen=True, slots=True)
class FlipChances:
    """Of all patches together, and of each; None and the reason where nothing was graded twice."""

    mean: float | None
    """Of a patch drawn blindly, the chance that a grading is not the usual one."""
    low: float | None
    high: float | None
    variance: float | None
    """The mean of phi (1 - phi): what one grading adds to the variance of a verdict."""
    patches: int
    """How many were graded twice or more."""
    each: Mapping[str, Chance] = field(default_factory=dict)
    """Of each of them."""
    method: str = METHOD
    level: float = 0.95
    reason: str = ""

    @property
    def steady(self) -> Chance | None:
        """Of the patch that never flipped and of which least is known."""
        never = [chance for chance in self.each.values() if chance.at_most is not None]
        return max(never, key=lambda chance: chance.value, default=None)


@dataclass(frozen=True, slots=True)
class _Prior:
    """Beta distributions of a patch's chance, laid out over their means and sizes."""

    a: Array
    b: Array
    weights: Array
    """Logarithms, before anything was graded."""


def untold(reason: str, *, level: float = 0.95) -> FlipChances:
    return FlipChances(None, None, None, None, 0, level=level, reason=reason)


def flip_chances(gradings: Mapping[str, tuple[int, int]], *, level: float = 0.95) -> FlipChances:
    """From (solved, graded) of each patch, by a name. About reruns of the grader alone: A.

    The chance phi of the rarer verdict varies over patches as Beta(a, b) does, and which verdict
    is the right one is not known: both are as likely beforehand, so a count of K is as good as its
    mirror image. (a, b) is not fitted but integrated over (Gelman et al., Bayesian Data Analysis,
    5.3: flat in the mean and in the inverse root of a + b), since two or three gradings of each
    patch could not fix both. `low` and `high` hold `level` of the posterior.
    """
    twice = {name: (min(c, n - c), n) for name, (c, n) in gradings.items() if n > 1}
    if not twice:
        return untold(NONE_TWICE, level=level)
    prior, weights = _kept(_prior(), _weights(_prior(), Counter(twice.values())))
    found = {count: _chance(prior, weights, count, level) for count in set(twice.values())}
    mean, variance = _moments(prior.a, prior.b)
    low, high = _ends(mean, weights, level)
    return FlipChances(
        float(mean @ weights),
        low,
        high,
        float(variance @ weights),
        len(twice),
        {name: found[count] for name, count in twice.items()},
        level=level,
    )


def sd_of_score(chances: FlipChances, tasks: int) -> float | None:
    """How far grading alone moves a score of so many tasks, graded once each: sqrt(sum/n^2)."""
    if chances.variance is None or not tasks:
        return None
    return float(np.sqrt(chances.variance / tasks))


@cache
def _prior() -> _Prior:
    mean = np.geomspace(1e-4, 0.5, _MEANS)
    size = np.geomspace(0.1, 1000.0, _SIZES)
    means, sizes = (grid.ravel() for grid in np.meshgrid(mean, size))
    # Flat in the mean and in size^(-1/2), on points that are even in their logarithms.
    return _Prior(means * sizes, (1 - means) * sizes, np.log(means) - np.log(sizes) / 2)


def _weights(prior: _Prior, counts: Counter[tuple[int, int]]) -> Array:
    """What the gradings leave of each Beta distribution."""
    logs = prior.weights.copy()
    for (rare, n), times in counts.items():
        logs += times * np.logaddexp(*_both(prior, rare, n))
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())


def _kept(prior: _Prior, weights: Array) -> tuple[_Prior, Array]:
    large = weights > _SLIGHT * weights.max()
    kept = _Prior(prior.a[large], prior.b[large], prior.weights[large])
    return kept, np.asarray(weights[large] / weights[large].sum())


def _both(prior: _Prior, rare: int, n: int) -> tuple[Array, Array]:
    """The logarithm of how likely the count is, were the common verdict the right one, or not."""
    whole = special.betaln(prior.a, prior.b)
    return (
        special.betaln(prior.a + rare, prior.b + n - rare) - whole,
        special.betaln(prior.a + n - rare, prior.b + rare) - whole,
    )


def _chance(prior: _Prior, weights: Array, count: tuple[int, int], level: float) -> Chance:
    rare, n = count
    usual, other = _both(prior, rare, n)
    share = np.exp(usual - np.logaddexp(usual, other))
    parts = [
        (prior.a + rare, prior.b + n - rare, weights * share),
        (prior.a + n - rare, prior.b + rare, weights * (1 - share)),
    ]
    value = sum(float(_moments(a, b)[0] @ of) for a, b, of in parts)

    def reached(share: float) -> float:
        def short(chance: float) -> float:
            return share - sum(
                float((special.betainc(a, b, chance) + special.betainc(b, a, chance)) @ of)
                for a, b, of in parts
            )

        return crossing(short, 0.0, 0.5)

    tail = (1 - level) / 2
    none = None if rare else at_most(n, level=level)
    return Chance(value, reached(tail), reached(1 - tail), none)


def _moments(a: Array, b: Array) -> tuple[Array, Array]:
    """The mean of min(x, 1 - x) and of x (1 - x), where x is Beta(a, b)."""
    both = a + b
    folded = a / both * special.betainc(a + 1, b, 0.5) + b / both * special.betainc(b + 1, a, 0.5)
    return np.asarray(folded), np.asarray(a * b / (both * (both + 1)))


def _ends(values: Array, weights: Array, level: float) -> tuple[float, float]:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    tail = (1 - level) / 2
    low, high = np.searchsorted(reached, [tail, 1 - tail])
    last = len(order) - 1
    return float(values[order[min(low, last)]]), float(values[order[min(high, last)]])
