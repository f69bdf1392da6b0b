"""Controls, quarantine and comparison by the command line, on tasks that need no engine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from results import quarantine
from tests.e2e.commands import harness
from tests.e2e.test_local_grading_bubblewrap import EVAL, GOLD, HIDDEN, SETUP
from tests.unit.run_folders import attempt, declared, graded, stored

BROKEN = GOLD.replace("tr a-z A-Z", "cat")
"""A reference patch that does not do what the task asks for."""


def write_task(root: Path, name: str, fail_to_pass: list[str], gold: str) -> None:
    """A task in shell, whose base commit is found by running its recipe here."""
    repository = root.parent / f"repository-{name}"
    repository.mkdir()
    environment = {"HARNESS_REPO": str(repository), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    subprocess.run(["sh", "-c", SETUP], env=environment, check=True)
    head = subprocess.run(
        ["git", "-C", str(repository), "rev-parse", "HEAD"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    files = {
        "task.toml": f'repo = "example/greet"\nlanguage = "shell"\nbase_commit = "{head}"\n'
        "[limits]\nmemory_mb = 256\ncpus = 1\ntest_seconds = 20\n",
        "problem_statement.md": "Add -s, which shouts.\n",
        "tests.json": json.dumps(
            {"FAIL_TO_PASS": fail_to_pass, "PASS_TO_PASS": ["greet::offline"]}
        ),
        "gold.patch": gold,
        "eval.sh": EVAL,
        "tests/hidden/check.sh": HIDDEN,
        "environment/setup.sh": SETUP,
    }
    for file, text in files.items():
        path = root / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / name / "tests" / "hidden" / "check.sh").chmod(0o755)


@pytest.fixture
def source(tmp_path: Path) -> list[str | Path]:
    """Flags for a sound task and one that its reference patch does not solve."""
    root = tmp_path / "root"
    write_task(root, "sound", ["greet::shouts", "greet::greets"], GOLD)
    write_task(root, "unfit", ["greet::shouts"], BROKEN)
    boxes = f"bubblewrap,cache={tmp_path / 'cache'}"
    return ["--tasks", f"local,folder={root}", "--sandbox", boxes]


def answered(*words: str | Path, cwd: Path) -> dict[str, Any]:
    done = harness(*words, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.bubblewrap
def test_a_check_leaves_a_table_and_a_quarantine_list(
    tmp_path: Path, source: list[str | Path]
) -> None:
    check = ["check", *source, "--times", "2", "--into", "check"]
    answer = answered(*check, cwd=tmp_path)

    assert answer["tasks"]["sound"] == {
        "oracle": [2, 2],
        "nop": [0, 2],
        "faults": 0,
        "trouble": None,
    }
    assert answer["tasks"]["unfit"]["trouble"] == "not solved by its reference patch, 0 of 2"
    written = json.loads((tmp_path / "check" / "reliability.json").read_text())
    assert answer["reliability"] == written
    sound = written["tasks"]["sound"]
    shouts = {"oracle": 2, "nop": 0, "word": "stable"}
    assert sound["fail_to_pass"]["greet::shouts"] == shouts
    assert sound["fail_to_pass"]["greet::greets"]["word"] == "not a fail-to-pass"
    assert len(set(sound["oracle"]["evidence"])) == 1, "both gradings say the same of every test"
    assert sound["images"]
    unfit = written["tasks"]["unfit"]["fail_to_pass"]
    assert unfit["greet::shouts"]["word"] == "never passes with the gold"
    assert list(json.loads((tmp_path / "check" / "quarantine.json").read_text())) == ["unfit"]

    said = harness(*check, cwd=tmp_path).stdout
    assert "sound     2/2    0/2       0" in said
    assert "fail_to_pass, not a fail-to-pass: passes 2/2 with the gold, 2/2 without" in said
    assert "2 tasks, 1 in quarantine" in said


@pytest.mark.bubblewrap
def test_patches_graded_again_have_a_flip_rate_and_a_score_adjusted_by_a_check(
    tmp_path: Path, source: list[str | Path]
) -> None:
    patches = {"sound": GOLD, "unfit": BROKEN}
    predictions = tmp_path / "predictions.json"
    predictions.write_text(json.dumps(patches))
    (tmp_path / "check").mkdir()
    quarantine.write(tmp_path / "check", {"unfit": "not solved by its reference patch, 0 of 2"})

    grade = ["grade", predictions, *source, "--times", "2", "--into", "run"]
    answer = answered(*grade, cwd=tmp_path)
    (regrades,) = answer["regrades"].values()
    assert (regrades["times"], regrades["patches"], regrades["flipped"]) == (2, 2, [])
    assert regrades["rate"]["value"] == 0.0 and regrades["rate"]["high"] > 0
    (precision,) = answer["precision"].values()
    assert precision["pass_k"] == []

    adjusted = answered("report", "run", "--quarantine", "check", cwd=tmp_path)["conditions"][0]
    assert adjusted["raw"]["rate"]["value"] == 0.5
    assert adjusted["adjusted"]["rate"]["value"] == 1.0
    listed = Path("check") / quarantine.NAME
    text = harness("report", "run", "--quarantine", listed, cwd=tmp_path).stdout
    assert "adjusted pass %" in text and "gradings of" in text and "pass@2" not in text


def test_a_list_that_is_nowhere_is_one_line(tmp_path: Path) -> None:
    stored(tmp_path / "run", declared(1), [])
    done = harness("report", "run", "--quarantine", "elsewhere", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "harness: elsewhere: no such quarantine list; `harness check` writes one\n"
    )


# ---- compare


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """`good` solves 30 of 40 tasks, `bad` 10."""
    for name, solved in (("good", 30), ("bad", 10)):
        records = [graded(attempt(f"t{i}"), i < solved) for i in range(40)]
        stored(tmp_path / name, declared(40), records)
    return tmp_path


def test_two_runs_are_compared(runs: Path) -> None:
    answer = answered("compare", "good", "bad", "--margin", "0.05", cwd=runs)
    assert answer["schema"] == "harness-comparison/1"
    assert (answer["margin"], answer["pairs"][0]["word"]) == (0.05, "better")
    done = harness("compare", "good", "bad", cwd=runs)
    assert done.returncode == 0 and "#1 - #2" in done.stdout and "better" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["good"], "a comparison takes two conditions"),
        (["good", "./good"], "named twice"),
        (["good", "bad", "--margin", "2"], "--margin 2 is no share of tasks"),
    ],
)
def test_what_cannot_be_compared_is_one_line(runs: Path, words: list[str], said: str) -> None:
    done = harness("compare", *words, cwd=runs)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and done.stderr.count("\n") == 1
