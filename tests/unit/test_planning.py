"""What a study takes and can tell: golden sizes, pilots made of whole cloth, and honest nulls."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UsageError
from harness.types import Brief, Environment, Limits, Record, Task, TaskId
from harness.verbs.planning import Asked
from results.detecting import Known, known, needed, smallest
from results.planning import Given, Pilot, Prior, Study, costs, pilot, predicted
from results.report.planned import Plan, as_json, as_text
from tests.unit.run_folders import attempt, condition, declared, faulted, graded, stored

SAID = Given(rate=0.584, runs_correlation=0.67, systems_correlation=0.9)
NOTHING = Given()


def tasks(count: int, repos: int = 4, image: str = "i") -> list[Task]:
    box = Environment(image, "/w")
    return [
        Task(Brief(TaskId(f"n{i}"), "?", box), {}, "g", "set@1", {"repo": f"acme/{i % repos}"})
        for i in range(count)
    ]


def study(count: int = 20, repeats: int = 1, scaffolds: tuple[str, ...] = ("editor",)) -> Study:
    return Study(tasks(count), tuple(map(condition, scaffolds)), repeats, width=4)


def piloted(folder: Path, count: int = 40, repeats: int = 3, unlike: float = 0.5) -> Pilot:
    """Two scaffolds on tasks of four repositories, of every difficulty; `bash` is the dearer.

    On a share `unlike` of the tasks the two find different things hard.
    """
    rng = np.random.default_rng(3)
    manifest = declared(count, "editor", "bash", repeats=repeats)
    declared_tasks = {
        name: replace(task, facets={"repo": f"acme/{i % 4}"})
        for i, (name, task) in enumerate(manifest.tasks.items())
    }
    rates, others = rng.beta(0.6, 0.6, count), rng.beta(0.6, 0.6, count)
    others = np.where(np.arange(count) < unlike * count, others, rates)
    records: list[Record] = [
        graded(attempt(f"t{i}", repeat, name), bool(rng.random() < of[i]), usd=usd + i % 3)
        for i in range(count)
        for repeat in range(repeats)
        for name, of, usd in (("editor", rates, 1.0), ("bash", others, 2.0))
    ]
    stored(folder, replace(manifest, tasks=declared_tasks), records)
    return pilot(folder)


def test_a_gap_takes_what_the_table_says() -> None:
    found = needed(0.007, 731, (), known(None, None, SAID))
    assert found.reruns.value == 36
    assert found.reruns.question == "A"
    [row] = found.new_issues
    assert dict(row.issues)[1] == pytest.approx(30_970, abs=1)
    assert dict(row.issues)[5] == pytest.approx(10_376, abs=1)
    assert row.repeats is None


def test_a_larger_gap_can_be_had_by_repeats() -> None:
    what = Known(rate=0.58, noise=0.37, likeness=0.9)
    found = needed(0.03, 731, (), what)
    assert (found.reruns.value, found.new_issues[0].repeats) == (3, 4)


def test_where_the_likeness_of_systems_is_unknown_each_case_is_shown() -> None:
    found = needed(0.007, 731, (2,), known(None, None, Given(runs_correlation=0.67)))
    assert [row.likeness for row in found.new_issues] == [0.8, 0.9, 0.95]
    assert all(2 in dict(row.issues) for row in found.new_issues)


def test_an_unknown_rate_takes_what_is_enough_for_any_rate() -> None:
    hardest = needed(0.02, 731, (), known(None, None, Given(runs_correlation=0.67)))
    for rate in (0.1, 0.4, 0.51, 0.9):
        said = Given(rate=rate, runs_correlation=0.67)
        easier = needed(0.02, 731, (), known(None, None, said))
        assert (easier.reruns.value or 0) <= (hardest.reruns.value or 0)


def test_the_smallest_difference_is_what_the_table_says() -> None:
    what = Known(rate=0.58, noise=0.33, likeness=0.9, given=("noise", "likeness"))
    for repeats, points in ((1, 4.6), (5, 2.6)):
        found = smallest(study(731, repeats), what).new_issues
        assert found.value is not None and 100 * found.value == pytest.approx(points, abs=0.05)
        assert found.question == "B"


def test_what_nobody_knows_is_null_with_a_reason_and_a_bound_that_holds() -> None:
    here = study(100, 2)
    found = smallest(here, known(here, None, NOTHING))
    for one in (found.rerun, found.new_issues, found.new_repos):
        assert one.value is None and one.reason
    for noise in (0.0, 0.3, 1.0):
        for likeness in (0.0, 0.5, 1.0):
            true = smallest(here, Known(noise=noise, likeness=likeness))
            assert (true.rerun.value or 0) <= (found.rerun.at_most or 0) + 1e-12
            assert (true.new_issues.value or 0) <= (found.new_issues.at_most or 0) + 1e-12


def test_a_pilot_of_both_systems_tells_all_three_with_intervals(tmp_path: Path) -> None:
    here = study(200, 3, ("editor", "bash"))
    what = known(here, piloted(tmp_path), NOTHING)
    found = smallest(here, what)
    for one in (found.rerun, found.new_issues, found.new_repos):
        assert one.value and one.low and one.high and one.low < one.value < one.high
        assert one.source == "pilot"
    assert (found.rerun.value or 0) < (found.new_issues.value or 0) < (found.new_repos.value or 0)
    assert what.likeness is not None and 0 < what.likeness < 1


def test_systems_that_a_pilot_cannot_tell_apart_give_no_false_certainty(tmp_path: Path) -> None:
    here = study(200, 3, ("editor", "bash"))
    what = known(here, piloted(tmp_path, unlike=0), NOTHING)
    found = smallest(here, what).new_issues
    assert what.likeness == 1
    assert found.value and found.low is None and "the least it can be" in found.reason


def test_a_small_pilot_does_not_tell_how_alike_two_systems_are(tmp_path: Path) -> None:
    here = study(20, 3, ("editor", "bash"))
    found = smallest(here, known(here, piloted(tmp_path, count=10), NOTHING))
    assert found.rerun.value is not None
    assert found.new_issues.value is None and "30 tasks" in found.new_issues.reason


def test_a_pilot_of_one_repeat_does_not_tell_run_noise(tmp_path: Path) -> None:
    here = study(20)
    found = smallest(here, known(here, piloted(tmp_path, repeats=1), NOTHING))
    assert found.rerun.value is None and "--runs-correlation" in found.rerun.reason


def test_what_a_person_says_goes_over_the_pilot(tmp_path: Path) -> None:
    here, run = study(20, 3), piloted(tmp_path)
    what = known(here, run, Given(runs_correlation=0.5))
    assert what.noise == 0.5 and what.source("noise") == "given" and what.source("rate") == "pilot"
    found = costs(here, run, Given(usd=Prior(1, 2, 4)))
    assert (found.usd.low, found.usd.value, found.usd.high) == (60, 120, 240)
    assert found.usd.source == "given" and found.usd.question is None


def test_a_pilot_tells_cost_and_hours_of_each_condition_and_of_all(tmp_path: Path) -> None:
    here = study(60, 2, ("editor", "bash"))
    found = costs(here, piloted(tmp_path), NOTHING)
    editor, bash = found.conditions
    assert editor.usd.value == pytest.approx(120 * (1 + 39 / 40))
    assert bash.usd.value == pytest.approx(120 * (2 + 39 / 40))
    assert found.usd.value == pytest.approx((editor.usd.value or 0) + (bash.usd.value or 0))
    assert found.usd.low and found.usd.high and found.usd.low < found.usd.value < found.usd.high
    # Every attempt took 30 seconds: no interval can be made of that.
    assert found.hours.value == pytest.approx(240 * 30 / 3600 / 4)
    assert found.hours.low is None and "varied" in found.hours.reason
    assert found.disk.result_bytes.value and found.disk.result_bytes.source == "pilot"


def test_a_prediction_interval_holds_the_new_total_as_often_as_it_says() -> None:
    rng, held, draws = np.random.default_rng(11), 0, 400
    for _ in range(draws):
        level = rng.gamma(4.0, 0.25, 30)
        found = predicted(level[:, None] * rng.gamma(9.0, 1 / 9, (30, 2)), 60, 3)
        new = rng.gamma(4.0, 0.25, 60)[:, None] * rng.gamma(9.0, 1 / 9, (60, 3))
        assert found.low is not None and found.high is not None
        held += found.low <= new.sum() <= found.high
    assert 0.91 <= held / draws <= 0.98


def test_tries_that_faulted_are_on_the_bill(tmp_path: Path) -> None:
    run = declared(2)
    records = [graded(attempt("t0"), True), faulted(attempt("t1")), graded(attempt("t1"), False)]
    stored(tmp_path, run, records)
    found = costs(study(10), pilot(tmp_path), NOTHING)
    assert found.usd.value == pytest.approx(10 * 2.5 / 2)
    assert found.hours.value == pytest.approx(10 * 70 / 2 / 3600 / 4)


@pytest.mark.parametrize("usd", [None, 1.0])
def test_a_call_without_a_price_makes_no_forecast(tmp_path: Path, usd: float | None) -> None:
    stored(tmp_path, declared(2), [graded(attempt("t0"), True), graded(attempt("t1"), True, usd)])
    found = costs(study(), pilot(tmp_path), NOTHING).usd
    assert (found.value is None) == (usd is None)
    assert (
        usd or "1 of 2 graded attempts of the pilot made a call that has no price" in found.reason
    )


def test_what_a_pilot_has_not_measured_is_null_and_so_is_the_total(tmp_path: Path) -> None:
    found = costs(study(5, 1, ("editor", "other")), piloted(tmp_path), NOTHING)
    editor, other = found.conditions
    assert editor.usd.value is not None and other.usd.value is None
    assert found.usd.value is None and "m + other" in found.usd.reason


def test_the_limits_of_attempts_bound_what_is_not_known() -> None:
    capped = replace(condition(), limits=Limits(usd=2.0, seconds=None))
    found = costs(replace(study(10, 3), conditions=(capped,)), None, NOTHING)
    assert found.usd.value is None and found.usd.at_most == 60
    assert found.hours.value is None and found.hours.at_most is None


def test_images_are_counted_and_their_size_is_not_guessed() -> None:
    mixed = [*tasks(3, image="a"), *tasks(2, image="b")]
    found = costs(replace(study(), tasks=mixed), None, NOTHING).disk
    assert (found.images, found.recipes) == (2, 0)
    assert found.image_bytes.value is None and "pulled" in found.image_bytes.reason


@pytest.mark.parametrize(("usd_run", "said"), [(1e6, "is enough"), (20.0, "pays for about 51%")])
def test_a_budget_is_set_beside_the_forecast(tmp_path: Path, usd_run: float, said: str) -> None:
    found = costs(replace(study(), usd_run=usd_run), piloted(tmp_path), NOTHING)
    assert any(said in note for note in found.notes)


def test_text_fits_and_names_each_question_and_json_is_plain(tmp_path: Path) -> None:
    for run in (None, piloted(tmp_path)):
        here = study(50, 2, ("editor", "bash"))
        what = known(here, run, NOTHING)
        gap = needed(0.05, 50, (2,), what)
        plan = Plan(what, here, costs(here, run, NOTHING), smallest(here, what), gap)
        text = as_text(plan)
        assert max(map(len, text.splitlines())) <= 100
        assert text.startswith(
            "50 tasks of 4 repositories x 2 conditions x 2 repeats = 200 attempts"
        )
        for words in ("A, a rerun", "B, new issues", "C, new repositories"):
            assert words in text
        plain = json.loads(json.dumps(as_json(plan), allow_nan=False))
        assert plain["schema"] == "harness-plan/1" and plain["attempts"]["total"] == 200


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Asked(usd_per_attempt="1,2"), "LOW,MID,HIGH"),
        (Asked(seconds_per_attempt="3,2,1"), "rise from 0"),
        (Asked(usd_per_attempt="1,2,inf"), "rise from 0"),
        (Asked(runs_correlation=67), "between 0 and 1"),
        (Asked(rate=float("nan")), "between 0 and 1"),
        (Asked(gap=0.0), "in points"),
        (Asked(gap=50, rate=0.4), "more than the better system solves"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(wrong: Asked, said: str) -> None:
    def ask() -> None:
        wrong.given()
        wrong.difference()

    with pytest.raises(UsageError, match=said) as caught:
        ask()
    assert "\n" not in str(caught.value)
