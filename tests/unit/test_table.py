"""Counts, rates and costs: every planned attempt is accounted for, and no fault is a zero."""

from __future__ import annotations

from math import isnan

import pytest

from harness.types import Usage
from results.lines import Damaged
from results.manifest import Manifest
from results.stats.proportion import wilson
from results.table import (
    Cell,
    Summary,
    cells,
    histories,
    laid,
    measured,
    rows,
    score,
    solved,
    stray,
    summarise,
)
from tests.unit.run_folders import attempt, condition, declared, faulted, graded

DIGEST = condition().digest


def summary(manifest: Manifest, *records: object, **changed: object) -> Summary:
    (only,) = summarise(manifest, laid(manifest, histories(records)), **changed)  # type: ignore[arg-type]
    return only


def test_every_planned_attempt_is_graded_faulted_or_owed() -> None:
    found = summary(
        declared(4),
        graded(attempt("t0"), True),
        faulted(attempt("t1"), "model"),
        faulted(attempt("t1"), "sandbox"),
        faulted(attempt("t2"), "grader"),
        graded(attempt("t2"), False),
    )
    assert (found.raw.planned, found.raw.graded, found.owed) == (4, 2, 1)
    assert found.faulted == {"sandbox": 1}, "by the culprit of the last fault"
    assert found.tries == 5
    assert found.endings == {"submitted": 2}
    assert found.reasons == {"resolved": 1, "tests_failed": 1}
    assert found.modes == {"strict": 2}


def test_a_fault_widens_the_bounds_and_leaves_the_rate_alone() -> None:
    ten = declared(10)
    grades = [graded(attempt(f"t{i}"), i < 6) for i in range(8)]
    found = summary(ten, *grades, faulted(attempt("t8")))
    assert found.raw.rate.value == pytest.approx(6 / 8)
    assert (found.raw.rate.low, found.raw.rate.high) == wilson(6, 8)
    assert found.raw.rate.question == "B" and found.raw.rate.n == 8
    assert found.raw.bounds == pytest.approx((0.6, 0.8))


def test_with_repeats_the_interval_rests_on_tasks_and_not_on_attempts() -> None:
    two = declared(2, repeats=10)
    grades = [graded(attempt(f"t{i}", r), i == 0) for i in range(2) for r in range(10)]
    found = summary(two, *grades)
    assert found.raw.rate.value == 0.5
    assert (found.raw.rate.low, found.raw.rate.high) == wilson(1, 2)
    assert "task means" in found.raw.rate.method


def test_every_task_weighs_the_same_however_often_it_was_measured() -> None:
    rate = score([Cell(4, 4, 4), Cell(4, 1, 0, faulted=3)]).rate
    assert rate.value == 0.5


def test_with_nothing_graded_there_is_no_rate_and_a_reason() -> None:
    found = summary(declared(3), faulted(attempt("t0")))
    assert found.raw.rate.value is None and found.raw.rate.reason == "nothing has been graded"
    assert found.raw.bounds == (0.0, 1.0)
    assert found.cost.usd_per_solved.value is None
    assert found.cost.seconds_per_solved.reason == "nothing has been graded"


def test_what_failures_cost_is_part_of_what_a_solved_issue_costs() -> None:
    found = summary(
        declared(3),
        faulted(attempt("t0")),
        graded(attempt("t0"), True, usd=2.0),
        graded(attempt("t1"), False, usd=4.0),
        faulted(attempt("t2")),
    )
    assert found.cost.usd.value == 6.0
    assert found.cost.usd_per_solved.value == 6.0
    assert found.cost.usd_spent.value == 7.0, "the bill has the faulted tries too"
    assert found.cost.seconds_per_solved.value == 60.0
    assert found.cost.seconds_of_all_tries == 80.0
    assert found.cost.clocks.model == 40.0
    assert found.cost.tokens_per_solved.value == 240.0


def test_replayed_replies_are_used_and_not_spent_again() -> None:
    resumed = graded(attempt("t0"), True, usd=2.0, spent=Usage(calls=1, usd=0.5))
    found = summary(declared(1), faulted(attempt("t0"), usd=1.5), resumed)
    assert found.cost.usd.value == 2.0 and found.cost.usd_spent.value == 2.0


def test_one_call_without_a_price_makes_the_cost_null_with_the_reason() -> None:
    found = summary(declared(2), graded(attempt("t0"), True, usd=None), graded(attempt("t1"), True))
    assert found.cost.usd.value is None
    assert found.cost.usd.reason == "1 of 2 graded attempts made a call that has no price"
    assert found.cost.usd_per_solved == found.cost.usd
    assert found.cost.seconds_per_solved.value == 30.0


def test_with_nothing_solved_there_is_no_cost_per_solved() -> None:
    found = summary(declared(1), graded(attempt("t0"), False))
    assert found.cost.usd.value == 1.0
    assert found.cost.usd_per_solved.value is None
    assert found.cost.usd_per_solved.reason == "nothing was solved"


def test_a_quarantined_task_is_in_the_raw_score_and_not_in_the_adjusted() -> None:
    four = declared(4)
    records = [graded(attempt(f"t{i}"), i > 0) for i in range(4)]
    found = summary(four, *records, quarantined=["t0", "elsewhere"])
    assert found.raw.rate.value == 0.75 and found.raw.tasks == 4
    assert found.adjusted and found.adjusted.rate.value == 1.0 and found.adjusted.tasks == 3
    assert summary(four, *records, quarantined=["elsewhere"]).adjusted is None


def test_an_attempt_that_is_graded_twice_is_damage() -> None:
    twice = [graded(attempt("t0"), True), graded(attempt("t0"), False)]
    with pytest.raises(Damaged, match=attempt("t0").id):
        histories(twice)


def test_what_is_not_declared_is_counted_nowhere_but_as_stray() -> None:
    strays = [
        graded(attempt("other"), True),
        graded(attempt("t0", repeat=1), True),
        graded(attempt("t0", scaffold="unheard-of"), True),
    ]
    found = summary(declared(1), *strays)
    assert found.raw.graded == 0 and found.cost.usd.value == 0.0
    assert len(stray(declared(1), histories(strays))) == 3


def test_conditions_are_summed_up_apart_and_in_order() -> None:
    run = declared(1, "bash", "editor")
    found = summarise(run, laid(run, histories([graded(attempt("t0"), True)])))
    assert [(s.label, s.raw.resolved) for s in found] == [("m + bash", 0), ("m + editor", 1)]


def test_cells_and_measurements_show_each_task() -> None:
    run = declared(2, repeats=2)
    found = histories([graded(attempt("t0", 1), True), faulted(attempt("t1", 0))])
    entries = rows(run, found, DIGEST)
    assert cells(run, entries) == {"t0": Cell(2, 1, 1, 0), "t1": Cell(2, 0, 0, 1)}
    assert cells(run, entries)["t1"].owed == 1
    table = measured(entries, solved)
    assert table[0][1] == 1.0 and isnan(table[0][0]) and all(map(isnan, table[1]))
