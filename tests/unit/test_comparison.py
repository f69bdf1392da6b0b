"""Runs compared: on shared tasks only, with words that do not overreach."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.types import Record
from results.comparison import compare
from results.regrades import ONE_PATCH
from results.report.compared import as_json, as_text
from tests.unit.run_folders import attempt, declared, faulted, graded, stored


def run(
    folder: Path, solved: int, tasks: int = 40, repeats: int = 1, usd: float | None = 1.0
) -> Path:
    records = [
        graded(attempt(f"t{i}", r), i < solved, usd=usd)
        for i in range(tasks)
        for r in range(repeats)
    ]
    return stored(folder, declared(tasks, repeats=repeats), records).folder


def test_two_runs_with_one_repeat_are_compared_by_their_discordant_pairs(tmp_path: Path) -> None:
    found = compare([run(tmp_path / "good", 30), run(tmp_path / "bad", 10)])
    (pair,) = found.pairs
    assert pair.shared == 40 and pair.dropped == 0
    assert pair.difference.pairs is not None and pair.difference.pairs.first == 20
    assert pair.difference.new_issues.method == "Tango"
    assert pair.difference.new_issues.value == pytest.approx(0.5)
    assert pair.difference.rerun.low is None and "two repeats" in pair.difference.rerun.reason
    assert pair.p_holm is not None and pair.p_holm < 0.001
    assert pair.word == "better"
    assert [(r.best, r.worst) for r in found.ranks] == [(1, 1), (2, 2)]


def test_a_faulted_attempt_drops_its_pair_and_is_no_zero(tmp_path: Path) -> None:
    good = run(tmp_path / "good", 30)
    records: list[Record] = [graded(attempt(f"t{i}"), i < 30) for i in range(38)]
    records += [faulted(attempt("t38")), faulted(attempt("t39"))]
    other = stored(tmp_path / "other", declared(40), records).folder
    (pair,) = compare([good, other]).pairs
    assert (pair.shared, pair.dropped) == (38, 2)
    assert pair.difference.new_issues.value == 0.0
    assert pair.word in ("undecided", "equivalent")


def test_a_small_difference_is_undecided_and_says_which_margin_would_do(tmp_path: Path) -> None:
    (pair,) = compare([run(tmp_path / "a", 21), run(tmp_path / "b", 20)]).pairs
    assert pair.word == "undecided"
    assert pair.smallest_margin is not None and pair.smallest_margin > 0.02


def test_costs_are_compared_on_the_same_tasks(tmp_path: Path) -> None:
    dear, cheap = run(tmp_path / "dear", 30, usd=4.0), run(tmp_path / "cheap", 10, usd=1.0)
    (pair,) = compare([dear, cheap]).pairs
    assert pair.costs.ratio.value == pytest.approx((4 / 0.75) / (1 / 0.25))
    assert pair.costs.per_extra_solve.value == pytest.approx(3 / 0.5)
    (reverse,) = compare([cheap, dear]).pairs
    assert reverse.costs.per_extra_solve.value == pytest.approx(3 / 0.5)
    assert (pair.costs.extra_of, reverse.costs.extra_of) == ("first", "second")


def test_one_call_without_a_price_leaves_no_cost_to_compare(tmp_path: Path) -> None:
    found = compare([run(tmp_path / "a", 30, usd=None), run(tmp_path / "b", 10)])
    assert found.pairs[0].costs.ratio.value is None
    assert "no price" in found.pairs[0].costs.ratio.reason


def test_what_cost_nothing_has_no_ratio_of_costs(tmp_path: Path) -> None:
    found = compare([run(tmp_path / "a", 30, usd=0.0), run(tmp_path / "b", 10)])
    assert found.pairs[0].costs.ratio.value is None
    assert "cost something" in found.pairs[0].costs.ratio.reason
    assert "a dash for #1 - #2: a solved issue must have cost something" in as_text(found)


def test_two_tasks_that_came_out_alike_prove_nothing(tmp_path: Path) -> None:
    alike = [run(tmp_path / name, 2, tasks=2) for name in ("a", "b")]
    assert compare(alike).pairs[0].word == "undecided"
    apart = [run(tmp_path / "c", 2, 2, repeats=3), run(tmp_path / "d", 0, 2, repeats=3)]
    (pair,) = compare(apart).pairs
    assert (pair.difference.p.p, pair.word) == (None, None)
    assert "same on every task" in as_text(compare(apart))


def test_regrades_give_no_interval_for_reruns(tmp_path: Path) -> None:
    plan = declared(10, "predictions", "editor", repeats=3)
    records = [
        graded(attempt(f"t{i}", r, scaffold), (i + r) % 3 == 0)
        for i in range(10)
        for r in range(3)
        for scaffold in ("predictions", "editor")
    ]
    (pair,) = compare([stored(tmp_path / "two", plan, records).folder]).pairs
    assert (pair.difference.rerun.low, pair.difference.rerun.reason) == (None, ONE_PATCH)
    assert pair.difference.new_issues.value == 0.0


def test_repeats_and_several_conditions_are_compared_pair_by_pair(tmp_path: Path) -> None:
    plan = declared(10, "editor", "bash", repeats=3)
    records = [
        graded(attempt(f"t{i}", r, scaffold), (i + r * (scaffold == "bash")) % 3 == 0)
        for i in range(10)
        for r in range(3)
        for scaffold in ("editor", "bash")
    ]
    two = stored(tmp_path / "two", plan, records).folder
    found = compare([two, run(tmp_path / "third", 5, tasks=10)])
    assert [(p.first, p.second) for p in found.pairs] == [(0, 1), (0, 2), (1, 2)]
    assert found.pairs[0].difference.rerun.low is not None
    assert found.pairs[0].difference.p.method == "paired t"
    assert all((p.p_holm or 0) >= (p.difference.p.p or 0) for p in found.pairs)
    text = as_text(found)
    assert "#1 - #2" in text and "#2 - #3" in text and "rank" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_same_seed_gives_the_same_comparison(tmp_path: Path) -> None:
    folders = [run(tmp_path / "a", 25), run(tmp_path / "b", 12)]
    assert as_json(compare(folders)) == as_json(compare(folders))


def test_the_json_is_json_and_says_its_schema(tmp_path: Path) -> None:
    found = compare([run(tmp_path / "a", 25), run(tmp_path / "b", 12)])
    plain = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert plain["schema"] == "harness-comparison/1"
    assert plain["pairs"][0]["difference"]["new_issues"]["question"] == "B"
    assert "verdicts" not in plain["systems"][0]


def test_one_condition_is_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two conditions"):
        compare([run(tmp_path / "a", 1)])


def test_runs_of_other_revisions_are_not_compared(tmp_path: Path) -> None:
    first = run(tmp_path / "a", 1, tasks=1)
    path = run(tmp_path / "b", 1, tasks=1) / "run.json"
    path.write_text(path.read_text().replace("set@1", "set@2"))
    with pytest.raises(UsageError, match=r"'t0' is from 'set@1' in a and from 'set@2' in b"):
        compare([first, path.parent])


def test_runs_without_a_task_in_common_say_so(tmp_path: Path) -> None:
    one = stored(tmp_path / "a", declared(["x"]), [graded(attempt("x"), True)]).folder
    other = stored(tmp_path / "b", declared(["y"]), [graded(attempt("y"), True)]).folder
    found = compare([one, other])
    assert found.pairs[0].shared == 0 and found.pairs[0].word is None
    assert "no task was measured under both" in as_text(found)


def test_three_systems_have_intervals_that_hold_at_once(tmp_path: Path) -> None:
    found = compare([run(tmp_path / name, n) for name, n in (("a", 30), ("b", 18), ("c", 18))])
    far, _, same = found.pairs
    assert found.together.critical is not None and found.together.critical > 1.96
    alone, together = far.difference.new_issues, far.together
    assert together.method == "max-T" and together.value == alone.value == pytest.approx(0.3)
    assert together.low is not None and alone.low is not None and together.high is not None
    assert 0 < together.low < 0.3 < together.high
    assert same.together.low is None and "do not all say the same" in same.together.reason
    lines = as_text(found).splitlines()
    assert any("B, all pairs" in line for line in lines) and max(map(len, lines)) <= 100
    assert f"{found.together.critical:.2f} standard errors" in " ".join(as_text(found).split())
    plain = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert plain["pairs"][0]["together"]["low"] == together.low
    assert plain["together"]["critical"] == found.together.critical
    assert "B, all pairs" not in as_text(compare([tmp_path / "b", tmp_path / "c"]))
