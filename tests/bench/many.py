"""1,000 attempts in flight in one process at an endpoint that takes a second to answer.

On `host` boxes, and 64 with Docker. Ideal is what the endpoint's latency alone takes. CPU and
memory are this process's own; a box's shell and keeper are processes of their own, as are its
commands. Boxes are opened and each has run a command before anything is measured, and closed after.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from harness.attempt import run_attempt
from harness.executors.local import Local
from harness.runner import run
from harness.sandboxes.docker import Docker
from harness.sandboxes.host import Host
from harness.types import Attempt, Record, Reply, Request, TaskId
from results.store import RunStore
from tests.bench.endpoint import Manner, endpoint
from tests.bench.figures import Figure, Took, resident_mb, timed
from tests.bench.parts import TASK, connection, parts

LATENCY, STEPS = 1.0, 10


class Together:
    """A model that answers the second call of each once all have come so far."""

    def __init__(self, inner: Any, width: int) -> None:
        self.inner = inner
        self.start = asyncio.Barrier(width)
        self.began = self.cpu = 0.0
        self.calls: Counter[int] = Counter()
        self.ended: list[tuple[Took, float]] = []
        """What it took until each had its last reply, and the memory then."""

    async def complete(self, request: Request, /) -> Reply:
        self.calls[who := id(asyncio.current_task())] += 1
        if self.calls[who] == 2:
            await self.start.wait()
            self.began = self.began or time.monotonic()
            self.cpu = self.cpu or time.process_time()
        reply: Reply = await self.inner.complete(request)
        if self.calls[who] == 1 + STEPS:
            took = Took(time.monotonic() - self.began, time.process_time() - self.cpu)
            self.ended.append((took, resident_mb()))
        return reply


async def measure() -> list[Figure]:
    docker = Docker()
    try:
        return [*await _flight(1000, Host(), "host"), *await _flight(64, docker, "Docker")]
    finally:
        docker.close()


async def _flight(width: int, boxes: Any, kind: str) -> list[Figure]:
    before = resident_mb()
    with endpoint(Manner(latency=LATENCY)) as served, tempfile.TemporaryDirectory() as folder:
        model = connection(served.url)
        meeting = Together(model, width)
        kit = parts(meeting, boxes, Path(folder), turns=1 + STEPS)

        async def work(attempt: Attempt) -> Record:
            return await run_attempt(attempt, TASK, kit)

        planned = [Attempt(TaskId("t"), "c", number) for number in range(width)]
        with timed(), RunStore(Path(folder) / "run") as store:
            await run(planned, work, store, Local(width))
        await model.close()
        most = served.stats().most_at_once
    took = meeting.ended[-1][0]
    memory = max(resident for _, resident in meeting.ended) - before
    return _figures(took, memory, (width, kind, most))


def _figures(took: Took, memory: float, flight: tuple[int, str, int]) -> list[Figure]:
    width, kind, most = flight
    ideal, steps = STEPS * LATENCY, width * STEPS
    what = f"{width:,} in flight on {kind}"
    cpu = took.cpu / steps * 1e3
    return [
        Figure(f"{what}: wall", took.wall / ideal, 1.2, "x", f"{took.wall:.1f} s", f"{ideal:g} s"),
        Figure(f"{what}: CPU of an attempt-step", cpu, 5, "ms", f"most at once {most}"),
        Figure(f"{what}: memory of an attempt", memory / width, 1, "MB", f"{memory:.0f} MB"),
    ]
