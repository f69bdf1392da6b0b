"""Attempts without a verdict: four numbers in place of one that pretends."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from results.stats.distributions import normal_cdf
from results.stats.proportion import Interval, bounds
from results.stats.roots import crossing


@dataclass(frozen=True, slots=True)
class WithMissing:
    complete_case: float | None
    """Solved of measured: right only if what is missing is like what is not."""
    as_unsolved: float
    """Solved of declared: the headline, since nothing raises it but solving."""
    bounds: Interval
    """Had all that is missing failed, and passed."""
    interval: Interval
    """For the true rate wherever in the bounds it lies: Imbens and Manski 2004."""


def with_missing(
    solved: int, failed: int, missing: int, *, level: float = 0.95
) -> WithMissing | None:
    """None where nothing was declared."""
    if min(solved, failed, missing) < 0:
        raise ValueError(f"no such counts: {solved=} {failed=} {missing=}")
    declared = solved + failed + missing
    ends = bounds(solved, solved + failed, declared)
    if ends is None:
        return None
    measured = solved + failed
    return WithMissing(
        complete_case=solved / measured if measured else None,
        as_unsolved=ends[0],
        bounds=ends,
        interval=imbens_manski(ends, declared, level=level),
    )


def imbens_manski(ends: Interval, n: int, *, level: float = 0.95) -> Interval:
    """Covers the rate, not the whole set of rates: shorter than two-sided ends would be."""
    low_se, high_se = (sqrt(p * (1 - p) / n) for p in ends)
    wider = max(low_se, high_se)
    if wider == 0:
        return ends
    gap = (ends[1] - ends[0]) / wider

    def short(c: float) -> float:
        return normal_cdf(c + gap) - normal_cdf(-c) - level

    reach = crossing(short, 0.0, 10.0)
    return max(0.0, ends[0] - reach * low_se), min(1.0, ends[1] + reach * high_se)
