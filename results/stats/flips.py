"""Verdicts that do not repeat: how flaky grading is, and what that does to a score."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from results.stats.distributions import normal_ppf
from results.stats.estimate import Estimate, nothing
from results.stats.proportion import Interval, wilson


def flip_rate(flips: int, regraded: int, *, level: float = 0.95) -> Estimate:
    """How often grading the same patch again gave the other verdict. About reruns: A."""
    if regraded == 0:
        return nothing("A", "wilson", "no patch was graded twice")
    low, high = wilson(flips, regraded, level=level)
    return Estimate(flips / regraded, low, high, "A", "wilson", regraded, level)


def at_most(gradings: int, *, level: float = 0.95) -> float:
    """The largest flip chance that K gradings without a flip leave open: 1 - (1-level)^(1/K)."""
    if gradings < 1:
        raise ValueError(f"a bound needs a grading, not {gradings}")
    return float(1 - (1 - level) ** (1 / gradings))


@dataclass(frozen=True, slots=True)
class Errors:
    """A grader's mistakes, counted on patches whose truth is known."""

    good_failed: int
    good: int
    """Gradings of reference patches."""
    bad_passed: int
    bad: int
    """Gradings of empty or broken patches."""


@dataclass(frozen=True, slots=True)
class Corrected:
    value: float
    interval: Interval
    false_negative: float
    false_positive: float


def rogan_gladen(observed: float, false_negative: float, false_positive: float) -> float | None:
    """The true rate behind an observed one (Rogan and Gladen 1978); None for a useless grader."""
    power = 1 - false_negative - false_positive
    if power <= 0:
        return None
    return min(1.0, max(0.0, (observed - false_positive) / power))


def corrected(solved: int, graded: int, errors: Errors, *, level: float = 0.95) -> Corrected | None:
    """A score corrected for its grader, carrying the uncertainty of the correction (delta method).

    None where there is nothing to correct with.
    """
    if min(graded, errors.good, errors.bad) == 0:
        return None
    p, fn, fp = solved / graded, errors.good_failed / errors.good, errors.bad_passed / errors.bad
    value = rogan_gladen(p, fn, fp)
    if value is None:
        return None
    power = 1 - fn - fp
    variance = p * (1 - p) / graded
    variance += value**2 * fn * (1 - fn) / errors.good
    variance += (1 - value) ** 2 * fp * (1 - fp) / errors.bad
    reach = normal_ppf((1 + level) / 2) * sqrt(variance) / power
    return Corrected(value, (max(0.0, value - reach), min(1.0, value + reach)), fn, fp)
