"""Many systems, missing verdicts, flips, looks, sizes, costs and components: golden values."""

from __future__ import annotations

import csv
import re
from math import inf, sqrt

import numpy as np
import pytest

from results.stats.components import components, score_shares, verdict_shares
from results.stats.cost import Spent, log_delta, marginal, on_frontier, per_solved, spent
from results.stats.cost import ratio_of_ratios as dearer
from results.stats.flips import Errors, at_most, corrected, flip_rate, rogan_gladen
from results.stats.many import holm, max_t, rank_sets
from results.stats.missing import with_missing
from results.stats.power import (
    Gap,
    detectable,
    power_new_issues,
    power_rerun,
    repeats_needed,
    runs_for_precision,
    runs_needed,
    tasks_needed,
)
from results.stats.reliability import Design, cheapest, reliability
from results.stats.scores import Array, task_means
from results.stats.sequential import confidence_sequence, e_value, look
from tests.unit.golden import FOLDER, near, reference, study


def systems() -> tuple[list[str], Array]:
    names = reference()["fixture"]["ranks"]["order"]
    return names, np.stack([task_means(study().table(*n.split("/"))) for n in names], axis=1)


def test_holm_has_its_golden_values_in_any_order() -> None:
    golden = reference()["holm"]
    assert holm(golden["p"]) == pytest.approx(golden["adjusted"], abs=1e-12)
    assert holm(golden["p"][::-1]) == pytest.approx(golden["adjusted"][::-1], abs=1e-12)
    assert holm([]) == []


def test_simultaneous_intervals_and_rank_sets_have_their_golden_values() -> None:
    golden = reference()["fixture"]["ranks"]
    _, means = systems()
    found = max_t(means, rng=np.random.default_rng(5), draws=8000)
    assert found.critical == pytest.approx(golden["maxT_crit_MC"], rel=0.03)
    sets = rank_sets(found, means.shape[1])
    assert [s.best for s in sets] == golden["best"]
    assert [s.worst for s in sets] == golden["worst"]


def test_systems_that_never_differ_are_left_out_of_the_contrasts() -> None:
    same = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    found = max_t(same, rng=np.random.default_rng(0), draws=200)
    assert found.left_out == ((0, 1),)
    assert rank_sets(max_t(same[:, :2], rng=np.random.default_rng(0)), 2)[0].worst == 2


def test_bounds_for_missing_verdicts_have_their_golden_values() -> None:
    for case, expected in reference()["mnar_bounds"]["cases"].items():
        found = with_missing(*map(int, re.findall(r"\d+", case)))
        assert found is not None
        assert found.bounds == near(expected["bounds"], 1e-6)
        assert found.interval == near(expected["im_ci"], 1e-6)
        assert found.complete_case == near(expected["complete_case"], 1e-6)
        assert found.as_unsolved == near(expected["itt"], 1e-6)
    assert with_missing(0, 0, 0) is None
    empty = with_missing(0, 0, 5)
    assert empty is not None and empty.complete_case is None and empty.bounds == (0.0, 1.0)


def test_the_correction_for_a_grader_has_its_golden_values() -> None:
    for case, expected in reference()["rogan_gladen"]["cases"].items():
        assert rogan_gladen(*map(float, case.split(","))) == pytest.approx(expected, abs=1e-9)
    assert rogan_gladen(0.5, 0.6, 0.5) is None
    found = corrected(5552, 10_000, Errors(60, 1000, 30, 1000))
    assert found is not None and found.interval[0] < 0.5771 < found.interval[1]
    assert corrected(5, 10, Errors(0, 0, 0, 10)) is None


def test_no_flip_in_k_gradings_leaves_a_bound() -> None:
    assert at_most(1) == pytest.approx(0.95)
    assert at_most(59) == pytest.approx(0.0495, abs=1e-4)
    found = flip_rate(24, 663)
    assert (found.low, found.high) == near((0.0244, 0.0533), 2e-4)
    assert flip_rate(0, 0).value is None


def test_evidence_has_its_golden_values() -> None:
    for case, expected in reference()["sequential_mcnemar_evalue"]["cases"].items():
        b, c, a = re.findall(r"=([\d.]+)", case)
        assert e_value(int(b), int(c), prior=float(a)) == pytest.approx(
            expected, abs=1e-9, rel=1e-9
        )


def test_a_look_stops_where_the_evidence_first_suffices() -> None:
    found = look([(True, True), (False, False)] + [(True, False)] * 60, prior=1.0)
    assert found.stopped_at == 2 + 8 and (found.first, found.second) == (60, 0)
    assert found.p < 1e-9
    quiet = look([(True, False), (False, True)] * 50)
    assert quiet.stopped_at is None and quiet.p == 1 / max(1, 1 / quiet.p)
    assert e_value(5000, 0) == inf


def test_peeking_all_the_time_rarely_stops_on_equals() -> None:
    rng = np.random.default_rng(11)
    stops = 0
    for _ in range(200):
        verdicts = rng.random((150, 2)) < 0.5
        stops += look([(bool(a), bool(b)) for a, b in verdicts]).stopped_at is not None
    assert stops / 200 < 0.08


def test_a_confidence_sequence_costs_about_half_as_much_again() -> None:
    width = confidence_sequence(0.4, 731 * 3, tuned_for=731 * 3)
    assert width / (1.96 * 0.4 / sqrt(731 * 3)) == pytest.approx(1.55, abs=0.1)
    assert confidence_sequence(0.4, 100, tuned_for=1000) > confidence_sequence(
        0.4, 1000, tuned_for=1000
    )


def test_sample_sizes_have_their_golden_values() -> None:
    for case, expected in reference()["sample_size_58.4_vs_57.7"]["cases"].items():
        numbers = dict(re.findall(r"(\w+)=([\d.]+)", case))
        gap = Gap(0.584, 0.577, float(numbers["f"]), float(numbers.get("r", 0.9)))
        if case.startswith("A"):
            assert runs_needed(gap, 731) == near(expected, 1e-6)
        else:
            assert tasks_needed(gap, int(numbers["R"])) == near(expected, 1e-5)


def test_power_has_its_golden_values() -> None:
    checked = 0
    for row in reference()["power_grid"]:
        if row["delta"] != 0.007 or "rho_run" not in row:
            continue
        gap = Gap(0.584, 0.577, row["f"], min(1.0, row["r_true"]) if row["r_true"] <= 1 else 1.0)
        if tasks_needed(gap, 1) != near(row["n_needed_B_R1"], 1e-4):
            gap = Gap(0.584, 0.577, row["f"], row["rho_run"])
        assert tasks_needed(gap, 1) == near(row["n_needed_B_R1"], 1e-4)
        assert tasks_needed(gap, 5) == near(row["n_needed_B_R5"], 1e-4)
        assert detectable(gap, 731, 1) == near(row["mde_R1"], 1e-6)
        assert power_new_issues(gap, 731, 5) == pytest.approx(row["power_R5"], abs=1e-3)
        assert power_rerun(gap, 731, 1) == pytest.approx(row["power_A_R1"], abs=1e-3)
        assert runs_needed(gap, 731) == near(row["R_needed_A"], 1e-6)
        needed = inf if row["R_needed_B"] == "inf" else row["R_needed_B"]
        assert repeats_needed(gap, 731) == near(needed)
        checked += 1
    assert checked


def test_no_number_of_runs_shows_a_difference_that_is_none() -> None:
    gap = Gap(0.5, 0.5, 0.3)
    assert runs_needed(gap, 731) == tasks_needed(gap, 1) == inf
    assert repeats_needed(gap, 731) == inf
    assert power_rerun(gap, 731, 3) == pytest.approx(0.05)
    assert runs_for_precision(0.58, 0.37, 731, 0.005) == pytest.approx(4.93, abs=0.01)
    with pytest.raises(ValueError):
        Gap(58.4, 57.7, 0.3)


@pytest.mark.parametrize("model", ["m0", "m1"])
def test_cost_per_solved_has_its_golden_values(model: str) -> None:
    golden, data = reference()["fixture"]["cost_per_solved_s0"][model], study()
    cost, solved = data.table(model, "s0", "cost_usd"), data.table(model, "s0")
    cases = {
        "instance": spent(cost, solved),
        "repo": spent(cost, solved, data.repos),
        "run0": spent(cost[:, 0], solved[:, 0]),
    }
    for name, what in cases.items():
        found = per_solved(what)
        assert found.value == near(golden[name]["ratio"])
        assert (found.low, found.high) == near(golden[name]["fieller"])
        assert log_delta(what) == near(golden[name]["log_delta"])
    assert per_solved(cases["repo"]).question == "C"


def test_with_nothing_solved_the_cost_has_a_lower_end_only() -> None:
    found = per_solved(spent(np.full(50, 2.0), np.zeros(50)))
    assert found.value is None and found.high is None
    assert found.low == pytest.approx(2.0 / 0.0711, rel=1e-3)
    assert "nothing was solved" in found.reason
    assert log_delta(spent(np.full(50, 2.0), np.zeros(50))) is None


def test_with_little_solved_the_cost_has_no_upper_end() -> None:
    found = per_solved(spent(np.linspace(1, 3, 40), np.array([1.0] + [0.0] * 39)))
    assert found.value == pytest.approx(80.0)
    assert found.high is None and found.low is not None and 0 < found.low < 80
    assert "upper end" in found.reason
    assert per_solved(spent([], [])).value is None
    assert per_solved(spent([1.0], [1.0])).low is None


def oct2025() -> tuple[Spent, Spent]:
    path = FOLDER / "data" / "costs_oct2025.csv"
    if not path.exists():
        pytest.skip("the cost table is not beside this checkout (../shared/data)")
    rows: dict[str, dict[str, tuple[float, float]]] = {"claude-sonnet-4.5": {}, "gpt-5": {}}
    with path.open() as stream:
        for row in csv.DictReader(stream):
            solved = {"True": 1.0, "False": 0.0}.get(row["resolved"])
            if solved is not None and row["usd"]:
                rows[row["model"]][row["instance_id"]] = (float(row["usd"]), solved)
    shared = sorted(rows["claude-sonnet-4.5"].keys() & rows["gpt-5"].keys())
    one, other = (np.array([table[i] for i in shared]) for table in rows.values())
    return spent(one[:, 0], one[:, 1]), spent(other[:, 0], other[:, 1])


def test_two_real_systems_compare_in_cost_as_was_found_elsewhere() -> None:
    golden, (claude, gpt5) = reference()["real_part2"]["cost"], oct2025()
    assert len(claude.cost) == 729
    rng = np.random.default_rng(3)
    ratio = dearer(claude, gpt5, rng=rng, draws=4000)
    expected = golden["ratio_claude_over_gpt5"]
    assert ratio.value == near(expected["point"], 1e-5)
    assert (ratio.low, ratio.high) == pytest.approx(expected["boot"], rel=0.02)
    extra = marginal(claude, gpt5, rng=rng, draws=4000)
    expected = golden["marginal_cost_per_extra_solve"]
    assert extra.value == near(expected["point"], 1e-4)
    assert (extra.low, extra.high) == pytest.approx(expected["boot"], rel=0.08)
    assert marginal(gpt5, claude, rng=rng).value is None


def test_a_system_that_is_dearer_and_worse_is_never_on_the_frontier() -> None:
    rng = np.random.default_rng(2)
    cost = np.column_stack([np.full(80, 1.0), np.full(80, 2.0), np.full(80, 3.0)])
    solved = np.column_stack([np.tile([1.0, 0.0], 40), np.ones(80), np.zeros(80)])
    assert on_frontier(cost, solved, rng=rng) == [1.0, 1.0, 0.0]


def test_variance_components_have_their_golden_values() -> None:
    golden = reference()["fixture"]
    found = components(study().cells(), study().repos, rng=np.random.default_rng(1))
    for name, expected in golden["variance_components"].items():
        assert found[name].variance == near(expected, 1e-8), name
    for name, expected in golden["variance_components_jackknife_MC"].items():
        assert found[name].se == pytest.approx(expected, rel=0.6), name
    parts = [part.variance for name, part in found.items() if name != "total"]
    assert sum(p or 0 for p in parts) == pytest.approx(found["total"].variance)


def test_without_repositories_components_equal_the_balanced_analysis_of_variance() -> None:
    golden = reference()["fixture"]["anova_ems_m0_m1_no_repo"]
    found = components(study().cells()[:, :2])
    for name, expected in golden.items():
        assert found[name].variance == near(expected, 1e-8), name
    assert found["repo"].variance is None and "no repositories" in found["repo"].reason


def test_with_one_run_its_noise_is_not_separable_rather_than_zero() -> None:
    found = components(study().cells()[..., :1], study().repos)
    for name in ("run", "ms_x_instance"):
        assert found[name].variance is None and "not separable" in found[name].reason
    assert found["model"].variance is not None
    assert reliability(found, Design(731, 1, 2)).value is None


def test_one_model_or_scaffold_has_no_decomposition() -> None:
    found = components(study().cells()[:, :1], study().repos)
    assert found["model"].variance is None and "two models" in found["model"].reason


def test_shares_are_of_one_verdict_or_of_differences_between_scores() -> None:
    found = components(study().cells(), study().repos)
    of_scores, of_verdicts = score_shares(found), verdict_shares(found)
    assert sum(v or 0 for v in of_scores.values()) == pytest.approx(1)
    assert of_scores["model"] == pytest.approx(0.652, abs=0.001)
    assert of_verdicts["run"] == pytest.approx(0.6534, abs=0.001)


def test_more_of_anything_makes_a_ranking_more_reliable() -> None:
    found = components(study().cells(), study().repos)
    values = [
        reliability(found, design).value or 0
        for design in (Design(50, 1, 1), Design(731, 1, 1), Design(731, 5, 1), Design(731, 5, 4))
    ]
    assert values == sorted(values) and 0 < values[0] < values[-1] < 1
    best = cheapest(found, (50, 100, 200, 731), (1, 3), (1, 2, 4))
    assert best is not None and (best.value or 0) >= 0.9
    assert cheapest(found, (1,), (1,), (1,)) is None
