"""Two systems, several runs each, on the same tasks: the mean of the per-task differences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb, inf, lcm

import numpy as np
import numpy.typing as npt

from results.stats.clusters import clustered, plain
from results.stats.estimate import Estimate, PValue, Question, Spread, estimate, nothing
from results.stats.lattice import tail
from results.stats.scores import (
    Array,
    Labels,
    Scores,
    as_scores,
    labels,
    repeats,
    task_means,
    within,
)

MANY = 20
"""More repositories than this have too many sign patterns to count; they are sampled."""
FINEST = 1000
"""Steps between 0 and 1 beyond which patterns are not counted."""
_UNEVEN = "tasks were repeated too unevenly to count every pattern"
_SHUFFLE = "runs shuffled within tasks, exact"
_FLIP = "sign-flip of tasks, exact"


@dataclass(frozen=True, slots=True)
class Paired:
    """Two systems on the tasks that both have measured, in the same order."""

    first: Scores
    second: Scores
    repos: Labels
    dropped: int
    """Tasks that only one of them has measured."""

    @property
    def differences(self) -> Array:
        """First minus second, task by task, repeats averaged."""
        return task_means(self.first) - task_means(self.second)


def pair(first: npt.ArrayLike, second: npt.ArrayLike, repos: npt.ArrayLike) -> Paired:
    a, b, names = as_scores(first), as_scores(second), np.asarray(repos)
    if not len(a) == len(b) == len(names):
        raise ValueError(f"{len(a)}, {len(b)} and {len(names)} tasks cannot be paired")
    one, other = repeats(a) > 0, repeats(b) > 0
    kept = one & other
    return Paired(a[kept], b[kept], labels(names[kept]), int(np.sum(one ^ other)))


def rerun(paired: Paired, *, level: float = 0.95) -> Estimate:
    """A: would reruns of both on these issues differ by this much?"""
    found, method = rerun_spread(paired), "within-task variance"
    if len(paired.repos) == 0:
        return nothing("A", method, "no task was measured under both")
    if found is None:
        reason = "run-to-run noise needs two repeats of a task under each system"
        return _bare(paired, "A", method, reason, level)
    return estimate(found, "A", method, level=level)


def rerun_spread(paired: Paired) -> Spread | None:
    variance = 0.0
    for table in (paired.first, paired.second):
        inside = within(table)
        if len(inside) == 0:
            return None
        variance += float(inside.mean() * np.sum(1 / repeats(table))) / len(table) ** 2
    mean = float(paired.differences.mean())
    return Spread(mean, float(np.sqrt(variance)), inf, len(paired.repos))


def spread(paired: Paired) -> Spread | None:
    """The mean difference were other tasks drawn (B); None below two tasks."""
    return plain(paired.differences)


def t_test(paired: Paired) -> PValue:
    """B: the paired t test, for several runs of either."""
    found = spread(paired)
    if found is None:
        reason = "fewer than two tasks were measured under both"
        return PValue(None, "B", "paired t", len(paired.repos), reason)
    if found.se == 0:
        reason = "the difference is the same on every task, and that makes no t test"
        return PValue(None, "B", "paired t", found.n, reason)
    return PValue(found.p(), "B", "paired t", found.n)


def new_issues(paired: Paired, *, level: float = 0.95) -> Estimate:
    """B: would the two differ by this much on new issues? t on the per-task differences."""
    found = spread(paired)
    if found is None:
        if len(paired.repos) == 0:
            return nothing("B", "paired t", "no task was measured under both")
        return _bare(paired, "B", "paired t", "an interval needs two tasks", level)
    return estimate(found, "B", "paired t", level=level)


def new_repos(paired: Paired, *, level: float = 0.95) -> Estimate:
    """C: would the two differ by this much on other repositories? Pairing keeps this narrow."""
    method = "paired CR2, Satterthwaite t"
    if len(paired.repos) == 0:
        return nothing("C", method, "no task was measured under both")
    across = clustered(paired.differences, paired.repos)
    if across is None:
        return _bare(paired, "C", method, "it needs two repositories", level)
    found = estimate(across, "C", method, level=level)
    return replace(found, n=len(np.unique(paired.repos)))


def flip_repos(paired: Paired, *, rng: np.random.Generator, draws: int = 20_000) -> PValue:
    """C without a formula: were both alike, each repository's difference could have either sign.

    Exact, over every pattern, up to MANY repositories; sampled with `rng` beyond.
    """
    if len(paired.repos) == 0:
        return PValue(None, "C", "repository sign-flip", 0, "no task was measured under both")
    sums = np.asarray(np.bincount(paired.repos, weights=paired.differences), dtype=np.float64)
    if len(sums) < 2:
        return PValue(None, "C", "repository sign-flip", len(sums), "it needs two repositories")
    if len(sums) > MANY:
        return _sampled_flips(sums, rng, draws)
    signs = 1 - 2 * ((np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))) & 1)
    totals = np.abs(signs @ sums)
    p = float(np.mean(totals >= abs(sums.sum()) - 1e-9))
    return PValue(p, "C", "repository sign-flip, exact", len(sums))


def flip_tasks(paired: Paired) -> PValue:
    """B without a formula: were both alike, each task's difference could have either sign.

    Exact, over every pattern; with one repeat each it is McNemar's exact test.
    """
    if len(paired.repos) == 0:
        return PValue(None, "B", _FLIP, 0, "no task was measured under both")
    steps, grid = _on_grid(paired)
    if grid > FINEST:
        return PValue(None, "B", _FLIP, len(steps), _UNEVEN)
    sizes, times = np.unique(np.abs(steps), return_counts=True)
    flips = [
        ({int(size): 0.5, -int(size): 0.5}, int(count))
        for size, count in zip(sizes, times, strict=True)
        if size
    ]
    return PValue(tail(flips, int(steps.sum())), "B", _FLIP, len(steps))


def _on_grid(paired: Paired) -> tuple[npt.NDArray[np.int64], int]:
    """The tasks' differences as whole numbers of one small step, and how many make up 1."""
    grid = _grid(paired)
    return np.rint(paired.differences * grid).astype(np.int64), grid


def _grid(paired: Paired) -> int:
    counts = np.unique(np.concatenate([repeats(paired.first), repeats(paired.second)]))
    return lcm(*(int(count) for count in counts))


def _sampled_flips(values: Array, rng: np.random.Generator, draws: int) -> PValue:
    seen = 0
    for _ in range(0, draws, 1000):
        signs = rng.integers(0, 2, size=(1000, len(values))) * 2.0 - 1
        seen += int(np.sum(np.abs(signs @ values) >= abs(values.sum()) - 1e-9))
    asked = -(-draws // 1000) * 1000
    return PValue((seen + 1) / (asked + 1), "C", "sign-flip, sampled", len(values))


def shuffle_runs(paired: Paired) -> PValue:
    """A: were both alike on every single task, its runs could be handed to either. Exact.

    This null is "equal on every issue", which is stronger than "equal on average": rejecting it
    does not say which system is better.
    """
    mine, others = repeats(paired.first), repeats(paired.second)
    if len(mine) == 0:
        return PValue(None, "A", _SHUFFLE, 0, "no task was measured under both")
    solved = (np.nansum(paired.first, axis=1) + np.nansum(paired.second, axis=1)).astype(int)
    steps, grid = _on_grid(paired)
    if grid > FINEST:
        return PValue(None, "A", _SHUFFLE, len(mine), _UNEVEN)
    kinds, times = np.unique(np.stack([mine, others, solved]), axis=1, return_counts=True)
    deals = [
        (_dealt(int(m), int(o), int(s), grid), int(count))
        for m, o, s, count in zip(*kinds, times, strict=True)
    ]
    return PValue(tail(deals, int(steps.sum())), "A", _SHUFFLE, len(mine))


def _dealt(mine: int, others: int, solved: int, grid: int) -> dict[int, float]:
    """How a task's difference falls, in steps of the grid, when its solved runs are dealt anew."""
    whole = comb(mine + others, solved)
    return {
        grid * k // mine - grid * (solved - k) // others: comb(mine, k)
        * comb(others, solved - k)
        / whole
        for k in range(max(0, solved - others), min(mine, solved) + 1)
    }


def bootstrap(
    paired: Paired, *, rng: np.random.Generator, draws: int = 10_000, level: float = 0.95
) -> Estimate:
    """B by resampling whole tasks, what lies below them kept; percentile ends."""
    values = paired.differences
    if len(values) < 2:
        return nothing("B", "task bootstrap", "it needs two tasks", len(values))
    means = np.concatenate(
        [
            values[rng.integers(len(values), size=(500, len(values)))].mean(axis=1)
            for _ in range(0, draws, 500)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    mean = float(values.mean())
    return Estimate(mean, float(low), float(high), "B", "task bootstrap", len(values), level)


def correlation(paired: Paired) -> float | None:
    """Phi of the first runs: at most what either system's runs correlate with themselves."""
    a, b = paired.first[:, 0], paired.second[:, 0]
    kept = ~np.isnan(a) & ~np.isnan(b)
    if kept.sum() < 2 or a[kept].std() == 0 or b[kept].std() == 0:
        return None
    return float(np.corrcoef(a[kept], b[kept])[0, 1])


def _bare(paired: Paired, question: Question, method: str, reason: str, level: float) -> Estimate:
    mean, n = float(paired.differences.mean()), len(paired.repos)
    return Estimate(mean, None, None, question, method, n, level, reason)
