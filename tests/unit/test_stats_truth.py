"""Intervals against a planted truth, and against the questions that they do not answer.

The negative controls matter as much: a suite that cannot fail proves nothing. 400 replicates have
a Monte-Carlo error of 1.1 points, and the gates are wide; with `--truth=full` they are 3,000, and
the error is 0.4.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from results.stats.cost import per_solved, spent
from results.stats.estimate import Estimate
from results.stats.paired import mcnemar_exact, mcnemar_midp, pairs, tango
from results.stats.score import new_issues, new_repos, rerun
from results.stats.scores import Array

SIZES = np.array([96, 91, 85, 79, 76, 65, 62, 57, 55, 44, 20])
REPOS = np.repeat(np.arange(len(SIZES)), SIZES)
MEAN, OF_REPOS, OF_ISSUES = 0.45, 0.6, 1.8


def expit(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))


def runs(rates: Array, repeats: int, rng: np.random.Generator) -> Array:
    return (rng.random((len(rates), repeats)) < rates[:, None]).astype(float)


def expected_rate(shift: float, sd: float) -> float:
    """The mean of expit of a normal variable, by Gauss and Hermite."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    return float(np.sum(weights * expit(shift + sd * nodes)) / weights.sum())


def coverage(replicates: int, replicate: Callable[[], tuple[Estimate, float]]) -> float:
    held = 0
    for _ in range(replicates):
        found, truth = replicate()
        assert found.low is not None and found.high is not None
        held += found.low <= truth <= found.high
    return held / replicates


@pytest.mark.parametrize("repeats", [2, 3, 5])
def test_the_rerun_interval_covers_reruns(repeats: int, replicates: int) -> None:
    rng = np.random.default_rng(repeats)
    rates = expit(MEAN + OF_ISSUES * rng.standard_normal(len(REPOS)))
    found = coverage(replicates, lambda: (rerun(runs(rates, repeats, rng)), float(rates.mean())))
    assert 0.915 < found < 0.98


def test_the_rerun_interval_does_not_cover_new_issues(replicates: int) -> None:
    rng, truth = np.random.default_rng(20), expected_rate(MEAN, OF_ISSUES)

    def once() -> tuple[Estimate, float]:
        rates = expit(MEAN + OF_ISSUES * rng.standard_normal(len(REPOS)))
        return rerun(runs(rates, 5, rng)), truth

    assert coverage(replicates, once) < 0.75


@pytest.mark.parametrize("repeats", [1, 3])
def test_the_new_issues_interval_covers_new_issues_of_the_same_repositories(
    repeats: int, replicates: int
) -> None:
    rng = np.random.default_rng(30 + repeats)
    shift = MEAN + 0.3 * rng.standard_normal(len(SIZES))
    each = np.array([expected_rate(s, OF_ISSUES) for s in shift])
    truth = float(np.sum(each * SIZES) / SIZES.sum())

    def once() -> tuple[Estimate, float]:
        rates = expit(shift[REPOS] + OF_ISSUES * rng.standard_normal(len(REPOS)))
        return new_issues(runs(rates, repeats, rng)), truth

    assert 0.915 < coverage(replicates, once) < 0.99


def new_world(rng: np.random.Generator) -> Array:
    """Rates where repositories are redrawn too."""
    shift = MEAN + OF_REPOS * rng.standard_normal(len(SIZES))
    return expit(shift[REPOS] + OF_ISSUES * rng.standard_normal(len(REPOS)))


def test_the_new_repositories_interval_covers_new_repositories(replicates: int) -> None:
    truth = expected_rate(MEAN, float(np.hypot(OF_REPOS, OF_ISSUES)))
    rng = np.random.default_rng(40)
    found = coverage(replicates, lambda: (new_repos(runs(new_world(rng), 1, rng), REPOS), truth))
    assert 0.91 < found < 0.985


def test_the_new_issues_interval_does_not_cover_new_repositories(replicates: int) -> None:
    truth = expected_rate(MEAN, float(np.hypot(OF_REPOS, OF_ISSUES)))
    rng = np.random.default_rng(41)
    assert coverage(replicates, lambda: (new_issues(runs(new_world(rng), 1, rng)), truth)) < 0.8


@pytest.mark.parametrize("n", [50, 200])
def test_tango_covers_a_paired_difference(n: int, replicates: int) -> None:
    rng, chances = np.random.default_rng(n), [0.45, 0.15, 0.08, 0.32]

    def once() -> tuple[Estimate, float]:
        kinds = rng.choice(4, size=n, p=chances)
        table = pairs((kinds < 2).astype(float), ((kinds == 0) | (kinds == 2)).astype(float))
        return tango(table), 0.15 - 0.08

    assert 0.915 < coverage(replicates, once) < 0.985


def test_equals_are_rarely_told_apart(replicates: int) -> None:
    rng, exact, midp = np.random.default_rng(50), 0, 0
    for _ in range(replicates):
        rates = expit(MEAN + OF_ISSUES * rng.standard_normal(300))
        both = runs(rates, 2, rng)
        table = pairs(both[:, 0], both[:, 1])
        exact += (mcnemar_exact(table).p or 0) < 0.05
        midp += (mcnemar_midp(table).p or 0) < 0.05
    assert exact <= midp < 0.08 * replicates


@pytest.mark.parametrize("n", [50, 200])
def test_fieller_covers_the_cost_of_a_solved_issue(n: int, replicates: int) -> None:
    rng = np.random.default_rng(60 + n)
    difficulty = rng.standard_normal(200_000)
    rate, dear = expit(MEAN - OF_ISSUES * difficulty), np.exp(0.3 * difficulty)
    truth = float(dear.mean() * np.exp(0.125) / rate.mean())

    def once() -> tuple[Estimate, float]:
        picked = rng.integers(len(difficulty), size=n)
        noise = np.exp(0.5 * rng.standard_normal(n))
        return per_solved(spent(dear[picked] * noise, runs(rate[picked], 1, rng))), truth

    assert 0.91 < coverage(replicates, once) < 0.985
