"""What an attempt costs beside its boxes, and how long a free slot waits for its first request.

The baseline of the one is two raw containers created, started and removed one after the other, as
an attempt needs one for its agent and one for its grader. The other has none: 50 ms is the aim.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import docker

from harness.attempt import run_attempt
from harness.executors.local import Local
from harness.runner import run
from harness.sandboxes.ahead import Ahead
from harness.sandboxes.docker import Docker
from harness.types import Attempt, Record, TaskId
from results.store import RunStore
from tests.bench.endpoint import endpoint
from tests.bench.figures import Figure, median_ratio, ms
from tests.bench.parts import ENVIRONMENT, TASK, FreshBox, connection, parts, raw_box

ROUNDS = 12


async def measure() -> list[Figure]:
    engine, client = Docker(), docker.from_env()
    boxes = Ahead(engine, 1)
    raw, mine, waits = list[float](), list[float](), list[float]()
    try:
        with endpoint() as served, tempfile.TemporaryDirectory() as folder:
            model = connection(served.url)
            kit = parts(model, boxes, Path(folder), turns=1, grader=FreshBox())
            settled = list[float]()

            async def work(attempt: Attempt) -> Record:
                raw.append(_two_raw(client))
                served.stats(anew=True)
                began = time.monotonic()
                boxes.expect([ENVIRONMENT])
                record = await run_attempt(attempt, TASK, kit)
                mine.append(time.monotonic() - began - record.clocks.tool)
                settled.append(time.monotonic())
                waits.append(served.stats().arrivals[0] - began)
                return record

            planned = [Attempt(TaskId("t"), "c", number) for number in range(ROUNDS + 1)]
            with RunStore(Path(folder) / "run") as store:
                await run(planned, work, store, Local(1))
            await model.close()
    finally:
        await boxes.settle()
        engine.close()
        client.close()
    return [
        Figure("attempt", median_ratio(mine[1:], raw[1:]), 1.15, "x", ms(mine[1:]), ms(raw[1:])),
        Figure("first request", sorted(waits[1:])[ROUNDS // 2] * 1e3, 50, "ms", ms(waits[1:])),
    ]


def _two_raw(client: docker.DockerClient) -> float:
    began = time.monotonic()
    for _ in range(2):
        raw_box(client).remove(force=True, v=True)
    return time.monotonic() - began
