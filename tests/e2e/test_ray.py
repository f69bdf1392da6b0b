"""A study on a real Ray cluster of three nodes: what dies costs what it had under way, no more.

`pytest -m cluster` runs these; they take minutes, and need `pip install '.[ray]'`.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.e2e import tiny_task
from tests.e2e.commands import Running, command, harness
from tests.e2e.endpoints import Script, serving
from tests.e2e.evidence import paid_replies, verdicts
from tests.e2e.ray_nodes import Nodes, cluster
from tests.e2e.test_crash import HEEDING_INTERRUPTS
from tests.e2e.tiny_run import TinyRun, left_of

pytestmark = [pytest.mark.cluster, pytest.mark.docker]
TASKS = 9
STEPS = ["echo a >>log; sleep 1", "cat log; sleep 1", tiny_task.FIX]
READY_SECONDS = 0.05
CALLS = TASKS * (len(STEPS) + 1)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    pytest.importorskip("ray", reason="needs pip install '.[ray]'")
    with cluster(Path(tempfile.gettempdir()) / f"hr-{uuid.uuid4().hex[:6]}", [2, 2, 2]) as up:
        yield up


class RayRun(TinyRun):
    def on(self, nodes: Nodes, url: str, *more: str) -> list[str]:
        where = ["--executor", "ray", "--ray-address", nodes.address]
        return [*self.words(url), *where, *more]


def started(words: list[str], folder: Path) -> Running:
    argv = [sys.executable, "-c", HEEDING_INTERRUPTS, *command(*words)]
    return Running(argv, cwd=folder)


def study(folder: Path, image: str) -> RayRun:
    return RayRun(folder, Script(STEPS), image, {"copies": TASKS})


def nothing_paid_twice(run: RayRun, lost: int) -> None:
    """At most the calls that were under way when somebody died were made again."""
    assert set(paid_replies(run.into).values()) == {1}
    assert run.script.asked.total() <= CALLS + lost
    assert list(verdicts(run.into).values()) == [True] * TASKS


def test_the_budget_of_a_run_holds_over_all_nodes(
    engine: docker.DockerClient, image: str, nodes: Nodes, tmp_path: Path
) -> None:
    run = study(tmp_path, image)
    priced = ["--model", "m2,price_in=0,price_out=1000000", "--usd-run", "40"]
    with serving(run.script) as server:
        words = [w for w in run.on(nodes, server.url) if w not in ("--model", "m,first_pause=0.01")]
        done = harness(*words, *priced, cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert run.script.asked.total() <= 8 + 6  # $5 a call, and six in flight
    assert not left_of(engine, run.id)


def test_a_run_ends_once_its_comparison_is_decided(
    engine: docker.DockerClient, image: str, nodes: Nodes, tmp_path: Path
) -> None:
    copies = 40
    run = RayRun(tmp_path, Script([tiny_task.FIX]), image, {"copies": copies})
    with serving(run.script) as server:
        words = run.on(nodes, server.url, "--scaffold", "nop", "--stop-when", "decided")
        done = harness(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = [record["attempt"] for record in run.records()]
    assert 2 * 8 <= len(made) < 2 * copies - 6
    by_task = Counter(attempt["task"] for attempt in made)
    assert set(by_task.values()) == {2}, "blocks that began are whole"
    assert any(r["clocks"]["box"] < READY_SECONDS for r in run.records()), "no box was ahead"
    (stop,) = json.loads((run.into / "run.json").read_text())["stops"]
    assert stop["word"] in ("better", "worse")
    assert not left_of(engine, run.id)


def test_a_node_that_is_killed_costs_only_what_it_had_under_way(
    engine: docker.DockerClient, image: str, nodes: Nodes, tmp_path: Path
) -> None:
    run = study(tmp_path, image)
    victim = nodes.up[1]

    def dies(calls: int) -> None:
        if calls == 10:
            victim.kill()

    run.script.on_call = dies
    with serving(run.script) as server:
        done = harness(*run.on(nodes, server.url), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "in flight there go on elsewhere" in done.stderr
    nothing_paid_twice(run, lost=2)
    again = [r for r in run.records() if r["tried"] > 1]
    assert again and all(r["facts"]["continues_try"] == 1 for r in again)
    assert not left_of(engine, run.id)
    nodes.start(2)


def test_a_killed_driver_goes_on_with_the_same_command(
    engine: docker.DockerClient, image: str, nodes: Nodes, tmp_path: Path
) -> None:
    run = study(tmp_path, image)
    with serving(run.script) as server:
        words = run.on(nodes, server.url)
        with started(words, tmp_path) as driver:
            run.script.on_call = lambda calls: driver.process.kill() if calls == 10 else None
            assert driver.ended() == -signal.SIGKILL
        done = harness(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    nothing_paid_twice(run, lost=6)
    assert not left_of(engine, run.id)


def test_an_interrupted_run_leaves_no_box_on_any_node(
    engine: docker.DockerClient, image: str, nodes: Nodes, tmp_path: Path
) -> None:
    run = study(tmp_path, image)
    with (
        serving(run.script) as server,
        started(run.on(nodes, server.url), tmp_path) as driver,
    ):
        run.script.on_call = lambda calls: (
            driver.process.send_signal(signal.SIGINT) if calls == 8 else None
        )
        assert driver.ended() == 130
    assert not left_of(engine, run.id)
    traces = [path.read_bytes().splitlines() for path in run.into.rglob("*.1.jsonl")]
    told = [json.loads(line)["kind"] for lines in traces for line in lines]
    assert told.count("reply") >= 8 - 6, "what was answered is on disk, but for six in flight"
