"""1,000 attempts in flight in one process at an endpoint that takes a second to answer.

`MANY_LATENCY=5`: five seconds.

On `host` boxes, and 64 with Docker. Ideal is what the endpoint's latency alone takes; what this
machine makes of it is told by as many bare talkers, each with the package's own `post` of a ready
body and a shell that stays. CPU and memory are this process's own; a box's shell and keeper are
processes of their own, as are its commands. Boxes are opened and each has run a command before
anything is measured, and closed after.
"""

from __future__ import annotations

import asyncio
import os
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
from tests.bench.parts import COMMAND, TASK, body, connection, parts, plain_client, post

WIDTH, LATENCY, STEPS = 1000, float(os.environ.get("MANY_LATENCY", "1")), 10


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
    bare = await _bare(WIDTH)
    docker = Docker()
    try:
        return [
            *await _flight(WIDTH, Host(), "host", bare),
            *await _flight(64, docker, "Docker"),
        ]
    finally:
        docker.close()


async def _bare(width: int) -> Took:
    """The same rounds with nothing of ours in them."""
    ready = body()
    with endpoint(Manner(latency=LATENCY)) as served:
        client = plain_client(served.url)
        start, pipe = asyncio.Barrier(width), asyncio.subprocess.PIPE
        began, ended = list[tuple[float, float]](), list[tuple[float, float]]()

        async def talk() -> None:
            shell = await asyncio.create_subprocess_exec("sh", stdin=pipe, stdout=pipe)
            assert shell.stdin and shell.stdout
            for step in range(1 + STEPS):
                if step == 1:
                    await start.wait()
                    began.append((time.monotonic(), time.process_time()))
                await post(client, ready)
                shell.stdin.write(COMMAND)
                await shell.stdout.readline()
            shell.stdin.close()
            ended.append((time.monotonic(), time.process_time()))
            await shell.wait()

        async with asyncio.TaskGroup() as group:
            for _ in range(width):
                group.create_task(talk())
        await client.close()
    (wall, cpu), (wall_then, cpu_then) = max(ended), min(began)
    return Took(wall - wall_then, cpu - cpu_then)


async def _flight(width: int, boxes: Any, kind: str, bare: Took | None = None) -> list[Figure]:
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
    figures = _figures(took, memory, (width, kind, most))
    if bare:
        what = f"{width:,} in flight on {kind}: wall beside bare posts and shells"
        both = f"{took.wall:.1f} s", f"{bare.wall:.1f} s, {bare.cpu:.1f} s of CPU"
        figures.append(Figure(what, took.wall / bare.wall, 1.5, "x", *both))
    return figures


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
