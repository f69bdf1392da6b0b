"""pass@k and pass^k: at least one of k attempts, and all of them, without bias."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from results.stats.clusters import clustered, plain
from results.stats.estimate import Estimate, Question, estimate, nothing
from results.stats.scores import Array, Labels, as_scores, labels, repeats


@dataclass(frozen=True, slots=True)
class PassK:
    k: int
    at_least_one: Estimate
    """pass@k."""
    all_of_them: Estimate
    """pass^k."""
    dropped: int
    """Tasks with fewer than k measurements: they say nothing about k attempts."""


def pass_at(solved: int, tried: int, k: int) -> float | None:
    """P(at least one of k attempts solves it): Chen et al. 2021. None where k > tried, never 1."""
    _check(solved, tried, k)
    return None if k > tried else 1 - comb(tried - solved, k) / comb(tried, k)


def pass_hat(solved: int, tried: int, k: int) -> float | None:
    """P(all of k attempts solve it): Yao et al. 2024, tau-bench. None where k > tried."""
    _check(solved, tried, k)
    return None if k > tried else comb(solved, k) / comb(tried, k)


def pass_k(
    scores: npt.ArrayLike, k: int, *, repos: npt.ArrayLike | None = None, level: float = 0.95
) -> PassK:
    """Both, averaged over the tasks that were measured k times or more.

    The interval is for new issues (B), or with `repos` for new repositories (C).
    """
    table = as_scores(scores)
    counts = repeats(table)
    kept = counts >= k
    solved = np.nansum(table, axis=1).astype(int)[kept].tolist()
    tried = counts[kept].tolist()
    groups = None if repos is None else labels(np.asarray(repos)[kept])
    one = np.array([pass_at(c, n, k) for c, n in zip(solved, tried, strict=True)], dtype=float)
    every = np.array([pass_hat(c, n, k) for c, n in zip(solved, tried, strict=True)], dtype=float)
    return PassK(
        k,
        _mean(one, groups, f"pass@{k}", level),
        _mean(every, groups, f"pass^{k}", level),
        int(np.sum((counts > 0) & ~kept)),
    )


def _mean(values: Array, groups: Labels | None, method: str, level: float) -> Estimate:
    question: Question = "B" if groups is None else "C"
    if len(values) == 0:
        return nothing(question, method, "no task was measured that often")
    spread = plain(values) if groups is None else clustered(values, groups)
    if spread is None:
        reason = f"an interval needs two {'tasks' if groups is None else 'repositories'}"
        mean, n = float(values.mean()), len(values)
        return Estimate(mean, None, None, question, method, n, level, reason)
    return estimate(spread, question, method, level=level, within=(0.0, 1.0))


def _check(solved: int, tried: int, k: int) -> None:
    if not (0 <= solved <= tried and k >= 1):
        raise ValueError(f"no such estimate: {solved=} {tried=} {k=}")
