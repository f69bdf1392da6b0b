"""What a step costs beside its raw parts: a model call, a command in a Docker box, and their trace.

The baseline is the `post` of a ready body by an openai client as the package makes it, and one
command through a raw persistent shell over a hijacked exec socket; the other one is the same `post`
and a `docker exec`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import docker

from harness.attempt import run_attempt
from harness.sandboxes.docker import Docker
from harness.types import Attempt, TaskId
from tests.bench.endpoint import endpoint
from tests.bench.figures import Figure, Took, median_ratio, ms, timed
from tests.bench.parts import (
    ENVIRONMENT,
    TASK,
    OneBox,
    body,
    connection,
    parts,
    plain_client,
    post,
    raw_box,
    raw_command,
    raw_shell,
)

ROUNDS, STEPS, EXECS = 7, 100, 10


async def measure() -> list[Figure]:
    """Ours and both baselines, in turns."""
    raw, execs, mine = list[Took](), list[Took](), list[Took]()
    boxes, client = Docker(), docker.from_env()
    container = raw_box(client)
    try:
        with endpoint() as served, tempfile.TemporaryDirectory() as folder:
            model, plain = connection(served.url), plain_client(served.url)
            async with boxes.open(ENVIRONMENT) as box:
                one = OneBox(box, await boxes.prepare(ENVIRONMENT))
                kit = parts(model, one, Path(folder), turns=STEPS)
                for number in range(ROUNDS + 1):
                    raw.append(await _raw(plain, raw_shell(client, container)))
                    execs.append(await _by_exec(plain, container))
                    with timed() as took:
                        await run_attempt(Attempt(TaskId("t"), "c", number), TASK, kit)
                    mine.append(Took(took.wall / STEPS, took.cpu / STEPS))
            await model.close()
            await plain.close()
    finally:
        container.remove(force=True)
        boxes.close()
        client.close()
    return _figures(raw[1:], execs[1:], mine[1:])


def _figures(raw: list[Took], execs: list[Took], mine: list[Took]) -> list[Figure]:
    wall, cpu = ([t.wall for t in mine], [t.cpu for t in mine])
    raw_wall, raw_cpu = ([t.wall for t in raw], [t.cpu for t in raw])
    exec_wall = [t.wall for t in execs]
    return [
        Figure("step, wall", median_ratio(wall, raw_wall), 1.5, "x", ms(wall), ms(raw_wall)),
        Figure("step, CPU", median_ratio(cpu, raw_cpu), 1.5, "x", ms(cpu), ms(raw_cpu)),
        Figure(
            "step beside docker exec",
            median_ratio(wall, exec_wall),
            0.1,
            "x",
            ms(wall),
            ms(exec_wall),
        ),
    ]


async def _raw(client: Any, shell: Any) -> Took:
    ready = body()
    with timed() as took:
        for _ in range(STEPS):
            await post(client, ready)
            await raw_command(shell)
    shell.close()
    return Took(took.wall / STEPS, took.cpu / STEPS)


async def _by_exec(client: Any, container: Any) -> Took:
    ready = body()
    with timed() as took:
        for _ in range(EXECS):
            await post(client, ready)
            container.exec_run(["bash", "-c", "true"])
    return Took(took.wall / EXECS, took.cpu / EXECS)
