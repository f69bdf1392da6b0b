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

    good_failed: float
    """A count, or a sum of shares where a patch was graded several times and counts once."""
    good: int
    """Gradings of reference patches."""
    bad_passed: float
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


def corrected(
    solved: float, graded: int, errors: Errors, *, level: float = 0.95
) -> Corrected | None:
    """A score corrected for its grader, carrying the uncertainty of the correction.

    The interval is that of Lang and Reiczigel 2014, which keeps a width where no control was
    graded wrongly. None where there is nothing to correct with.
    """
    if min(graded, errors.good, errors.bad) == 0:
        return None
    fn, fp = errors.good_failed / errors.good, errors.bad_passed / errors.bad
    value = rogan_gladen(solved / graded, fn, fp)
    if value is None:
        return None
    low, high = _lang_reiczigel(solved, graded, errors, normal_ppf((1 + level) / 2))
    return Corrected(value, (min(low, value), max(high, value)), fn, fp)


def _lang_reiczigel(solved: float, graded: int, errors: Errors, z: float) -> Interval:
    n, good, bad = graded + z * z, errors.good + 2, errors.bad + 2
    p = (solved + z * z / 2) / n
    fn, fp = (errors.good_failed + 1) / good, (errors.bad_passed + 1) / bad
    power = 1 - fn - fp
    if power <= 0:
        return 0.0, 1.0
    value = (p - fp) / power
    of_good, of_bad = fn * (1 - fn) / good, fp * (1 - fp) / bad
    middle = value + 2 * z * z * (value * of_good - (1 - value) * of_bad)
    variance = p * (1 - p) / n + value**2 * of_good + (1 - value) ** 2 * of_bad
    reach = z * sqrt(variance) / power
    return min(1.0, max(0.0, middle - reach)), max(0.0, min(1.0, middle + reach))
