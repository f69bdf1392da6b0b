"""A part of a task set, drawn by difficulty: what it says of the whole, and how often it holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import experiment as experiments
from harness.errors import UsageError
from harness.types import Part
from results.report.build import reported
from results.report.plain import as_json
from results.report.subset_text import sentence
from results.report.text import as_text
from results.stats.scores import Array
from results.stats.subsets import Stratum, Whole, shares, strata, whole
from results.subsets import as_json as plain
from results.subsets import draw
from results.systems import systems
from results.table import histories
from tasks.selection import select
from tests.unit.golden import reference
from tests.unit.run_folders import attempt, declared, graded, stored
from tests.unit.test_stats_real import board


def drawn_of(truth: Array, expected: Array, size: int, rng: np.random.Generator) -> Whole:
    """The estimate of a subset of `size` tasks, in ten strata of what was expected."""
    layer = strata(expected, 10)
    groups = [np.flatnonzero(layer == k) for k in range(10)]
    parts = []
    for group, count in zip(groups, shares([len(g) for g in groups], size), strict=True):
        mine = rng.choice(group, count, replace=False)
        part = Stratum(len(group), float(expected[group].mean()), truth[mine], expected[mine])
        parts.append(part)
    return whole(parts)


def test_an_example_by_hand() -> None:
    hard = Stratum(10, 0.2, np.array([0.0, 1.0]), np.array([0.1, 0.3]))
    easy = Stratum(30, 0.8, np.array([1.0, 1.0, 0.0]), np.array([0.9, 0.8, 0.7]))
    found = whole([hard, easy])
    # 1/4 (.2 + .3) + 3/4 (.8 - .1333), from the gaps (-.1, .7) and (.1, .2, -.7).
    assert found.value == pytest.approx(0.25 * 0.5 + 0.75 * (0.8 - 0.4 / 3))
    variance = 1 / 16 * 0.8 * 0.32 / 2 + 9 / 16 * 0.9 * np.var([0.1, 0.2, -0.7], ddof=1) / 3
    assert found.low is not None and found.high is not None and found.value is not None
    assert found.low < found.value - 1.96 * np.sqrt(variance) < found.value < found.high
    assert (found.drawn, found.of) == (5, 40)


def test_a_whole_set_is_no_estimate_and_a_stratum_of_one_measurement_gives_none() -> None:
    all_of_it = Stratum(2, 0.5, np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    assert whole([all_of_it]).value == 0.5 and whole([all_of_it]).low is None
    single = Stratum(5, 0.5, np.array([1.0]), np.array([0.5]))
    assert whole([single]).value is None and "two measured tasks" in whole([single]).reason


def test_strata_are_drawn_in_proportion_and_at_least_twice() -> None:
    assert shares([100, 100, 4], 20) == [9, 9, 2]
    assert sum(shares([73] * 9 + [74], 101)) == 101
    with pytest.raises(ValueError, match="cannot be drawn"):
        shares([10, 10], 3)


def test_the_interval_holds_the_score_of_the_whole_set(replicates: int) -> None:
    rng, held, blind_held, errors, blind_errors = np.random.default_rng(80), 0, 0, 0.0, 0.0
    hard = rng.normal(0, 3, 731)
    rates = 1 / (1 + np.exp(-hard))
    expected = np.mean(rng.random((8, 731)) < rates, axis=0)
    for _ in range(replicates):
        truth = (rng.random(731) < rates).astype(float)
        found = drawn_of(truth, expected, 100, rng)
        assert found.value is not None and found.low is not None and found.high is not None
        held += found.low <= truth.mean() <= found.high
        errors += (found.value - truth.mean()) ** 2
        some = truth[rng.choice(731, 100, replace=False)]
        blind_errors += (some.mean() - truth.mean()) ** 2
        reach = (found.high - found.low) / 2
        blind_held += abs(some.mean() - truth.mean()) <= reach
    assert 0.92 * replicates <= held <= 0.985 * replicates
    assert blind_held < 0.92 * replicates, "tasks drawn blindly need a wider interval"
    assert blind_errors > 1.3 * errors, "difficulty is worth issues"


def test_on_real_runs_it_is_worth_what_was_found_elsewhere() -> None:
    golden = reference()["subsample"]
    names = ("claude-45sonnet", "claude-opus", "gemini-2-5", "gpt-5", "gpt-4o", "gptoss", "kimi")
    runs = [v for k, v in sorted(board()[0].items()) if k.startswith((*names, "claude-sonnet-4"))]
    table = np.stack(runs, axis=1)
    rng = np.random.default_rng(81)
    for size in (100, 200):
        errors, blind = [], []
        for left in range(table.shape[1]):
            kept = ~np.isnan(table[:, left])
            truth = table[kept, left]
            rest = np.delete(table[kept], left, axis=1)
            seen = ~np.isnan(rest)
            expected = np.where(seen, rest, 0).sum(axis=1) / np.maximum(1, seen.sum(axis=1))
            for _ in range(60):
                found = drawn_of(truth, expected, size, rng)
                assert found.value is not None
                errors.append(100 * (found.value - truth.mean()))
                blind.append(100 * (truth[rng.choice(len(truth), size)].mean() - truth.mean()))
        rmse, plain_rmse = np.sqrt(np.mean(np.square(errors))), np.sqrt(np.mean(np.square(blind)))
        assert rmse == pytest.approx(golden[str(size)]["strat_difficulty"]["rmse_pts"], abs=0.35)
        assert 1.2 < (plain_rmse / rmse) ** 2 < 2.6
        assert abs(np.mean(errors)) < 0.4, "without bias"


def earlier(folder: Path, tasks: int = 40) -> Path:
    """A run in which the tasks rise from hard to easy."""
    rng = np.random.default_rng(3)
    records = [
        graded(attempt(f"t{i}", repeat), bool(rng.random() < i / tasks))
        for i in range(tasks)
        for repeat in range(3)
    ]
    return stored(folder, declared(tasks, repeats=3), records).folder


def test_a_drawn_subset_is_selected_run_and_told_of_in_the_report(tmp_path: Path) -> None:
    subset = draw(systems([earlier(tmp_path / "earlier")]), 12, seed=1)
    assert sum(one.weight for one in subset.tasks.values()) == pytest.approx(40)
    assert draw(systems([tmp_path / "earlier"]), 12, seed=1) == subset
    file = tmp_path / "subset.json"
    file.write_text(json.dumps(plain(subset)))
    asked = experiments.Experiment(
        Part("demo"), (Part("m"),), (Part("bash"),), select=(f"subset:{file}",)
    )
    wanted = experiments.checked(asked)
    assert wanted.subset == plain(subset), "the weights are part of what was asked"
    whole_run = declared(40)
    kept = {task: whole_run.tasks[task] for task in sorted(subset.tasks)}
    run = replace(whole_run, tasks=kept, experiment={"subset": wanted.subset})
    found = histories([graded(attempt(task), int(task[1:]) > 20) for task in kept])
    report = reported("part", run, found, fenced={})
    (told,) = report.whole_set.values()
    assert told.value is not None and told.low is not None and (told.drawn, told.of) == (12, 40)
    assert "on all 40 tasks it would have solved" in " ".join(as_text(report).split())
    assert as_json(report)["whole_set"][next(iter(run.conditions))]["of"] == 40
    grown = reported("part", replace(whole_run, experiment=run.experiment), found, fenced={})
    (other,) = grown.whole_set.values()
    assert other.value is None and "other tasks than the subset" in sentence(other)


def test_a_subset_is_all_that_is_selected_and_all_of_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "subset.json"
    file.write_text(json.dumps({"schema": "harness-subset/1", "tasks": {"gone": {}}}))
    with pytest.raises(UsageError, match="1 of its tasks are not there, as 'gone'"):
        select([], globs=[f"subset:{file}"])
    two = experiments.Experiment(
        Part("demo"), (Part("m"),), (Part("bash"),), select=(f"subset:{file}", "a*")
    )
    with pytest.raises(UsageError, match="leave the other terms out"):
        experiments.checked(two)
    file.write_text("[]")
    with pytest.raises(UsageError, match="harness tasks subset"):
        experiments.checked(replace(two, select=(f"subset:{file}",)))
    with pytest.raises(UsageError, match="No such file"):
        experiments.checked(replace(two, select=("subset:/nowhere",)))


def test_too_small_and_too_large_a_subset_is_refused(tmp_path: Path) -> None:
    known = systems([earlier(tmp_path / "earlier")])
    for size in (3, 40):
        with pytest.raises(UsageError, match="a subset of these 40 has 4 or more"):
            draw(known, size, seed=0)
