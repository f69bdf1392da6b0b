"""Published figures: what they say of each other, and beside a run of one's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from results.exchange.imported import Batch, Declaration, Imported, Outcome, taken
from results.manifest import Declared
from results.published.against import Board, Versus, against, board
from results.published.claims import claims
from results.published.text import as_json, as_text
from results.systems import System, systems
from tests.unit.run_folders import BY, attempt, declared, graded, stored

README = Path(__file__).parents[2] / "README.md"


def own(
    solved: int, measured: int, repeats: int = 1, origin: str = "swebench-pro@1"
) -> list[System]:
    outcomes = [
        Outcome(f"i{i}", "resolved" if i < solved else "tests_failed", repeat)
        for i in range(measured)
        for repeat in range(repeats)
    ]
    found = Imported("mine", "csv", "0" * 12, (Batch("m", "", tuple(outcomes)),))
    tasks = {f"i{i}": Declared(origin, {"repo": "a/b"}) for i in range(731)}
    return systems([taken(found, Declaration(tasks), BY)])


def first_pair(found: Board) -> Versus:
    return found.pairs[0]


def test_the_claims_are_facts_with_source_and_date() -> None:
    facts = claims()
    assert [(claim.model, claim.percent) for claim in facts.claims] == [
        ("GLM-5.1", 58.4),
        ("GPT-5.4", 57.7),
        ("Claude Opus 4.6", 57.3),
        ("Gemini 3.1 Pro", 55.1),
        ("GLM-5", 55.1),
    ]
    assert all(claim.source and claim.date.startswith("2026-04") for claim in facts.claims)
    assert [facts.solved(claim) for claim in facts.claims] == [427, 422, 419, 403, 403]


def test_58_4_against_57_7_is_five_issues_and_undecided() -> None:
    found = first_pair(board(claims()))
    assert (found.first, found.second, found.issues, found.word) == (0, 1, 5, "undecided")
    assert [round(each.p, 2) for each in found.disagreements] == [0.64, 0.74, 0.79]
    spans = [(round(100 * d.low, 1), round(100 * d.high, 1)) for d in found.disagreements]
    assert spans == [(-1.6, 3.0), (-2.6, 4.0), (-3.3, 4.7)]
    assert found.reversed and [round(100 * r) for r in found.reversed] == [27, 35]
    assert found.runs == (22, 54)


def test_the_readme_says_what_the_command_says() -> None:
    """Row by row: points, issues, the three p-values, the ends, the reruns and the runs."""
    said = {}
    for line in as_text(board(claims())).splitlines():
        if found := re.match(r"#(\d) - #(\d)\s+(.+)", line):
            said[found[1] + found[2]] = re.findall(r"[-+]?\d*\.?\d+|undecided|depends", found[3])
    rows = [row for row in README.read_text().splitlines() if row.startswith("| GLM-5.1 58.4 - ")]
    assert len(rows) == 3
    for row, pairs in zip(rows, (["12"], ["13"], ["14", "15"]), strict=True):
        points, issues, p, ends, rerun, runs, word = row.strip("| ").split(" | ")[1:]
        told = [points, f"+{issues}", *(f"0{one}" for one in p.split(" / ")), *ends.split(" to ")]
        low, high = rerun.strip("%").split("-")
        least, most = runs.split("-")
        told += [low, f"-{high}", least, f"-{most}", word.split()[0]]
        for name in pairs:
            assert said[name] == told, (name, row)


def test_what_turns_on_the_number_of_disagreements_says_so() -> None:
    pairs = {(p.first, p.second): p for p in board(claims()).pairs}
    assert len(pairs) == 10
    assert pairs[0, 3].word == "depends"
    assert round(pairs[0, 3].disagreements[0].p, 3) == 0.007
    assert round(pairs[0, 3].disagreements[-1].p, 2) == 0.12
    assert round(min(d.p for d in pairs[0, 2].disagreements), 2) == 0.42
    assert pairs[3, 4].reversed is None and pairs[3, 4].runs is None


def test_ones_own_run_of_all_tasks_is_set_beside_each_claim() -> None:
    found = against(claims(), own(450, 731))
    assert [figure.name for figure in found.figures][:2] == ["m (imported, csv)", "GLM-5.1"]
    assert [(p.first, p.second) for p in found.pairs] == [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]
    assert first_pair(found).issues == 23
    assert {p.word for p in found.pairs} <= {"undecided", "depends", "differ"}


def test_a_gap_larger_than_the_disagreements_allow_is_told_at_the_others() -> None:
    far = first_pair(against(claims(), own(200, 731)))
    assert far.word == "differ" and [d.share for d in far.disagreements] == []
    near = first_pair(against(claims(), own(320, 731)))
    assert [d.share for d in near.disagreements] == [0.2, 0.3]


def test_a_part_of_the_tasks_is_another_sample_and_the_report_says_so() -> None:
    found = against(claims(), own(60, 100))
    pair = first_pair(found)
    assert pair.issues is None and pair.disagreements == ()
    assert pair.high - pair.low > 0.15 and pair.word == "undecided"
    assert "measured on 100 of 731 tasks" in as_text(found)


def test_repeats_are_not_set_against_one_run_task_by_task() -> None:
    pair = first_pair(against(claims(), own(450, 731, repeats=3)))
    assert pair.issues is None and pair.low < 0.0316 < pair.high


def test_a_run_on_other_tasks_is_not_compared(tmp_path: Path) -> None:
    store = stored(tmp_path / "run", declared(2), [graded(attempt("t0"), True)])
    found = against(claims(), systems([store.folder]))
    assert found.pairs == ()
    assert "its tasks are not those of SWE-Bench Pro" in " ".join(as_text(found).split())


def test_a_run_with_nothing_graded_has_no_figure() -> None:
    found = against(claims(), own(0, 0))
    assert len(found.figures) == 5 and found.pairs == ()
    assert "nothing of it has been graded" in as_text(found)


@pytest.mark.parametrize("width", [60, 100])
def test_the_text_is_no_wider_than_it_was_told(width: int) -> None:
    for found in (board(claims()), against(claims(), own(450, 731))):
        assert max(map(len, as_text(found, width=width).splitlines())) <= width


def test_the_json_is_json_and_says_its_schema() -> None:
    plain = json.loads(json.dumps(as_json(board(claims())), allow_nan=False))
    assert plain["schema"] == "harness-published/1"
    assert plain["figures"][0]["source"]
