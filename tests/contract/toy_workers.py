"""Work that is told by an attempt's name what to do, here or by a worker elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from harness import codec
from harness.errors import Parked, UsageError
from harness.executors.mail import Ended, Kept, Line, Notice, Opened, Order, Outbox, Stopped
from harness.types import Attempt, Brief, Clocks, Environment, Faulted, Record, Task, TaskId, Usage


def attempts(*names: str) -> list[Attempt]:
    return [Attempt(TaskId(name), "c", n) for n, name in enumerate(names)]


def faulted(attempt: Attempt) -> Faulted:
    return Faulted(attempt, "sandbox", attempt.task, Usage(), Clocks())


def task(attempt: Attempt) -> Task:
    return Task(Brief(attempt.task, "", Environment("", "/")), {}, "g", "o")


async def work(attempt: Attempt) -> Record:
    """`ok`, `parked`, `refused`, `bug`, `for ever`, or `dies`, which a worker may."""
    await asyncio.sleep(0)
    match attempt.task:
        case "parked":
            raise Parked("the budget is spent")
        case "refused":
            raise UsageError("the endpoint refuses the key")
        case "bug":
            raise RuntimeError("a bug of ours")
        case "for ever":
            await asyncio.Event().wait()
        case "dies":
            os.kill(os.getpid(), signal.SIGKILL)
    return faulted(attempt)


class ToyWorker:
    """A worker that does `work`, and says before it that the attempt has begun."""

    def __init__(self, papers: Any, do: Callable[[Attempt], Awaitable[Record]] = work) -> None:
        self.papers = papers
        self.outbox = Outbox()
        self.secrets: Any = None
        self.tasks: dict[Attempt, asyncio.Task[None]] = {}
        self._do = do

    async def hired(self, secrets: Any) -> set[str]:
        self.secrets = secrets
        if self.papers == "unfit":
            raise UsageError("no engine answers")
        return set()

    async def begin(self, order: Order) -> None:
        self.tasks[order.attempt] = asyncio.create_task(self._made(order))

    async def _made(self, order: Order) -> None:
        attempt = order.attempt
        self.outbox.put(Opened(attempt, order.tries + 1))
        await self.outbox.kept(self.outbox.put(Line(attempt, b'{"kind":"try","at":0}', True)))
        self.outbox.put(Kept(attempt.task.encode()))
        try:
            ended = Ended(attempt, codec.encode(await self._do(attempt)))
        except (Parked, UsageError, RuntimeError) as error:
            ended = Ended(attempt, error=error)
        self.outbox.put(ended)

    async def visited(self, kept: int) -> list[Notice]:
        return await self.outbox.visited(kept)

    async def told(self, number: int, answer: Any) -> None:
        self.outbox.told(number, answer)

    async def probe(self) -> str:
        return ""

    async def stop(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        self.outbox.put(Stopped())
