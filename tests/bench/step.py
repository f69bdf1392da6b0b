"""What a step of ours costs beside its raw parts: `python -m tests.bench.step [--json]`.

A step is one model call, one command in a Docker box, and their lines in the trace. The baseline,
interleaved with it in the same run, is the openai client's `post` of a ready body and one command
through a raw persistent shell over a hijacked exec socket. Absolute times mean little; the ratio
of the two, measured in the same seconds on the same machine, does.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import docker
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.attempt import Parts, run_attempt
from harness.meter import RunLimits, RunMeter
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint, connect
from harness.sandboxes.docker import Docker
from harness.types import (
    Attempt,
    Brief,
    Environment,
    Grade,
    Limits,
    Submission,
    Task,
    TaskId,
    Verdict,
)
from results.store import RunStore
from scaffolds.presets import bash

IMAGE = "debian:bookworm-slim"
ROUNDS, STEPS = 5, 100
CALL = {
    "id": "c",
    "type": "function",
    "function": {"name": "bash", "arguments": '{"command": "true"}'},
}
ANSWER = json.dumps(
    {
        "model": "instant",
        "choices": [
            {
                "message": {"role": "assistant", "content": "", "tool_calls": [CALL]},
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
    }
).encode()


def serve(port: Any) -> None:
    """An endpoint that answers at once, in a process of its own."""

    async def complete(request: Request) -> Response:
        await request.body()
        return Response(ANSWER, media_type="application/json")

    app = Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])])
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off")
    listener = config.bind_socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port.put(listener.getsockname()[1])
    uvicorn.Server(config).run(sockets=[listener])


class NoGrader:
    async def collect(self, task: Task, sandbox: Any, /) -> Submission:
        return Submission(b"")

    async def grade(self, task: Task, submission: Submission, sandboxes: Any, /) -> Grade:
        return Grade(Verdict(False, "empty_patch"))


class OneBox:
    """Hands out a box that is open already: making boxes is another measure."""

    def __init__(self, box: Any) -> None:
        self.box = box

    async def prepare(self, environment: Environment, /) -> Any:
        return await Docker().prepare(environment)

    @asynccontextmanager
    async def open(self, environment: Environment, /) -> AsyncIterator[Any]:
        yield self.box


def raw_shell(client: docker.DockerClient, container: str) -> Any:
    made = client.api.exec_create(container, ["/bin/sh"], stdin=True)
    return client.api.exec_start(made["Id"], socket=True)._sock


async def baseline(connection: Any, body: bytes, shell: Any) -> float:
    loop = asyncio.get_running_loop()
    shell.setblocking(False)
    headers = {"Content-Type": "application/json", "X-Stainless-Raw-Response": "raw"}
    started = time.perf_counter()
    for _ in range(STEPS):
        await connection.wire.client.post(
            "/chat/completions", cast_to=object, content=body, options={"headers": headers}
        )
        await loop.sock_sendall(shell, b"bash -c true </dev/null 2>&1; echo done\n")
        while b"done" not in await loop.sock_recv(shell, 4096):
            pass
    return (time.perf_counter() - started) / STEPS


async def ours(parts: Parts, task: Task, number: int) -> float:
    record = await run_attempt(Attempt(TaskId("t"), "c", number), task, parts)
    return (record.clocks.total - record.clocks.prepare - record.clocks.box) / STEPS


async def measure(port: int) -> dict[str, float]:
    environment = Environment(IMAGE, "/tmp")
    task = Task(Brief(TaskId("t"), "x", environment), {}, "g", "bench")
    connection = connect("instant", Endpoint(f"http://127.0.0.1:{port}/v1", "k"), Knobs())
    boxes, client = Docker(), docker.from_env()
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        async with boxes.open(environment) as box:
            store = RunStore(Path(folder))
            limits, run = Limits(turns=STEPS), RunMeter(RunLimits())
            parts = Parts(connection, OneBox(box), bash(), NoGrader(), limits, store, run)
            raw = client.containers.run(IMAGE, ["sleep", "600"], detach=True, network_mode="none")
            try:
                shell = raw_shell(client, raw.id)
                body = json.dumps({"model": "instant", "messages": []}).encode()
                for number in range(ROUNDS + 1):
                    raw_seconds = await baseline(connection, body, shell)
                    mine = await ours(parts, task, number)
                    pairs.append((raw_seconds, mine))
            finally:
                raw.remove(force=True)
    await connection.close()
    boxes.close()
    client.close()
    base, mine = (statistics.median(column) for column in zip(*pairs[1:], strict=True))
    ratio = statistics.median(b / a for a, b in pairs[1:])
    return {"baseline_ms": base * 1e3, "step_ms": mine * 1e3, "ratio": ratio}


def main() -> None:
    context = multiprocessing.get_context("spawn")
    port = context.Queue()
    server = context.Process(target=serve, args=(port,), daemon=True)
    server.start()
    try:
        found = asyncio.run(measure(port.get(timeout=60)))
    finally:
        server.terminate()
    if "--json" in sys.argv:
        print(json.dumps(found))
    else:
        print(
            f"step {found['step_ms']:.2f} ms, baseline {found['baseline_ms']:.2f} ms, "
            f"ratio {found['ratio']:.2f}"
        )


if __name__ == "__main__":
    main()
