"""Two systems on the same tasks, against golden values."""

from __future__ import annotations

from itertools import combinations
from math import inf, nan

import numpy as np
import pytest

from results.stats import differences
from results.stats.clusters import clustered, plain
from results.stats.differences import Paired, pair
from results.stats.equivalence import equivalence, word
from results.stats.estimate import Spread
from results.stats.paired import (
    Pairs,
    bonett_price,
    mcnemar_exact,
    mcnemar_midp,
    pairs,
    tango,
)
from tests.unit.golden import near, reference, study

COMPARED = ["('m0', 's0')-('m1', 's0')", "('m0', 's0')-('m0', 's1')", "('m1', 's0')-('m2', 's0')"]


def compared(name: str) -> Paired:
    data, (first, second) = study(), name.split("-")
    names = [part.strip("()").replace("'", "").split(", ") for part in (first, second)]
    return pair(data.table(*names[0]), data.table(*names[1]), data.repos)


def test_discordant_pairs_have_their_golden_values() -> None:
    for case, expected in reference()["paired_2x2"]["cases"].items():
        table = Pairs(*map(int, case.split(",")))
        assert table.difference == near(expected["diff"])
        assert mcnemar_exact(table).p == pytest.approx(expected["mcnemar_exact"], abs=1e-8)
        assert mcnemar_midp(table).p == pytest.approx(expected["mcnemar_midp"], abs=1e-8)
        found = tango(table)
        assert (found.low, found.high) == near(expected["tango"], 1e-6)
        assert bonett_price(table) == near(expected["bonett_price"], 1e-6)


def test_no_disagreement_is_p_one_and_an_interval_still() -> None:
    table = Pairs(30, 0, 0, 20)
    assert mcnemar_exact(table).p == mcnemar_midp(table).p == 1.0
    found = tango(table)
    assert found.low is not None and found.low < 0 < (found.high or 0)
    assert mcnemar_midp(Pairs(1, 3, 3, 1)).p == pytest.approx(1.0)


@pytest.mark.parametrize("table", [Pairs(0, 5, 0, 0), Pairs(0, 0, 5, 0), Pairs(0, 1, 1, 0)])
def test_extreme_tables_stay_within_minus_one_and_one(table: Pairs) -> None:
    found = tango(table)
    assert found.value is not None and found.low is not None and found.high is not None
    assert -1 <= found.low <= found.value <= found.high <= 1


def test_without_a_shared_task_there_is_no_comparison() -> None:
    table = pairs([1.0, nan], [nan, 0.0])
    assert table.n == 0 and table.difference is None
    assert tango(table).value is None and bonett_price(table) is None
    with pytest.raises(ValueError):
        pairs([1.0], [1.0, 0.0])


def test_a_pair_with_one_side_missing_is_dropped() -> None:
    assert pairs([1, 1, nan, 0, 0], [1, 0, 1, nan, 1]) == Pairs(1, 1, 1, 0)


@pytest.mark.parametrize("name", COMPARED)
def test_paired_differences_have_their_golden_values(name: str) -> None:
    golden, found = reference()["fixture"]["paired"][name], compared(name)
    expected = golden["repeats"]
    a, b = differences.rerun_spread(found), plain(found.differences)
    c = clustered(found.differences, found.repos)
    assert a and b and c
    assert (a.mean, a.se, b.se, c.se, c.df) == near(
        tuple(expected[key] for key in ("diff", "se_A", "se_B", "se_C", "df_C"))
    )
    assert (a.p(), b.p()) == near((golden["p_z_A"], golden["p_t_B"]))
    third = differences.new_repos(found)
    assert (third.low, third.high) == near(expected["ci_C"])
    assert third.n == 8 and third.question == "C"
    first_runs = pairs(found.first[:, 0], found.second[:, 0])
    run = golden["run0"]
    assert (first_runs.both, first_runs.first, first_runs.second) == (
        run["n11"],
        run["b"],
        run["c"],
    )
    assert mcnemar_midp(first_runs).p == near(run["midp"])


@pytest.mark.parametrize("name", COMPARED)
def test_equivalence_has_its_golden_values(name: str) -> None:
    golden, found = reference()["fixture"]["paired"][name], compared(name)
    for spread, key in (
        (plain(found.differences), "tost_5pt"),
        (clustered(found.differences, found.repos), "tost_5pt_repo"),
    ):
        assert spread is not None
        tested = equivalence(spread, 0.05)
        expected = golden[key]
        assert (tested.p, tested.smallest_margin) == near(
            (expected["p"], expected["smallest_margin"])
        )
        assert (tested.low, tested.high) == near(expected["ci90"])


@pytest.mark.parametrize("name", COMPARED)
def test_permutations_agree_with_golden_values(name: str) -> None:
    golden, found = reference()["fixture"]["paired"][name], compared(name)
    rng = np.random.default_rng(7)
    flipped = differences.flip_repos(found, rng=rng)
    assert flipped.p == near(golden["p_signflip_repo_exact"]) and "exact" in flipped.method
    by_task = differences.flip_tasks(found)
    assert by_task.p == pytest.approx(golden["p_t_B"], abs=0.003)
    shuffled = differences.shuffle_runs(found)
    assert shuffled.p == pytest.approx(golden["p_within_perm_MC"], abs=0.0015)
    drawn = differences.bootstrap(found, rng=rng, draws=4000)
    assert drawn.low is not None and drawn.high is not None
    half = (drawn.high - drawn.low) / 2 / 1.96
    assert half == pytest.approx(golden["boot_se_instance_MC"], rel=0.06)


def test_signs_of_tasks_flipped_are_mcnemars_exact_test_with_one_repeat() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random((200, 1)) < 0.6, rng.random((200, 1)) < 0.5
    found = pair(a.astype(float), b.astype(float), ["r"] * 200)
    exact = mcnemar_exact(pairs(found.first[:, 0], found.second[:, 0]))
    assert differences.flip_tasks(found).p == pytest.approx(exact.p, rel=1e-9)


def test_dealing_runs_anew_counts_every_pattern_of_a_small_case() -> None:
    first, second = [[1.0, 1.0, nan], [1.0, 0.0, 1.0]], [[0.0, 1.0], [0.0, 0.0]]
    found, seen = pair(first, second, ["r", "r"]), []
    for one in combinations([1, 1, 0, 1], 2):
        for other in combinations([1, 0, 1, 0, 0], 3):
            dealt = sum(one) / 2 - (3 - sum(one)) / 2 + sum(other) / 3 - (2 - sum(other)) / 2
            seen.append(abs(dealt / 2) >= abs(found.differences.mean()) - 1e-9)
    assert differences.shuffle_runs(found).p == pytest.approx(float(np.mean(seen)))


def test_many_repositories_are_flipped_by_sampling() -> None:
    rng = np.random.default_rng(1)
    a, b = np.ones((60, 1)), np.zeros((60, 1))
    found = differences.flip_repos(
        pair(a, b, [f"r{i % 30}" for i in range(60)]), rng=rng, draws=1000
    )
    assert found.p is not None and found.p < 0.01 and "sampled" in found.method


def test_tasks_that_one_system_lacks_are_dropped_and_counted() -> None:
    found = pair([[1.0], [nan], [0.0]], [[0.0], [1.0], [nan]], ["a", "b", "c"])
    assert len(found.differences) == 1 and found.dropped == 2
    with pytest.raises(ValueError, match="cannot be paired"):
        pair([1.0], [1.0, 0.0], ["a"])


def test_what_cannot_be_said_is_null_with_a_reason() -> None:
    rng = np.random.default_rng(0)
    none = pair([[nan]], [[1.0]], ["a"])
    for found in (
        differences.rerun(none),
        differences.new_issues(none),
        differences.new_repos(none),
        differences.bootstrap(none, rng=rng),
    ):
        assert found.value is None and found.reason
    for tested in (
        differences.flip_repos(none, rng=rng),
        differences.flip_tasks(none),
        differences.shuffle_runs(none),
    ):
        assert tested.p is None and tested.reason
    single = pair([[1.0]], [[0.0]], ["a"])
    for bare in (
        differences.rerun(single),
        differences.new_issues(single),
        differences.new_repos(single),
    ):
        assert bare.value == 1.0 and bare.low is None and bare.reason
    assert differences.correlation(single) is None


def test_the_words_never_call_a_large_p_a_tie() -> None:
    assert word(Spread(0.10, 0.02, inf, 700), 0.02) == "better"
    assert word(Spread(-0.10, 0.02, inf, 700), 0.02) == "worse"
    assert word(Spread(0.01, 0.02, inf, 700), 0.02) == "undecided"
    assert word(Spread(0.001, 0.005, inf, 700), 0.02) == "equivalent"
    assert word(Spread(0.0, 0.0, 5, 6), 0.02) == "equivalent"
    with pytest.raises(ValueError):
        equivalence(Spread(0.0, 0.1, 5, 6), 0.0)
