"""A Ray cluster of one to three nodes on this machine, against one node and against the plan.

The work is latency-bound: each call takes seconds at the endpoint, and its command nothing. The
plan's simulation knows only a pilot of a few attempts on this machine without any cluster. Then an
instant endpoint, for what a step costs more when its reply has to be on the driver's disk.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import docker

from harness.experiment import Experiment
from harness.types import Condition, Limits, Part
from harness.verbs.loading import load
from results.planning import HOUR, Study, pilot
from results.simulating import Machines, simulated
from tests.bench.endpoint import Manner, Running, endpoint
from tests.bench.figures import Figure
from tests.e2e import tiny_task
from tests.e2e.commands import harness
from tests.e2e.ray_nodes import Nodes, cluster

NODES, BOXES, ROUNDS = 3, 4, 2
LATENCY, TURNS = 4.0, 16
STEPS = 100
"""Of the attempt at the instant endpoint."""


@dataclass(frozen=True)
class Ground:
    """Where the studies are made."""

    folder: Path
    image: str
    served: Running

    def run(self, name: str, tasks: int, turns: int, *more: str) -> float:
        """Make a study; seconds from the first call to the last settled attempt."""
        self.served.stats(anew=True)
        source = tiny_task.write(self.folder / f"{name}-tasks", self.image, copies=tasks)
        what = ["--tasks", f"local,folder={source}", "--scaffold", "bash", "--turns", str(turns)]
        model = [] if "--model" in more else ["--model", "m"]
        words = [*what, *model, "--base-url", self.served.url, "--sandbox", "docker"]
        done = harness("run", *words, "--into", self.into(name), *more, cwd=self.folder)
        assert done.returncode in (0, 4), done.stderr
        ended = (self.into(name) / "ledger.jsonl").stat().st_mtime
        return ended - time.time() + time.monotonic() - self.served.stats().arrivals[0]

    def into(self, name: str) -> Path:
        return self.folder / name

    def step_ms(self, name: str) -> float:
        """Between two replies of an attempt, the median."""
        (trace,) = (self.into(name) / "traces").iterdir()
        events = map(json.loads, trace.read_bytes().splitlines())
        at = [event["at"] for event in events if event["kind"] == "reply"]
        return statistics.median(b - a for a, b in pairwise(at)) * 1e3


@contextmanager
def ground(latency: float) -> Iterator[Ground]:
    client, name = docker.from_env(), f"harness-bench:{uuid.uuid4().hex[:12]}"
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            tiny_task.image(client, name, Path(folder) / "image") as image,
            endpoint(Manner(latency=latency, command=tiny_task.FIX)) as served,
        ):
            yield Ground(Path(folder), image, served)
    finally:
        client.close()


async def measure() -> list[Figure]:
    return await asyncio.to_thread(_measure)


def _measure() -> list[Figure]:
    with cluster(Path(tempfile.gettempdir()) / f"hb-{uuid.uuid4().hex[:6]}", [BOXES]) as nodes:
        with ground(LATENCY) as slow:
            slow.run("pilot", BOXES, TURNS, "--width", str(BOXES))
            walls = [_on(count, nodes, slow) for count in range(1, NODES + 1)]
            figures = _throughput(walls) + _plans(walls, slow)
        with ground(0.0) as instant:
            return [*figures, *_steps(nodes, instant)]


def _on(count: int, nodes: Nodes, slow: Ground) -> float:
    while len(nodes.up) < count:
        nodes.start(BOXES)
    tasks = count * BOXES * ROUNDS
    return slow.run(f"on-{count}", tasks, TURNS, *_where(nodes))


def _where(nodes: Nodes) -> list[str]:
    return ["--executor", "ray", "--ray-address", nodes.address]


def _throughput(walls: list[float]) -> list[Figure]:
    return [
        Figure(
            f"throughput of {count} nodes, of linear from one",
            walls[0] / wall,
            0.95,
            "x",
            f"{wall:.1f} s",
            f"{walls[0]:.1f} s",
            least=True,
        )
        for count, wall in enumerate(walls[1:], 2)
    ]


def _plans(walls: list[float], slow: Ground) -> list[Figure]:
    known = pilot(slow.into("pilot"))
    figures = []
    for count, wall in enumerate(walls, 1):
        source = Part("local", {"folder": str(slow.folder / f"on-{count}-tasks" / "tasks")})
        wanted = Experiment(source, (Part("m"),), (Part("bash"),))
        condition = Condition(Part("m"), Part("bash"), Part("docker"), Limits(turns=TURNS))
        study = Study(list(load(wanted).tasks.values()), [condition], 1, BOXES)
        hours = simulated(study, known, Machines(count, BOXES)).hours.value
        assert hours
        said = hours * HOUR
        off = abs(said / wall - 1) * 100
        name = f"plan of {count} nodes, off by"
        figures.append(Figure(name, off, 10, "%", f"{said:.1f} s", f"{wall:.1f} s"))
    return figures


def _steps(nodes: Nodes, instant: Ground) -> list[Figure]:
    instant.run("here", 1, STEPS)
    instant.run("there", 1, STEPS, *_where(nodes))
    asking = ["--model", "m,price_in=0,price_out=1", "--usd-run", "1000"]
    instant.run("asking", 1, STEPS, *_where(nodes), *asking)
    here, there, asked = map(instant.step_ms, ("here", "there", "asking"))
    return [
        Figure("a step on a node, over one here", there - here, 10, "ms", f"{there:.1f} ms"),
        Figure("asking for a call's admission", asked - there, 10, "ms", f"{asked:.1f} ms"),
    ]
