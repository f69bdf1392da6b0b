"""Anyone's patches, by the command line, out of the declared tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands import harness

pytestmark = pytest.mark.bubblewrap
DEMO = Path(__file__).parents[2] / "tasks" / "demo"
SOLVED, FAILED, MISSING = (
    "humanize-naturalsize-carry",
    "parse-trailing-newline",
    "sqlparse-in-place-truncation",
)
DECLARED = [word for id_ in (SOLVED, FAILED, MISSING) for word in ("--select", id_)]


def gold(id_: str) -> str:
    return (DEMO / id_ / "gold.patch").read_text()


def graded(cwd: Path, predictions: Path, *words: str) -> tuple[dict[str, Any], str]:
    where = ("--sandbox", "bubblewrap", "--into", "run", "--json")
    done = harness("grade", predictions, *DECLARED, *where, *words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_the_denominator_is_the_declared_set(tmp_path: Path) -> None:
    rows = [
        {"instance_id": SOLVED, "model_name_or_path": "m", "model_patch": gold(SOLVED)},
        {"instance_id": FAILED, "model_name_or_path": "m", "model_patch": None},
        {"instance_id": "no-such-task", "model_name_or_path": "m", "model_patch": "x"},
    ]
    predictions = tmp_path / "preds.jsonl"
    predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))

    answer, said = graded(tmp_path, predictions)

    (condition,) = answer["conditions"]
    assert (condition["raw"]["planned"], condition["raw"]["graded"]) == (3, 3)
    assert condition["raw"]["resolved"] == 1
    assert condition["reasons"] == {"resolved": 1, "empty_patch": 1, "not_submitted": 1}
    assert "no declared task" in said and "no-such-task" in said
    assert "1 of 3 declared tasks have no prediction" in said


def test_each_model_of_a_file_is_a_condition_and_times_grades_again(tmp_path: Path) -> None:
    patches = [
        {"instance_id": id_, "patch": gold(id_) if good else "", "prefix": prefix}
        for prefix, good in (("gold", True), ("none", False))
        for id_ in (SOLVED, FAILED, MISSING)
    ]
    predictions = tmp_path / "patches.json"
    predictions.write_text(json.dumps(patches))

    answer, _ = graded(tmp_path, predictions, "--times", "2")

    found = {c["label"].split(" ")[0]: c["raw"] for c in answer["conditions"]}
    assert (found["gold"]["graded"], found["gold"]["resolved"]) == (6, 6)
    assert (found["none"]["graded"], found["none"]["resolved"]) == (6, 0)


def test_a_patch_of_two_systems_is_graded_once_and_nobody_waits_for_it(tmp_path: Path) -> None:
    patches = [
        {"instance_id": id_, "patch": gold(id_), "prefix": prefix}
        for id_ in (SOLVED, FAILED)
        for prefix in ("one", "two")
    ]
    predictions = tmp_path / "patches.json"
    predictions.write_text(json.dumps(patches))

    graded(tmp_path, predictions, "--width", "1")

    lines = (tmp_path / "run" / "ledger.jsonl").read_bytes().splitlines()
    facts = [json.loads(line)["facts"] for line in lines]
    assert [f["grade_reused"] for f in facts if "grade_reused" in f] == [False, False, True, True]
