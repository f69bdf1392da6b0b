"""plan as a process; tests/unit/test_planning.py looks closer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.commands import harness
from tests.unit.run_folders import attempt, declared, graded, stored

DEMO = ("--tasks", "demo", "--model", "m", "--scaffold", "editor")


def test_a_gap_alone_needs_no_experiment(tmp_path: Path) -> None:
    words = ("--gap", "0.7", "--runs-correlation", "0.67", "--rate", "0.584")
    done = harness("plan", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "A, a rerun of these issues, all 731 of them: 36 repeats of each system" in done.stdout
    assert "on 731 issues no number of repeats is enough" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_experiment_is_planned_with_no_endpoint_no_box_and_no_folder(tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_text('tasks = "demo"\nmodels = ["m"]\nscaffolds = ["editor"]\n')
    as_for_run = ("--seed", "1", "--base-url", "http://127.0.0.1:9/v1", "--into", "there")
    done = harness("plan", "e.toml", "--repeats", "3", *as_for_run, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["attempts"]["total"] == 3 * told["attempts"]["tasks"] > 0
    assert told["costs"]["usd"]["value"] is None and "--pilot" in told["costs"]["usd"]["reason"]
    assert told["needed"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["e.toml"]


def test_a_pilot_foretells_what_it_has_measured(tmp_path: Path) -> None:
    records = [
        graded(attempt(f"t{i}", repeat), (i + repeat) % 3 == 0, usd=1.0 + i)
        for i in range(4)
        for repeat in range(2)
    ]
    stored(tmp_path / "pilot", declared(4, repeats=2), records)
    done = harness("plan", *DEMO, "--limit", "5", "--pilot", "pilot", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    usd = json.loads(done.stdout)["costs"]["usd"]
    assert usd["value"] == pytest.approx(5 * 2.5)
    assert usd["question"] == "B" and usd["low"] < usd["value"] < usd["high"]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--rate", "0.4"),
        ("--gap", "abc"),
        ("--gap", "1", "--pilot", "nowhere"),
        (*DEMO, "--pilot", "nowhere"),
        (*DEMO, "--issues", "5"),
        (*DEMO[:4], "--scaffold", "nobody"),
    ],
)
def test_a_request_that_makes_no_sense_is_exit_2_without_a_traceback(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = harness("plan", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
