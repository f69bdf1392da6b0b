"""A settled run that is asked for again: its report is said again as it was kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.experiment import Experiment
from harness.types import Part
from harness.verbs import reporting, settled
from harness.verbs.loading import Asked, Loaded, asked
from tests.bench import start

SOURCE = Part("tests.bench.source:Many", {"n": 3})
MODELS = tuple(Part(f"m{at}") for at in range(start.MODELS))
WANTED = Experiment(SOURCE, MODELS, (Part("bash"),), sandbox=Part("host"), repeats=2)
HEAVY = ("openai", "docker", "numpy", "scipy", "httpx")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run that owes nothing, and has been reported on."""
    folder = tmp_path / "run"
    start.settled(folder, n=3, repeats=2)
    reporting.report([folder], as_json=False)
    capsys.readouterr()
    return folder


def test_the_command_says_what_the_report_said_and_imports_nothing_for_it(run: Path) -> None:
    argv = start.settled(run.parent / "again", n=3, repeats=2)[:-1]
    called = f"sys.argv = ['harness', *{[*argv, str(run)]}]\nfrom harness.cli import main"
    code = f"import atexit, sys\natexit.register(lambda: print(*sys.modules))\n{called}\nmain()"
    env = {key: value for key, value in os.environ.items() if key != "OPENAI_BASE_URL"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
    )
    said, _, modules = done.stdout.rstrip("\n").rpartition("\n")
    assert said == json.loads((run / settled.NAME).read_bytes())["text"]
    assert "pass rate" in said
    assert not set(HEAVY) & set(modules.split())


def test_as_json_it_is_the_report_that_lies_there(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert settled.told(asked(WANTED), run, as_json=True)
    assert json.loads(capsys.readouterr().out) == json.loads((run / "report.json").read_bytes())


@pytest.mark.parametrize("name", ["ledger.jsonl", "run.json", "report.json", settled.NAME])
def test_it_is_computed_anew_once_a_file_has_changed_or_gone(run: Path, name: str) -> None:
    with (run / name).open("ab") as file:
        file.write(b" ")
    changed = settled.told(asked(WANTED), run, as_json=True)
    (run / name).unlink()
    assert not settled.told(asked(WANTED), run, as_json=True)
    assert changed == (name == settled.NAME)  # a blank more means nothing there


def test_it_is_computed_anew_with_a_quarantine_list(run: Path) -> None:
    (run / "quarantine.json").write_text("[]")
    assert not settled.told(asked(WANTED), run, as_json=True)


@pytest.mark.parametrize(
    "more",
    [
        replace(WANTED, repeats=3),
        replace(WANTED, models=(*MODELS, Part("another"))),
        replace(WANTED, tasks=Part(SOURCE.name, {"n": 4})),
    ],
    ids=["repeats", "models", "tasks"],
)
def test_it_says_nothing_where_more_is_asked_for(run: Path, more: Experiment) -> None:
    assert not settled.told(asked(more), run, as_json=True)


def test_it_says_nothing_where_a_task_is_of_another_revision_or_newly_left_out(run: Path) -> None:
    found = asked(WANTED)
    moved = {id_: replace(task, origin="bench@2") for id_, task in found.loaded.tasks.items()}
    dropped = Loaded(found.loaded.tasks, {"another": "no image"})
    for loaded in (Loaded(moved, {}), dropped):
        assert not settled.told(Asked(found.experiment, loaded), run, as_json=True)


def test_a_part_of_what_is_settled_is_settled(run: Path) -> None:
    assert settled.told(asked(replace(WANTED, models=MODELS[:1])), run, as_json=True)


def test_nothing_is_kept_of_a_run_that_owes_something(run: Path) -> None:
    (run / settled.NAME).unlink()
    lines = (run / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (run / "ledger.jsonl").write_bytes(b"".join(lines[1:]))
    reporting.report([run], as_json=True)
    assert not (run / settled.NAME).exists()
