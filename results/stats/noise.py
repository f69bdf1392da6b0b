"""How much of a score is luck: what two runs of one system share, and what they do not."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from results.stats.distributions import chi2_sf, normal_ppf
from results.stats.estimate import PValue
from results.stats.scores import as_scores, repeats, task_means, within


@dataclass(frozen=True, slots=True)
class RunNoise:
    """The variance of a verdict, split between which task it is and how one run fell.

    From the tasks, never from the spread of a few totals: with three runs the coefficient of
    variation of that would be 52%, of this 2.5%.
    """

    tasks: int
    repeats: float
    """The harmonic mean of repeats per task."""
    within: float
    """Run variance: the mean of p(1-p) over tasks, without bias."""
    se_within: float
    between: float
    """Variance of the tasks' true rates; may fall below 0 by chance where it is small."""
    share: float
    """f, the run-noise share. It decides every sample size."""
    correlation: float
    """1 - f: how alike two runs are; ICC(1)."""
    sd_run: float
    """Standard deviation of one rerun's score."""
    agreement: float
    """The chance that two runs give a task the same verdict."""
    reliability: float | None
    """Of a task's mean over all its repeats: Spearman-Brown. None where no two tasks differ."""


def run_noise(scores: npt.ArrayLike) -> RunNoise | None:
    """None without two tasks that were measured twice, or where every verdict is the same."""
    table = as_scores(scores)
    table = table[repeats(table) > 0]
    counts, inside = repeats(table), within(table)
    if len(inside) < 2:
        return None
    v, means = float(inside.mean()), task_means(table)
    between = float(means.var(ddof=1) - v * np.mean(1 / counts))
    if v + between <= 0:
        return None
    share, each = v / (v + between), float(len(counts) / np.sum(1 / counts))
    alike = 1 - share
    grown = 1 + (each - 1) * alike
    return RunNoise(
        tasks=len(table),
        repeats=each,
        within=v,
        se_within=float(inside.std(ddof=1) / sqrt(len(inside))),
        between=between,
        share=share,
        correlation=alike,
        sd_run=sqrt(v / len(table)),
        agreement=1 - 2 * v,
        reliability=each * alike / grown if grown > 1e-12 else None,
    )


def share_interval(scores: npt.ArrayLike, *, level: float = 0.95) -> tuple[float, float] | None:
    """An interval for f, by the jackknife over tasks; None where f itself cannot be had."""
    table = as_scores(scores)
    table = table[repeats(table) > 0]
    whole = run_noise(table)
    if whole is None or len(table) < 3:
        return None
    rest = [run_noise(np.delete(table, i, axis=0)) for i in range(len(table))]
    shares = np.array([noise.share for noise in rest if noise is not None])
    if len(shares) < len(table):
        return None
    n = len(shares)
    se = sqrt((n - 1) / n * float(np.sum((shares - shares.mean()) ** 2)))
    reach = normal_ppf((1 + level) / 2) * se
    return max(0.0, whole.share - reach), whole.share + reach


def cochran(scores: npt.ArrayLike) -> PValue:
    """Cochran's Q: did the runs, as wholes, differ by more than chance? (A shared day, a build.)

    Only tasks with every repeat enter. At five repeats it sees few real shocks, so spread the
    repeats over days by design.
    """
    table = as_scores(scores)
    table, runs = table[~np.isnan(table).any(axis=1)], table.shape[1]
    totals, solved = table.sum(axis=0), table.sum(axis=1)
    spread = float(np.sum(solved * (runs - solved)))
    if runs < 2 or spread == 0:
        reason = "no task was judged both ways in complete repeats"
        return PValue(None, "A", "Cochran Q", len(table), reason)
    q = runs * (runs - 1) * float(np.sum((totals - totals.mean()) ** 2)) / spread
    return PValue(chi2_sf(q, runs - 1), "A", "Cochran Q", len(table))


def batch_ratio(scores: npt.ArrayLike) -> float | None:
    """The variance of the runs' totals over what run noise alone would make it; 1 is none more.

    Only tasks with every repeat enter; None where they leave nothing to compare.
    """
    table = as_scores(scores)
    table = table[~np.isnan(table).any(axis=1)]
    inside = within(table)
    if table.shape[1] < 2 or len(inside) == 0 or inside.mean() == 0:
        return None
    return float(table.mean(axis=0).var(ddof=1) / (inside.mean() / len(table)))


def fleiss_kappa(scores: npt.ArrayLike) -> float | None:
    """Agreement of runs beyond what their common rate gives by chance, over complete tasks."""
    table = as_scores(scores)
    table = table[~np.isnan(table).any(axis=1)]
    if len(table) == 0 or table.shape[1] < 2:
        return None
    rate = float(table.mean())
    chance = rate**2 + (1 - rate) ** 2
    agreed = 1 - 2 * float(within(table).mean())
    return None if chance == 1 else (agreed - chance) / (1 - chance)
