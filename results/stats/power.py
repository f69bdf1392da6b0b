"""How much measuring a question takes, before any money is spent."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

from results.stats.distributions import normal_cdf, normal_ppf, normal_sf


@dataclass(frozen=True, slots=True)
class Gap:
    """Two systems as one expects them, and what is known of their noise."""

    first: float
    """Pass rate."""
    second: float
    noise: float
    """f, the run-noise share: 0.2 to 0.37 where nothing better is known."""
    correlation: float = 0.9
    """Of the two systems' true rates over tasks."""

    def __post_init__(self) -> None:
        shares = (self.first, self.second, self.noise)
        if not all(0 <= share <= 1 for share in shares) or not -1 <= self.correlation <= 1:
            raise ValueError(f"rates and shares lie between 0 and 1: {self}")

    @property
    def difference(self) -> float:
        return self.first - self.second

    @property
    def run_variance(self) -> float:
        """Of the difference of one run of each on one task, the task given."""
        return self.noise * sum(_spread(self.first, self.second))

    @property
    def task_variance(self) -> float:
        """Of the difference of the two true rates, from task to task."""
        one, other = ((1 - self.noise) * spread for spread in _spread(self.first, self.second))
        return one + other - 2 * self.correlation * sqrt(one * other)


def runs_needed(gap: Gap, tasks: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Repeats of each system that tell them apart on these very tasks (A). Round up."""
    if gap.difference == 0:
        return inf
    return _reach(alpha, power) * gap.run_variance / (tasks * gap.difference**2)


def tasks_needed(gap: Gap, repeats: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Tasks that tell them apart on new issues (B), each run so often by both. Round up."""
    if gap.difference == 0:
        return inf
    variance = gap.task_variance + gap.run_variance / repeats
    return _reach(alpha, power) * variance / gap.difference**2


def repeats_needed(gap: Gap, tasks: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Repeats that tell them apart on new issues (B) with so many tasks; infinite if none can."""
    room = tasks * gap.difference**2 / _reach(alpha, power) - gap.task_variance
    return gap.run_variance / room if room > 0 else inf


def power_rerun(gap: Gap, tasks: int, repeats: int, *, alpha: float = 0.05) -> float:
    """The chance that a gap of this size comes out significant, for A."""
    return _power(gap.difference, gap.run_variance / (tasks * repeats), alpha)


def power_new_issues(gap: Gap, tasks: int, repeats: int, *, alpha: float = 0.05) -> float:
    """The same for B."""
    variance = (gap.task_variance + gap.run_variance / repeats) / tasks
    return _power(gap.difference, variance, alpha)


def detectable(
    gap: Gap, tasks: int, repeats: int, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The smallest difference that would be found with that power on new issues (B)."""
    variance = (gap.task_variance + gap.run_variance / repeats) / tasks
    return sqrt(_reach(alpha, power) * variance)


def runs_for_precision(rate: float, noise: float, tasks: int, se: float) -> float:
    """Repeats after which a single score repeats itself to within `se` (A). Round up."""
    return noise * rate * (1 - rate) / (tasks * se**2)


def _spread(*rates: float) -> list[float]:
    return [rate * (1 - rate) for rate in rates]


def _reach(alpha: float, power: float) -> float:
    return (normal_ppf(1 - alpha / 2) + normal_ppf(power)) ** 2


def _power(difference: float, variance: float, alpha: float) -> float:
    if variance == 0:
        return 1.0 if difference else alpha
    standard, edge = difference / sqrt(variance), normal_ppf(1 - alpha / 2)
    return normal_sf(edge - standard) + normal_cdf(-edge - standard)
