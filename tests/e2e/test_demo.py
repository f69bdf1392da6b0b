"""The main job, as the README shows it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands import command, environment, harness

BOXES = [
    pytest.param("docker", 3, marks=pytest.mark.docker),
    pytest.param("bubblewrap", 1, marks=pytest.mark.bubblewrap),
]


def demo(cwd: Path, *words: str) -> dict[str, Any]:
    done = harness("demo", "--json", *words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(("sandbox", "repeats"), BOXES)
def test_the_demo_settles_every_attempt_and_faults_none(
    sandbox: str, repeats: int, tmp_path: Path
) -> None:
    answer = demo(tmp_path, "--sandbox", sandbox, "--repeats", str(repeats))
    planned = 8 * 2 * repeats
    assert answer["attempts"]["planned"] == answer["attempts"]["graded"] == planned
    assert answer["attempts"]["faulted"] == answer["attempts"]["owed"] == 0
    for condition in answer["conditions"]:
        assert 0 < condition["raw"]["resolved"] < planned / 2, "some solve, some fail honestly"


def settled(run: Path) -> list[dict[str, Any]]:
    ledger = run / "ledger.jsonl"
    whole = ledger.read_bytes().split(b"\n")[:-1] if ledger.exists() else []
    return [json.loads(line) for line in whole]


@pytest.mark.bubblewrap
def test_a_demo_that_is_killed_is_completed_by_the_same_command(tmp_path: Path) -> None:
    words = ("demo", "--json", "--sandbox", "bubblewrap", "--repeats", "1", "--into", "run")
    first = subprocess.Popen(
        command(*words),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while len(settled(tmp_path / "run")) < 3:
        assert first.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = (tmp_path / "run" / "ledger.jsonl").read_bytes()
    sealed = before[: before.rfind(b"\n") + 1]

    done = harness(*words, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "ledger.jsonl").read_bytes().startswith(sealed)
    keys = [tuple(record["attempt"].values()) for record in settled(tmp_path / "run")]
    assert len(keys) == len(set(keys)) == 16


@pytest.mark.bubblewrap
def test_more_repeats_extend_a_run_and_a_settled_run_starts_nothing(tmp_path: Path) -> None:
    words = ("check", "--select", "humanize*", "--sandbox", "bubblewrap", "--into", "run", "--json")
    one = harness(*words, "--times", "1", cwd=tmp_path)
    again = harness(*words, "--times", "1", cwd=tmp_path)
    more = harness(*words, "--times", "2", cwd=tmp_path)
    assert (one.returncode, again.returncode, more.returncode) == (0, 0, 0), more.stderr
    assert one.stdout == again.stdout
    (task,) = json.loads(more.stdout)["tasks"].values()
    assert task == {"oracle": [2, 2], "nop": [0, 2], "faults": 0, "trouble": None}
    assert len(settled(tmp_path / "run")) == 4
