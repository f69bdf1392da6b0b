"""Whether two systems are alike: a statement of its own, which no large p-value makes."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal, TypeAlias

from results.stats.distributions import t_sf
from results.stats.estimate import Spread

Word: TypeAlias = Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two one-sided tests (TOST) of a difference against a margin that was fixed beforehand."""

    margin: float
    p: float
    low: float
    """Of the interval at level 1 - 2 alpha that has to lie inside the margin."""
    high: float
    smallest_margin: float
    """The least margin that would have passed. Print it always."""


def equivalence(difference: Spread, margin: float, *, alpha: float = 0.05) -> Equivalence:
    """Schuirmann 1987. Of a `Spread` over tasks for new issues, over repositories for new ones."""
    if margin <= 0:
        raise ValueError(f"a margin is above 0, not {margin}")
    low, high = difference.interval(1 - 2 * alpha)
    below = _tail(difference.mean + margin, difference)
    above = _tail(margin - difference.mean, difference)
    return Equivalence(margin, max(below, above), low, high, max(abs(low), abs(high)))


def word(difference: Spread, margin: float, *, alpha: float = 0.05, p: float | None = None) -> Word:
    """What may be said of the first system. "Equivalent" wins: it is the finer statement.

    `p` is that of the difference where it has been adjusted for others; else it is made here.
    """
    if equivalence(difference, margin, alpha=alpha).p < alpha:
        return "equivalent"
    if (difference.p() if p is None else p) < alpha:
        return "better" if difference.mean > 0 else "worse"
    return "undecided"


def _tail(distance: float, difference: Spread) -> float:
    if difference.se == 0:
        return 0.0 if distance > 0 else 1.0
    df = difference.df if difference.df < inf else 1e12
    return t_sf(distance / difference.se, df)
