"""Looking while a comparison runs, without fooling oneself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, inf, log, sqrt

from scipy import special

PRIOR = 20.0
"""How near to a half a discordant pair's odds are expected to be: gaps of 5 to 10 points."""


def e_value(first: int, second: int, *, prior: float = PRIOR) -> float:
    """Evidence against "both are alike" in the discordant pairs so far; stop at 1/alpha or more.

    A beta mixture of binomial likelihood ratios: valid at every look (Robbins; Ramdas et al. 2023),
    on one pass over tasks in random order. A second pass over the same tasks breaks it for new
    issues (B).
    """
    if min(first, second) < 0 or prior <= 0:
        raise ValueError(f"no such evidence: {first=} {second=} {prior=}")
    mixed = special.betaln(first + prior, second + prior) - special.betaln(prior, prior)
    logarithm = float(mixed) + (first + second) * log(2)
    return exp(logarithm) if logarithm < 700 else inf


@dataclass(frozen=True, slots=True)
class Look:
    """Where a sequential comparison stands."""

    pairs: int
    first: int
    second: int
    e: float
    """At this look."""
    p: float
    """Valid at every look: one over the largest e so far."""
    stopped_at: int | None
    """After how many pairs 1/alpha was first reached."""


def look(
    outcomes: Iterable[tuple[bool, bool]], *, alpha: float = 0.05, prior: float = PRIOR
) -> Look:
    """Follow pairs of verdicts in the order in which they came in."""
    pairs, first, second = 0, 0, 0
    e, largest, stopped_at = 1.0, 1.0, None
    for one, other in outcomes:
        pairs += 1
        first += one and not other
        second += other and not one
        if one != other:
            e = e_value(first, second, prior=prior)
            largest = max(largest, e)
        if stopped_at is None and largest >= 1 / alpha:
            stopped_at = pairs
    return Look(pairs, first, second, e, 1 / largest, stopped_at)


def confidence_sequence(sd: float, runs: int, *, tuned_for: int, alpha: float = 0.05) -> float:
    """The half-width, around a mean of `runs` outcomes, that holds at all sample sizes at once.

    Asymptotic (Waudby-Smith et al. 2024), narrowest near `tuned_for` outcomes. For question A:
    `sd` is the root of the run variance within tasks, `runs` counts tasks times repeats.
    """
    if runs < 1 or tuned_for < 1:
        raise ValueError(f"a sequence needs outcomes: {runs=} {tuned_for=}")
    rho_squared = (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / tuned_for
    grown = runs * rho_squared + 1
    return sd * sqrt(grown / (runs**2 * rho_squared) * log(grown / alpha**2))
