"""An attempt of 1,000 steps: does a step at the end cost more than one at the start?

The bytes of the request are left out: what a bare `post` of a body of that size takes at either end
is taken off, and the post of a small one added.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.attempt import run_attempt
from harness.sandboxes.docker import Docker
from harness.types import Attempt, Reply, Request, TaskId
from results.store import RunStore
from tests.bench.endpoint import Manner, endpoint
from tests.bench.figures import Figure, resident_mb
from tests.bench.parts import ENVIRONMENT, TASK, OneBox, connection, parts, post

STEPS, WINDOW = 1000, 100
WORDS = 40


class Clocked:
    """A model that notes when each reply came, its CPU, our memory, and a bare post's cost."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.cpu: list[float] = []
        self.memory: list[float] = []

    async def complete(self, request: Request, /) -> Reply:
        self.cpu.append(time.process_time())
        self.memory.append(resident_mb())
        return await self.inner.complete(request)  # type: ignore[no-any-return]


async def measure() -> list[Figure]:
    boxes = Docker()
    try:
        with endpoint(Manner(words=WORDS)) as served, tempfile.TemporaryDirectory() as folder:
            model = connection(served.url)
            clocked = Clocked(model)
            async with boxes.open(ENVIRONMENT) as box:
                one = OneBox(box, await boxes.prepare(ENVIRONMENT))
                kit = parts(clocked, one, Path(folder), turns=STEPS)
                attempt = Attempt(TaskId("t"), "c", 0)
                await run_attempt(attempt, TASK, kit)
            size = served.stats().bytes_in / STEPS * 2
            bare = [await _bare(model.calls[0].client, part * size) for part in (0.05, 0.95)]
            await model.close()
            sizes = [len(json.dumps(e)) for e in RunStore(Path(folder)).events(attempt, 1)]
    finally:
        boxes.close()
    return _figures(clocked, bare, sizes)


async def _bare(client: Any, size: float) -> float:
    """CPU seconds of one post of so many bytes."""
    body = json.dumps({"model": "instant", "messages": [{"content": "x" * int(size)}]}).encode()
    began = time.process_time()
    for _ in range(50):
        await post(client, body)
    return (time.process_time() - began) / 50


def _figures(clocked: Clocked, bare: list[float], sizes: list[int]) -> list[Figure]:
    steps = [b - a for a, b in zip(clocked.cpu, clocked.cpu[1:], strict=False)]
    start, end = (statistics.median(part) for part in (steps[:WINDOW], steps[-WINDOW:]))
    own_end = end - (bare[1] - bare[0])
    grown = max(clocked.memory[-WINDOW:]) - clocked.memory[WINDOW]
    half = len(sizes) // 2
    linear = sum(sizes[half:]) / sum(sizes[:half])
    return [
        Figure(
            "1,000 steps: CPU of a step, end/start",
            own_end / start,
            1.2,
            "x",
            f"{end * 1e3:.3g} ms",
            f"{start * 1e3:.3g} ms",
        ),
        Figure("1,000 steps: memory grown", grown, 20, "MB", f"{clocked.memory[-1]:.0f} MB"),
        Figure("1,000 steps: trace, second half/first", linear, 1.1, "x", f"{sum(sizes)} bytes"),
    ]
