"""The worker of one node: it builds what an experiment needs, and makes the attempts it is given.

It writes nothing of the run. All that it finds out goes to the driver as it happens.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from harness import codec
from harness.api import Pin, Probing, Stocked, Supplied
from harness.attempt import run_attempt
from harness.errors import DISK_FULL, Fault, Parked, UsageError
from harness.executors.mail import Ended, Notice, Order, Outbox, Stopped
from harness.experiment import Experiment
from harness.sandboxes.sweep import sweep
from harness.types import Attempt, Record, Task, TaskId
from harness.verbs.afar.lent import LentArchive, LentMeter, NodeBook
from harness.verbs.afar.seats import LentPools
from harness.verbs.assemble import Address, Assembly
from harness.verbs.graders import Graders
from harness.verbs.loading import Loaded
from results.provenance import source_digest
from results.share import Share

LAST_WISH = 'exec 3<&0; (cat <&3 >/dev/null; sleep 1; exec "$0" -m harness sweep) >/dev/null 2>&1 &'
"""Wait until the worker is no more, however it died, then remove the boxes that it left."""


@dataclass(frozen=True, slots=True)
class Papers:
    """What every worker of a run is told. No secrets: Ray keeps what an actor is made with."""

    experiment: Experiment
    address: Address
    run_id: str
    code: str
    """Digest of the harness's own: workers with another would measure something else."""
    share: str
    """Where blobs go, by URL. Empty: to the driver."""
    limited: bool
    """The run has a budget, so each call is to be admitted."""
    images: Mapping[str, Pin]
    """Those that the run is bound to, by name."""


@dataclass(slots=True)
class _Crew:
    assembly: Assembly
    tasks: dict[TaskId, Task]
    graders: Graders
    share: Share | None
    door: AsyncExitStack = field(default_factory=AsyncExitStack)


@dataclass(slots=True)
class Worker:
    papers: Papers
    outbox: Outbox = field(default_factory=Outbox)
    crew: _Crew | None = None
    under_way: dict[Attempt, asyncio.Task[None]] = field(default_factory=dict)

    async def hired(self, keys: Mapping[str, str]) -> set[str]:
        """Build all parts; the images that are here. UsageError where this machine cannot."""
        here = source_digest()
        if here != self.papers.code:
            raise UsageError(
                f"its harness ({here}) is not the driver's ({self.papers.code}): "
                "install the same on both"
            )
        tasks: dict[TaskId, Task] = {}
        address = replace(self.papers.address, keys=keys)
        assembly = Assembly(
            self.papers.experiment,
            Loaded(tasks, {}),
            address,
            self.papers.run_id,
            LentPools(self.outbox),
        )
        share = Share(self.papers.share) if self.papers.share else None
        self.crew = _Crew(assembly, tasks, Graders(assembly, NodeBook()), share)
        await self.crew.door.enter_async_context(assembly.host.open())
        _last_wish()
        with suppress(UsageError):
            await sweep()
        boxes = assembly.sandboxes.inner
        if isinstance(boxes, Supplied):
            boxes.supply.pin(self.papers.images, lambda name, pin: None)
        return set(await boxes.stock()) if isinstance(boxes, Stocked) else set()

    async def begin(self, order: Order) -> None:
        work = self._ended(order)
        self.under_way[order.attempt] = asyncio.create_task(work, name=order.attempt.id)

    async def visited(self, kept: int) -> list[Notice]:
        return await self.outbox.visited(kept)

    async def told(self, number: int, answer: Any) -> None:
        self.outbox.told(number, answer)

    async def probe(self) -> str:
        """What is wrong with this machine's boxes, or nothing."""
        boxes = self._crew.assembly.sandboxes.inner
        try:
            if isinstance(boxes, Probing):
                await boxes.probe()
        except (Fault, UsageError, OSError) as error:
            return str(error).splitlines()[0]
        return ""

    async def stop(self) -> None:
        """End what is under way, with its boxes, and say the last word."""
        tasks = list(self.under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.crew:
            await self.crew.door.aclose()
            await self.crew.assembly.close()
        self.outbox.put(Stopped())

    @property
    def _crew(self) -> _Crew:
        assert self.crew, "it was never hired"
        return self.crew

    async def _ended(self, order: Order) -> None:
        try:
            record = await self._made(order)
            ended = Ended(order.attempt, codec.encode(record))
        except (Parked, UsageError) as error:
            ended = Ended(order.attempt, error=error)
        except OSError as error:
            known = error.errno in DISK_FULL
            ended = Ended(order.attempt, error=error if known else _told(error))
        except Exception as error:  # noqa: BLE001 - the driver raises it
            ended = Ended(order.attempt, error=_told(error))
        finally:
            self.under_way.pop(order.attempt, None)
        self.outbox.put(ended)

    async def _made(self, order: Order) -> Record:
        crew = self._crew
        archive = LentArchive(order, self.outbox, crew.share)
        crew.tasks[order.task.id] = order.task
        meter = LentMeter(self.outbox, limited=self.papers.limited)
        parts = crew.assembly.parts(order.attempt, archive, meter)
        parts = replace(parts, grader=crew.graders.of(order.attempt, order.task))
        those = [box for one, box in order.soon if not crew.assembly.host.expects(one.condition)]
        crew.assembly.sandboxes.expect(those)
        boxes, environment = crew.assembly.sandboxes.inner, order.task.brief.environment
        async with AsyncExitStack() as held:
            if isinstance(boxes, Supplied):
                await held.enter_async_context(boxes.supply.using(environment))
            record = await run_attempt(order.attempt, order.task, parts)
        await archive.settled()
        return record


def _told(error: Exception) -> Exception:
    """A bug of ours as the driver can raise it: whatever it was, text travels."""
    return RuntimeError("".join(traceback.format_exception(error)))


def _last_wish() -> None:
    """Leave somebody behind who outlives this process: it may be killed with its boxes open."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", LAST_WISH, sys.executable],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    process.wait()
    _WISHES.append(process)


_WISHES: list[subprocess.Popen[bytes]] = []
"""Their pipes stay open as long as we live."""
