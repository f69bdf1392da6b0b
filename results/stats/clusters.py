"""Standard errors of a mean over tasks that come in repositories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from results.stats.estimate import Spread
from results.stats.scores import Array, Labels, labels

Kind: TypeAlias = Literal["CR0", "CR1", "CR2"]


def clustered(values: Array, groups: Labels, kind: Kind = "CR2") -> Spread | None:
    """The mean of `values` were other clusters drawn; None with fewer than two clusters.

    CR2 with Satterthwaite's degrees of freedom (Bell and McCaffrey 2002; Pustejovsky and Tipton
    2018) holds its level with the dozen repositories that a benchmark has; CR0 and CR1 with t(G-1)
    are there to compare with. `values` may be verdicts, means over repeats or paired differences.
    """
    groups = labels(groups)
    sizes = np.bincount(groups).astype(np.float64)
    n, count = float(len(values)), len(sizes)
    if count < 2:
        return None
    sums = np.bincount(groups, weights=values - values.mean())
    if kind == "CR2":
        se = np.sqrt(np.sum(sums**2 / (1 - sizes / n))) / n
        return Spread(float(values.mean()), float(se), satterthwaite(sizes), len(values))
    grown = count / (count - 1) if kind == "CR1" else 1.0
    se = np.sqrt(grown * np.sum(sums**2)) / n
    return Spread(float(values.mean()), float(se), count - 1.0, len(values))


def satterthwaite(sizes: Array) -> float:
    """Degrees of freedom of the CR2 variance of a mean, from the sizes of its clusters alone."""
    n = sizes.sum()
    root = np.sqrt(1 / (1 - sizes / n))
    middle = np.diag(sizes) - np.outer(sizes, sizes) / n
    weights = np.linalg.eigvalsh(root[:, None] * middle * root[None, :])
    return float(weights.sum() ** 2 / np.sum(weights**2))


def stratified(values: Array, groups: Labels) -> Spread | None:
    """The mean of `values` were other tasks of the same repositories drawn.

    None where a repository has a single task, since its spread cannot be known.
    """
    groups = labels(groups)
    sizes = np.bincount(groups).astype(np.float64)
    if len(sizes) == 0 or sizes.min() < 2:
        return None
    means = np.bincount(groups, weights=values) / sizes
    spreads = np.bincount(groups, weights=(values - means[groups]) ** 2) / (sizes - 1)
    se = np.sqrt(np.sum((sizes / len(values)) ** 2 * spreads / sizes))
    return Spread(float(values.mean()), float(se), float("inf"), len(values))


def plain(values: Array) -> Spread | None:
    """The mean of `values` were other tasks drawn, whatever their repository; None below two."""
    if len(values) < 2:
        return None
    se = values.std(ddof=1) / np.sqrt(len(values))
    return Spread(float(values.mean()), float(se), len(values) - 1.0, len(values))


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much alike tasks of one repository are."""

    icc: float
    """The share of the variance of a task's rate that its repository explains; from ANOVA."""
    size: float
    """The effective number of tasks per repository."""
    design_effect: float
    """By what factor the variance of the mean grows once repositories are redrawn."""


def likeness(values: Array, groups: Labels) -> Likeness | None:
    """The intraclass correlation between tasks of one repository; None without two of them."""
    groups = labels(groups)
    sizes = np.bincount(groups).astype(np.float64)
    n, count = float(len(values)), len(sizes)
    if count < 2 or n <= count:
        return None
    means = np.bincount(groups, weights=values) / sizes
    between = np.sum(sizes * (means - values.mean()) ** 2) / (count - 1)
    inside = np.sum((values - means[groups]) ** 2) / (n - count)
    size = (n - np.sum(sizes**2) / n) / (count - 1)
    if between + inside == 0:
        return None
    icc = float((between - inside) / (between + (size - 1) * inside))
    grown = 1 + (np.sum(sizes**2) / n - 1) * max(0.0, icc)
    return Likeness(icc, float(size), float(grown))
