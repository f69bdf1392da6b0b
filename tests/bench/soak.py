"""A soak: attempts of 1,000 steps under every context policy, at an endpoint that misbehaves.

3 of 100 calls end in a 503 or half-way through the answer, 1 of 100 is silent for two seconds
first (for as many as SOAK_STALL says, so that streams idle for minutes where somebody has hours);
every second attempt streams, and four times a minute the endpoint takes another key, which is then
to be had from a file. All run at once in one process, each in a Docker box of its own, through
commands that leave children behind, print a lot, or outlive their deadline. They are dealt from a
pack, so that each part of an attempt has as many of a kind as any other. In the end each must be a
measurement of 1,000 steps, whose trace holds every one of them, and whose memory and time per step
have not grown; for that, the bytes of a request count, of which `all` sends ever more.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from harness.attempt import Parts, run_attempt
from harness.limits import RunLimits
from harness.meter import RunMeter
from harness.models.connection import connect
from harness.models.keys import Key
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint
from harness.sandboxes.docker import Docker
from harness.types import Attempt, Graded, Limits, Record, Reply, Request, TaskId, ToolCall
from results.store import RunStore
from scaffolds.presets import bash
from tests.bench.endpoint import Manner, Running, endpoint
from tests.bench.figures import Figure, resident_mb
from tests.bench.parts import TASK, NoGrader

STEPS, WINDOW = 1000, 100
POLICIES = ("all", "last-n:20", "elide:5", "summarise:0.7:32000")
STALL = float(os.environ.get("SOAK_STALL", "2"))
TROUBLE = Manner(words=60, faults=0.03, stalls=0.01, stall=STALL, key="k0")
KEY_SECONDS = 15.0
COMMANDS = (
    *("true",) * 20,
    *("echo hello",) * 20,
    "sleep 30 & echo left one behind",
    "head -c 300000 /dev/zero | tr '\\0' x",
    "exit 3",
    "kill -9 $PPID",
    "sleep 60",  # outlives its deadline
)


@dataclass
class Moody:
    """A model whose words are the endpoint's and whose commands are drawn; it takes its pulse."""

    inner: Any
    dice: random.Random
    at: list[float] = field(default_factory=list)
    pack: list[str] = field(default_factory=list)

    async def complete(self, request: Request, /) -> Reply:
        self.at.append(time.monotonic())
        reply: Reply = await self.inner.complete(request)
        if not reply.message.calls:
            return reply
        if not self.pack:
            self.pack = self.dice.sample(COMMANDS, len(COMMANDS))
        command = self.pack.pop()
        call = ToolCall(reply.message.calls[0].id, "bash", json.dumps({"command": command}))
        return replace(reply, message=replace(reply.message, calls=(call,)))


async def measure() -> list[Figure]:
    boxes = Docker(lifetime=24 * 3600)
    began, memory = time.monotonic(), list[float]()
    try:
        with endpoint(TROUBLE) as served, tempfile.TemporaryDirectory() as folder:
            store, key = RunStore(Path(folder) / "run"), Path(folder) / "key"
            key.write_text("k0")
            beside = [
                asyncio.create_task(_watch(memory)),
                asyncio.create_task(_rotate(served, key)),
            ]
            soaked = await asyncio.gather(
                *(_soak(at, boxes, store, _endpoint(served, key)) for at in range(len(POLICIES)))
            )
            for task in beside:
                task.cancel()
            told, keys = served.stats(), key.read_text()
    finally:
        boxes.close()
    early, late = memory[len(memory) // 5], max(memory[-20:])
    minutes = (time.monotonic() - began) / 60
    trouble = f"{told.faulted} faults, {told.stalled} stalls of {STALL:g} s, last key {keys}"
    return [
        *(figure for figures in soaked for figure in figures),
        Figure("soak: memory grown, all four", late - early, 80, "MB", f"{late:.0f} MB"),
        Figure("soak: calls that went wrong", told.faulted, 1, "", trouble, least=True),
        Figure("soak: minutes", minutes, 60, "min", f"{told.calls} calls"),
    ]


async def _watch(memory: list[float]) -> None:
    while True:
        memory.append(resident_mb())
        await asyncio.sleep(1)


async def _rotate(served: Running, file: Path) -> None:
    for number in count(1):
        await asyncio.sleep(KEY_SECONDS)
        await asyncio.to_thread(_change, served, file, f"k{number}")


def _change(served: Running, file: Path, key: str) -> None:
    file.write_text(key)
    served.rotate(key)


def _endpoint(served: Running, file: Path) -> Endpoint:
    key = file.read_text()
    return Endpoint(served.url, key, (Key(key, "KEY", str(file)),))


async def _soak(number: int, boxes: Any, store: RunStore, endpoint: Endpoint) -> list[Figure]:
    policy = POLICIES[number]
    knobs = Knobs(stream=bool(number % 2), first_pause=0.05, attempts=20)
    made = connect("instant", endpoint, knobs)
    model = Moody(made, random.Random(number))
    scaffold = bash(context=policy, command_seconds=2)
    limits = Limits(turns=STEPS, seconds=24 * 3600.0)
    kit = Parts(model, boxes, scaffold, NoGrader(), limits, store, RunMeter(RunLimits()))
    attempt = Attempt(TaskId("t"), policy.replace(":", "-"), 0)
    record = await run_attempt(attempt, TASK, kit)
    await made.close()
    return _figures(policy, record, model, list(store.events(attempt, 1)))


def _figures(policy: str, record: Record, model: Moody, events: list[Any]) -> list[Figure]:
    what = f"soak {policy}"
    said = record.ending.value if isinstance(record, Graded) else record.message[:60]
    replies = [event for event in events if event["kind"] == "reply"]
    ends = {e["ended"] for e in events if e["kind"] == "exec"}
    sizes = [len(json.dumps(event)) for event in events]
    half = len(sizes) // 2
    quick = [b - a for a, b in zip(model.at, model.at[1:], strict=False)]
    start, end = (statistics.median(part) for part in (quick[:WINDOW], quick[-WINDOW:]))
    span = f"{end * 1e3:.0f} ms", f"{start * 1e3:.0f} ms"
    return [
        Figure(f"{what}: steps", len(replies), STEPS, "", said, ", ".join(ends), least=True),
        Figure(f"{what}: trace, second half/first", sum(sizes[half:]) / sum(sizes[:half]), 1.2),
        Figure(f"{what}: step at the end/start, wall", end / start, 2, "x", *span),
    ]
