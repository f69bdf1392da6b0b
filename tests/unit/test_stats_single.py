"""One system: its three intervals, its noise, pass@k and pass^k, against golden values."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from results.stats.clusters import clustered, likeness, plain, stratified
from results.stats.noise import (
    batch_ratio,
    cochran,
    fleiss_kappa,
    run_noise,
    share_interval,
)
from results.stats.passk import pass_at, pass_hat, pass_k
from results.stats.score import intervals, new_issues, new_repos, rerun
from results.stats.scores import as_scores, labels, task_means
from tests.unit.golden import near, reference, study

CELLS = [f"{model}/{scaffold}" for model in ("m0", "m1", "m2") for scaffold in ("s0", "s1")]


@pytest.mark.parametrize("cell", CELLS)
def test_clustered_errors_have_their_golden_values(cell: str) -> None:
    golden, data = reference()["fixture"]["cells"][cell], study()
    means, groups = task_means(data.table(*cell.split("/"))), labels(data.repos)
    for kind in ("CR0", "CR1", "CR2"):
        found = clustered(means, groups, kind)
        assert found is not None
        assert (found.mean, found.se, found.df) == near(
            tuple(golden[kind][key] for key in ("mean", "se", "df"))
        )
        assert found.interval() == near(golden[kind]["ci"])
    fixed = stratified(means, groups)
    assert fixed is not None
    assert (fixed.se, *fixed.interval()) == near((golden["strat"]["se"], *golden["strat"]["ci"]))
    alike = likeness(means, groups)
    assert alike is not None
    expected = golden["icc_repo"]
    assert (alike.icc, alike.size, alike.design_effect) == near(
        (expected["icc"], expected["n0"], expected["deff"])
    )


@pytest.mark.parametrize("cell", CELLS)
def test_run_noise_has_its_golden_values(cell: str) -> None:
    golden = reference()["fixture"]["cells"][cell]
    table, expected = study().table(*cell.split("/")), golden["run_noise"]
    found = run_noise(table)
    assert found is not None
    names = {
        "tasks": "n",
        "repeats": "R",
        "within": "within",
        "se_within": "se_within",
        "between": "var_p",
        "share": "f",
        "correlation": "rho",
        "sd_run": "sd_run",
        "agreement": "agree",
        "reliability": "spearman_brown",
    }
    for ours, theirs in names.items():
        assert getattr(found, ours) == near(expected[theirs]), ours
    estimate = rerun(table)
    assert estimate.value == near(expected["P"])
    half = 1.959963985 * expected["se_A"]
    assert (estimate.low, estimate.high) == near((expected["P"] - half, expected["P"] + half))
    spread = plain(task_means(table))
    assert spread is not None and spread.se == near(expected["se_B"])
    if expected["batch_ratio"] is not None:
        assert batch_ratio(table) == near(expected["batch_ratio"])
        assert cochran(table).p == near(golden["cochran"]["p"])
        assert fleiss_kappa(table) == near(golden["fleiss_kappa"])


def test_the_interval_of_the_noise_share_holds_what_it_is_of() -> None:
    table = study().table("m0", "s0")
    found, ends = run_noise(table), share_interval(table)
    assert found is not None and ends is not None
    assert 0 < ends[0] < found.share < ends[1] < 1.2


@pytest.mark.parametrize("cell", CELLS)
def test_pass_k_has_its_golden_values(cell: str) -> None:
    golden, table = reference()["fixture"]["cells"][cell]["k"], study().table(*cell.split("/"))
    for k, expected in golden.items():
        found = pass_k(table, int(k))
        assert found.at_least_one.value == near(expected["pass_at"])
        assert found.all_of_them.value == near(expected["pass_hat"])
        assert found.at_least_one.n == expected["n"] == len(table) - found.dropped
        assert found.at_least_one.low is not None and found.at_least_one.value is not None
        assert found.at_least_one.low < found.at_least_one.value


def test_every_golden_count_of_pass_k_is_exact() -> None:
    for case, expected in reference()["pass_k"]["cases"].items():
        counts, k = case.split(" k=")
        solved, tried = map(int, counts.split("/"))
        found = [pass_at(solved, tried, int(k)), pass_hat(solved, tried, int(k))]
        assert found == (pytest.approx(expected, abs=1e-9) if None not in expected else expected)


def test_more_attempts_than_were_made_are_no_estimate() -> None:
    assert pass_at(2, 2, 3) is None and pass_hat(2, 2, 3) is None
    found = pass_k(np.array([[1.0, 0.0], [1.0, nan]]), 2)
    assert (found.dropped, found.at_least_one.n) == (1, 1)
    none = pass_k(np.array([[1.0, 0.0]]), 3)
    assert none.at_least_one.value is None and none.at_least_one.reason
    with pytest.raises(ValueError):
        pass_at(3, 2, 1)


def test_three_questions_have_three_widths_and_say_which_is_which() -> None:
    data = study()
    found = intervals(data.table("m0", "s0"), data.repos)
    letters = [found.rerun.question, found.new_issues.question, found.new_repos.question]
    assert letters == ["A", "B", "C"]
    widths = [
        (e.high or 0) - (e.low or 0) for e in (found.rerun, found.new_issues, found.new_repos)
    ]
    assert widths == sorted(widths)
    assert found.new_repos.n == 8


def test_a_single_run_says_nothing_about_reruns_and_wilson_about_new_issues() -> None:
    once = np.array([1.0] * 319 + [0.0] * 411)
    assert rerun(once).low is None and "two repeats" in rerun(once).reason
    found = new_issues(once)
    assert found.method == "wilson" and (found.low, found.high) == near((0.40142738, 0.473204942))
    assert run_noise(once) is None


def test_one_repository_says_nothing_about_others() -> None:
    found = new_repos(np.array([1.0, 0.0, 1.0]), ["a", "a", "a"])
    assert found.value == pytest.approx(2 / 3)
    assert found.low is None and "two of them" in found.reason


def test_few_repositories_come_with_a_warning() -> None:
    found = new_repos(np.array([1.0, 0.0, 1.0, 0.0, 1.0, 1.0]), list("aabbcc"))
    assert found.low is not None and "degrees of freedom" in found.reason


def test_tasks_without_a_measurement_change_nothing() -> None:
    data = study()
    table = data.table("m2", "s1")
    more = np.vstack([table, np.full((5, 4), nan)])
    repos = [*data.repos, *["new"] * 5]
    assert intervals(more, repos) == intervals(table, data.repos)
    assert run_noise(more) == run_noise(table)


def test_nothing_measured_is_null_with_a_reason() -> None:
    empty = np.full((3, 2), nan)
    for found in (rerun(empty), new_issues(empty), new_repos(empty, list("abc"))):
        assert found.value is None and found.reason == "nothing has been measured"


def test_runs_that_always_agree_have_a_wilson_interval_and_no_noise() -> None:
    table = np.ones((10, 3))
    found = new_issues(table)
    assert found.low is not None and found.low < 0.8 and found.high == 1.0
    assert run_noise(table) is None and cochran(table).p is None
    assert fleiss_kappa(table) is None and batch_ratio(table) is None


def test_repeats_that_never_disagree_make_no_rerun_interval_of_zero_width() -> None:
    found = rerun(np.array([[1.0, 1.0], [0.0, 0.0]]))
    assert found.value == 0.5 and found.low is None and "nothing varied" in found.reason
    alike = new_repos(np.ones((6, 1)), list("aabbcc"))
    assert alike.value == 1.0 and alike.low is None and alike.n == 3


def test_no_interval_of_a_rate_leaves_its_range() -> None:
    found = new_repos(np.array([1.0, 0.0, 1.0, 1.0]), list("aabb"))
    assert found.low is not None and found.high is not None
    assert 0 <= found.low <= found.high <= 1


def test_tasks_that_are_all_alike_have_noise_and_no_reliability() -> None:
    found = run_noise(np.tile([1.0, 0.0], (6, 1)))
    assert found is not None and found.reliability is None and found.agreement == 0.0


def test_likeness_needs_two_repositories_and_two_tasks_of_one() -> None:
    values = np.array([1.0, 0.0])
    assert likeness(values, labels(["a", "a"])) is None
    assert likeness(values, labels(["a", "b"])) is None
    assert stratified(values, labels(["a", "b"])) is None
    assert clustered(values, labels(["a", "a"])) is None


def test_scores_are_a_table() -> None:
    assert as_scores([1, 0]).shape == (2, 1)
    with pytest.raises(ValueError, match="tasks x repeats"):
        as_scores(np.zeros((2, 2, 2)))
