"""A program of somebody else's in a box without network, from the command line to the record."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands import command, environment
from tests.e2e.endpoints import Script, Spoilt, serving, status
from tests.e2e.tiny_run import TinyRun
from tests.e2e.tiny_task import FIX

pytestmark = pytest.mark.bubblewrap
ROOT = Path(__file__).parents[2]


def hosted(folder: Path, *more: str) -> TinyRun:
    tools = folder / "agent"
    tools.mkdir()
    scaffold = f"tests.e2e.little_agent:little,folder={tools}"
    knobs = ("--scaffold", scaffold, "--json", *more)
    return TinyRun(folder, Script(["echo looked", FIX]), knobs=knobs)


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    env = environment(PYTHONPATH=str(ROOT))
    return subprocess.run(command(*words), env=env, capture_output=True, text=True, check=False)


def events(this: TinyRun, kind: str, number: int = 1) -> list[dict[str, Any]]:
    (trace,) = (this.into / "traces").glob(f"*.{number}.jsonl")
    told = [json.loads(line) for line in trace.read_bytes().splitlines()]
    return [event for event in told if event["kind"] == kind]


def test_an_agent_in_the_box_solves_its_task_through_the_door(tmp_path: Path) -> None:
    this = hosted(tmp_path)
    with serving(this.script) as server:
        done = run(this.words(server.url))
    assert done.returncode == 0, done.stderr
    (record,) = this.records()
    assert record["verdict"]["resolved"] and record["ending"] == "submitted"
    assert record["usage"]["calls"] == 3 and record["spent"]["output"] == 15
    assert record["facts"]["agent_models"] == {"little-1": 3}
    assert (record["facts"]["network"], record["facts"]["door"]) == ("none", 8377)
    assert [e["live"] for e in events(this, "reply")] == [True] * 3
    assert [len(e["then"]) for e in events(this, "request")] == [1, 2, 2]


@pytest.mark.parametrize(
    ("limit", "ending"), [(("--turns", "2"), "turns"), (("--tokens", "30"), "tokens")]
)
def test_at_the_end_of_a_budget_the_work_done_is_graded(
    tmp_path: Path, limit: tuple[str, str], ending: str
) -> None:
    this = hosted(tmp_path, *limit)
    with serving(this.script) as server:
        done = run(this.words(server.url))
    assert done.returncode == 0, done.stderr
    (record,) = this.records()
    assert (record["ending"], record["verdict"]["resolved"]) == (ending, True)
    (note,) = [e for e in events(this, "note") if e["note"] == "little_agent"]
    assert note["exit_code"] == 1 and note["over"] is True


def test_an_endpoint_that_is_down_is_a_fault_of_the_model_and_not_a_zero(tmp_path: Path) -> None:
    this = hosted(tmp_path)
    down = Spoilt(this.script, status(503, b'{"error": "down"}'), share=1.0)
    with serving(down) as server:
        done = run(this.words(server.url))
    assert done.returncode == 3, done.stderr
    assert {(r["kind"], r["culprit"]) for r in this.records()} == {("faulted", "model")}


def test_a_run_that_is_killed_goes_on_without_paying_again(tmp_path: Path) -> None:
    this = hosted(tmp_path)
    env = environment(PYTHONPATH=str(ROOT))
    running: list[subprocess.Popen[bytes]] = []

    def kill(calls: int) -> None:
        if calls == 2:
            running[0].kill()

    this.script.on_call = kill
    with serving(this.script) as server:
        words = this.words(server.url)
        running.append(subprocess.Popen(command(*words), env=env, stderr=subprocess.DEVNULL))
        assert running[0].wait() == -signal.SIGKILL
        done = run(words)
    assert done.returncode == 0, done.stderr
    (record,) = this.records()
    assert record["verdict"]["resolved"] and record["facts"]["replayed_replies"] == 1
    assert (record["usage"]["calls"], record["spent"]["calls"]) == (3, 2)
    assert [e["live"] for e in events(this, "reply", 2)] == [False, True, True]


def test_an_endpoint_that_lacks_the_agents_wire_is_said_at_the_start(tmp_path: Path) -> None:
    this = hosted(tmp_path)
    with serving(Spoilt(this.script, status(404, b'{"detail": "Not Found"}'), share=1.0)) as server:
        done = run(this.words(server.url))
    assert done.returncode == 2 and len(done.stderr.splitlines()) <= 3, done.stderr
    assert "speaks the chat wire" in done.stderr.splitlines()[-1]
