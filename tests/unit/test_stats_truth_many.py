"""Many looks, many systems and a grader that errs, against a planted truth."""

from __future__ import annotations

import numpy as np
import pytest

from results.stats.differences import flip_repos, new_repos, pair, t_test
from results.stats.flips import Errors, corrected
from results.stats.many import holm, max_t, rank_sets
from results.stats.paired import mcnemar_midp, pairs
from results.stats.scores import Array
from results.stats.sequential import look

SIZES = np.array([96, 91, 85, 79, 76, 65, 62, 57, 55, 44, 20])
REPOS = np.repeat(np.arange(len(SIZES)), SIZES)


def solved(rates: Array, rng: np.random.Generator) -> Array:
    return (rng.random(rates.shape) < rates).astype(float)


def test_nine_equal_systems_are_rarely_told_apart(replicates: int) -> None:
    rng, times = np.random.default_rng(70), replicates // 16
    raw = by_holm = by_max_t = missed = 0
    for _ in range(times):
        rates = np.repeat(rng.beta(0.6, 0.5, size=(150, 1)), 9, axis=1)
        table = solved(rates, rng)
        found = max_t(table, rng=rng, draws=1_000)
        by_max_t += any(one.low > 0 or one.high < 0 for one in found.contrasts)
        missed += any((r.best, r.worst) != (1, 9) for r in rank_sets(found, 9))
        two = [(i, j) for i in range(9) for j in range(i)]
        p = [mcnemar_midp(pairs(table[:, i], table[:, j])).p or 0.0 for i, j in two]
        raw += min(p) < 0.05
        by_holm += min(holm(p)) < 0.05
    assert raw > 0.3 * times, "without correction there is always something"
    assert by_holm < 0.12 * times and by_max_t < 0.15 * times
    assert missed == by_max_t


def test_repositories_that_favour_a_system_are_no_evidence_for_new_ones(replicates: int) -> None:
    rng, plain, robust, flipped = np.random.default_rng(71), 0, 0, 0
    for _ in range(replicates):
        lean = 0.15 * rng.standard_normal(len(SIZES))[REPOS]
        rates = np.clip(rng.random(len(REPOS)), 0.2, 0.8)
        ends = (np.clip(rates + side * lean / 2, 0, 1) for side in (1, -1))
        found = pair(*(solved(rate, rng) for rate in ends), REPOS)
        across = new_repos(found)
        assert across.low is not None and across.high is not None
        plain += (t_test(found).p or 0) < 0.05
        robust += not across.low <= 0 <= across.high
        flipped += (flip_repos(found, rng=rng).p or 0) < 0.05
    assert plain > 0.12 * replicates, "the t test of issues answers another question"
    assert robust < 0.09 * replicates and flipped < 0.09 * replicates


def test_looking_after_every_pair_rarely_finds_what_is_not_there(replicates: int) -> None:
    rng, stopped, naive = np.random.default_rng(72), 0, 0
    for _ in range(replicates // 2):
        rates = rng.beta(0.6, 0.5, size=300)
        one, other = solved(rates, rng) > 0, solved(rates, rng) > 0
        stopped += look(zip(one, other, strict=True)).stopped_at is not None
        naive += any(
            (mcnemar_midp(pairs(one[:n], other[:n])).p or 0) < 0.05 for n in range(20, 301, 20)
        )
    assert stopped < 0.06 * (replicates // 2)
    assert naive > 0.12 * (replicates // 2), "looking often at a plain test finds something"


def test_a_corrected_score_covers_the_truth_and_a_raw_one_does_not(replicates: int) -> None:
    rng, truth, fn, fp = np.random.default_rng(73), 0.577, 0.06, 0.03
    held, raw_held, total = 0, 0, 0.0
    for _ in range(replicates):
        good = rng.binomial(20_000, truth)
        seen = int(rng.binomial(good, 1 - fn) + rng.binomial(20_000 - good, fp))
        errors = Errors(int(rng.binomial(731, fn)), 731, int(rng.binomial(731, fp)), 731)
        found = corrected(seen, 20_000, errors)
        assert found is not None
        held += found.interval[0] <= truth <= found.interval[1]
        reach = 1.96 * np.sqrt(seen / 20_000 * (1 - seen / 20_000) / 20_000)
        raw_held += abs(seen / 20_000 - truth) <= reach
        total += found.value
    assert 0.92 < held / replicates < 0.98 and raw_held < 0.1 * replicates
    assert abs(total / replicates - truth) < 0.002


CORNERS = [
    (truth, fn, fp, graded, controls)
    for truth in (0.05, 0.25, 0.577, 0.9)
    for fn, fp in ((0.06, 0.03), (0.01, 0.005), (0.2, 0.1))
    for graded, controls in ((100, 100), (731, 731), (731, 100))
]


@pytest.mark.parametrize(("truth", "fn", "fp", "graded", "controls"), CORNERS)
def test_a_corrected_score_covers_the_truth_wherever_it_lies(
    truth: float, fn: float, fp: float, graded: int, controls: int, replicates: int
) -> None:
    rng, held = np.random.default_rng(74), 0
    for _ in range(replicates):
        good = rng.binomial(graded, truth)
        seen = int(rng.binomial(good, 1 - fn) + rng.binomial(graded - good, fp))
        misses, passes = int(rng.binomial(controls, fn)), int(rng.binomial(controls, fp))
        found = corrected(seen, graded, Errors(misses, controls, passes, controls))
        assert found is not None
        held += found.interval[0] <= truth <= found.interval[1]
    assert held >= 0.925 * replicates, "rather too wide, where few are solved, than too narrow"
