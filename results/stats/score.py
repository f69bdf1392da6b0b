"""One system's score, with the interval of each question that can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

import numpy as np
import numpy.typing as npt

from results.stats.clusters import clustered, plain
from results.stats.estimate import Estimate, Spread, estimate, nothing
from results.stats.proportion import wilson
from results.stats.scores import as_scores, labels, repeats, task_means, within

RATE = (0.0, 1.0)
FEW = 5.0
"""Degrees of freedom below which a clustered interval is shown with a warning."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """The same score three times: it is the question that decides how wide the interval is."""

    rerun: Estimate
    new_issues: Estimate
    new_repos: Estimate


def intervals(scores: npt.ArrayLike, repos: npt.ArrayLike, *, level: float = 0.95) -> Intervals:
    """The mean over measured tasks under A, B and C. `repos` names each task's repository."""
    table = as_scores(scores)
    kept = repeats(table) > 0
    table, names = table[kept], np.asarray(repos)[kept]
    return Intervals(
        rerun(table, level=level),
        new_issues(table, level=level),
        new_repos(table, names, level=level),
    )


def rerun(scores: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """A: would the same issues, run again, give this? Needs two repeats of some task.

    The run variance is estimated within tasks and averaged, so that a handful of repeats of many
    tasks is enough; the spread of a handful of totals would not be.
    """
    table = as_scores(scores)
    counts = repeats(table)
    table, counts = table[counts > 0], counts[counts > 0]
    method = "within-task variance"
    if len(table) == 0:
        return nothing("A", method, "nothing has been measured")
    mean, inside = float(task_means(table).mean()), within(table)
    if len(inside) == 0:
        reason = "run-to-run noise needs two repeats of a task"
        return Estimate(mean, None, None, "A", method, len(table), level, reason)
    se = np.sqrt(inside.mean() * np.sum(1 / counts)) / len(table)
    return estimate(Spread(mean, float(se), inf, len(table)), "A", method, level=level, within=RATE)


def rerun_totals(scores: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """A where whole repeats differ, as by a bad day: t on the totals of the repeats.

    Wide, since a handful of totals says little of their spread; right where runs share a shock,
    which `rerun` takes for agreement. Only tasks with every repeat enter.
    """
    table = as_scores(scores)
    table = table[~np.isnan(table).any(axis=1)]
    method, runs = "t on run totals", table.shape[1]
    if len(table) == 0 or runs < 2:
        return nothing("A", method, "run totals need two repeats of the same tasks", len(table))
    found = plain(table.mean(axis=0))
    if found is None or found.se == 0:
        reason = "every repeat has the same total, and that makes no interval"
        return Estimate(float(table.mean()), None, None, "A", method, len(table), level, reason)
    return replace(estimate(found, "A", method, level=level, within=RATE), n=len(table))


def new_issues(scores: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """B: would new issues of these repositories give this?

    Wilson's interval where every task was measured once; t on the task means otherwise, or Wilson
    on them where they do not differ at all.
    """
    table = as_scores(scores)
    means = task_means(table)
    means = means[~np.isnan(means)]
    spread = plain(means)
    if len(means) == 0:
        return nothing("B", "wilson", "nothing has been measured")
    if spread is None or spread.se == 0 or repeats(table).max() == 1:
        low, high = wilson(float(means.sum()), len(means), level=level)
        return Estimate(float(means.mean()), low, high, "B", "wilson", len(means), level)
    return estimate(spread, "B", "t on task means", level=level, within=RATE)


def new_repos(scores: npt.ArrayLike, repos: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """C: would other repositories give this? `n` is the number of repositories.

    Repositories that were chosen are not a sample; this says what their spread would mean if they
    were.
    """
    means, method = task_means(as_scores(scores)), "CR2, Satterthwaite t"
    kept = ~np.isnan(means)
    means, groups = means[kept], labels(np.asarray(repos)[kept])
    if len(means) == 0:
        return nothing("C", method, "nothing has been measured")
    count = len(np.unique(groups))
    spread = clustered(means, groups)
    if spread is None:
        reason = "the spread between repositories needs two of them"
        return Estimate(float(means.mean()), None, None, "C", method, count, level, reason)
    found = replace(estimate(spread, "C", method, level=level, within=RATE), n=count)
    if found.low is not None and spread.df < FEW:
        return replace(found, reason=f"only {spread.df:.1f} degrees of freedom")
    return found
