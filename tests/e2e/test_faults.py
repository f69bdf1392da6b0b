"""Endpoints that fail: the verdicts are those of a run in which they did not.

What happens to boxes and engines is in `test_faults_of_boxes.py`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import endpoints, tiny_task
from tests.e2e.commands import Running, command, harness
from tests.e2e.endpoints import Script, Spoiling, Spoilt, serving

pytestmark = pytest.mark.bubblewrap
COMMANDS = ("ls", "cat state", "[ $((SEED % 3)) = 0 ] || echo fixed >state", "cat state")
WAYS = {
    "429": endpoints.status(
        429, b'{"error": {"message": "Rate limit reached"}}', Retry_After="0.05"
    ),
    "500": endpoints.status(500, b'{"error": {"message": "internal"}}'),
    "502": endpoints.status(502, b"<html>bad gateway</html>", content_type="text/html"),
    "reset": endpoints.reset,
    "stall": endpoints.stall,
    "cut off": endpoints.cut_off,
    "half a JSON": endpoints.half,
    "HTML": endpoints.status(
        200, b"<!doctype html><title>Log in</title>", content_type="text/html"
    ),
}


Verdicts = dict[tuple[Any, ...], str]


def words(url: str, into: Path, *what: str) -> list[str]:
    model = ["--model", "m,first_pause=0.01,timeout=1"]
    scaffolds = ["--scaffold", "bash", "--scaffold", "editor", "--repeats", "2", "--seed", "1"]
    how = ["--base-url", url, "--width", "2", "--into", str(into), "--json"]
    return ["run", *what, *model, *scaffolds, *how]


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "ledger.jsonl").read_bytes().splitlines()]


def verdicts(run: Path) -> Verdicts:
    graded = [r for r in records(run) if r["kind"] == "graded"]
    found = {tuple(r["attempt"].values()): r["verdict"]["reason"] for r in graded}
    assert len(found) == len(graded), "every attempt is graded once"
    return found


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Tasks of our own, whose layers go with the folder.

    By the environment, not by a knob: a condition that named the folder would have another digest,
    and with it other seeds and verdicts, each time.
    """
    folder = tmp_path_factory.mktemp("tiny")
    tasks = tiny_task.write(folder, copies=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield ["--tasks", f"local,folder={tasks}", "--sandbox", "bubblewrap"]


@pytest.fixture(scope="module")
def clean(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    """The verdicts where nothing goes wrong."""
    folder = tmp_path_factory.mktemp("clean")
    with serving(Script(COMMANDS)) as server:
        done = harness(*words(server.url, folder / "run", *tiny), cwd=folder)
    assert done.returncode == 0, done.stderr
    found = verdicts(folder / "run")
    assert len(found) == 8 and set(found.values()) == {"resolved", "empty_patch"}
    return found


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS)
def test_a_fifth_of_the_answers_going_wrong_changes_no_verdict(
    how: Spoiling, tiny: list[str], clean: Verdicts, tmp_path: Path
) -> None:
    spoilt = Spoilt(Script(COMMANDS), how)
    with serving(spoilt) as server:
        done = harness(*words(server.url, tmp_path / "run", *tiny), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert spoilt.spoilt > 3
    assert verdicts(tmp_path / "run") == clean
    assert {r["kind"] for r in records(tmp_path / "run")} == {"graded"}


def test_an_endpoint_that_goes_down_in_the_middle_is_waited_for(
    tiny: list[str], clean: Verdicts, tmp_path: Path
) -> None:
    script = Script(COMMANDS)
    down = threading.Event()
    script.on_call = lambda calls: down.set() if calls == 12 else None
    with serving(script) as server:
        run = command(*words(server.url, tmp_path / "run", *tiny))
        with Running(run, cwd=tmp_path) as running:
            assert down.wait(120)
            server.stop()
            running.until("paused: waiting for the model: no endpoint answers at")
            server.start()
            running.until("the model is back; going on")
            assert running.ended() == 0
    assert verdicts(tmp_path / "run") == clean
    faults = [r for r in records(tmp_path / "run") if r["kind"] == "faulted"]
    assert {r["culprit"] for r in faults} == {"model"}
    assert len(faults) <= 4, "no attempt was burnt while it was down"
