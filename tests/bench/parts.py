"""What the benchmarks share: a task without tests, raw shells and raw boxes to be compared with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import openai

from harness.attempt import Parts
from harness.limits import RunLimits
from harness.meter import RunMeter
from harness.models.connection import Connection, connect
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint
from harness.types import Brief, Environment, Grade, Limits, Submission, Task, TaskId, Verdict
from results.store import RunStore
from scaffolds.presets import bash

IMAGE = "debian:bookworm-slim"
ENVIRONMENT = Environment(IMAGE, "/tmp")
TASK = Task(Brief(TaskId("t"), "x", ENVIRONMENT), {}, "g", "bench")
COMMAND = b"bash -c true </dev/null 2>&1; echo done\n"
"""To a raw shell: one command that forks, and a word when it is done."""
HEADERS = {"Content-Type": "application/json", "X-Stainless-Raw-Response": "raw"}


class NoGrader:
    """Collects nothing and tests nothing."""

    async def collect(self, task: Task, sandbox: Any, /) -> Submission:
        return Submission(b"")

    async def grade(self, task: Task, submission: Submission, sandboxes: Any, /) -> Grade:
        return Grade(Verdict(False, "empty_patch"))


class FreshBox(NoGrader):
    """Opens a box for the grading as graders do, and runs one command in it."""

    async def grade(self, task: Task, submission: Submission, sandboxes: Any, /) -> Grade:
        untouched = replace(task.brief.environment, pids=1023)  # never the next agent's spare box
        async with sandboxes.open(untouched) as box:
            await box.exec(["true"], kill_after=60)
        return Grade(Verdict(False, "empty_patch"))


class OneBox:
    """Hands out a box that is open already, where making boxes is another measure."""

    def __init__(self, box: Any, prepared: Any) -> None:
        self.box, self.prepared = box, prepared

    async def prepare(self, environment: Environment, /) -> Any:
        return self.prepared

    @asynccontextmanager
    async def open(self, environment: Environment, /) -> AsyncIterator[Any]:
        yield self.box


def connection(url: str, **knobs: Any) -> Connection:
    return connect("instant", Endpoint(url, "k"), Knobs(**knobs))


def parts(model: Any, boxes: Any, folder: Path, *, turns: int, grader: Any = None) -> Parts:
    limits, run = Limits(turns=turns, seconds=None), RunMeter(RunLimits())
    return Parts(model, boxes, bash(), grader or NoGrader(), limits, RunStore(folder), run)


def plain_client(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0)


async def post(client: Any, body: bytes) -> Any:
    """The openai client's own call with a body that is ready."""
    return await client.post(
        "/chat/completions", cast_to=object, content=body, options={"headers": HEADERS}
    )


def body(messages: int = 0, chars: int = 0) -> bytes:
    said = [{"role": "user", "content": "x" * chars}] * messages
    return json.dumps({"model": "instant", "messages": said}).encode()


def raw_shell(client: docker.DockerClient, container: Any) -> Any:
    """The hijacked socket of a `sh` that stays."""
    made = client.api.exec_create(container.id, ["/bin/sh"], stdin=True)
    shell = client.api.exec_start(made["Id"], socket=True)._sock
    shell.setblocking(False)
    return shell


async def raw_command(shell: Any) -> None:
    """One command that forks, through a shell that stays."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(shell, COMMAND)
    while b"done" not in await loop.sock_recv(shell, 4096):
        pass


def raw_box(client: docker.DockerClient) -> Any:
    """A container as ours is made, with nothing of ours in it."""
    made = client.containers.create(
        IMAGE, ["sleep", "600"], network_mode="none", init=False, labels={"harness.bench": "raw"}
    )
    made.start()
    return made
