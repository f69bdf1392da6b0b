"""When the machine under the measurement is down, wait for it instead of burning attempts.

A culprit that faults several attempts in a row, with no grade between them, is taken to be down.
Nothing new begins then until its probe succeeds; what is under way goes on as it can. An attempt
that comes again after a fault begins only once its culprit answers, so that an outage at the end
of a run, where few attempts are left to make a row, does not use up their tries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from harness.api import Work
from harness.errors import Fault, UsageError
from harness.types import Attempt, Culprit, Faulted, Record

Probe = Callable[[], Awaitable[None]]
"""Returns when what it asks is well; Fault, UsageError or OSError while it is not."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many faults in a row close the gate, and how long to wait between probes, in seconds."""

    faults: int = 3
    first: float = 1.0
    most: float = 30.0


class Gate:
    """Closed while a culprit is down. Whoever comes first to a closed gate does the probing."""

    def __init__(
        self, probes: Mapping[Culprit, Probe], say: Callable[[str], None], patience: Patience
    ) -> None:
        self._probes = probes
        self._say = say
        self._patience = patience
        self._row: list[Culprit] = []
        self._faulted: dict[Attempt, Culprit] = {}
        self._down: Culprit | None = None
        self._turn = asyncio.Lock()

    def settled(self, record: Record) -> None:
        """Count a settled record; close the gate where one culprit's faults have become a row."""
        if not isinstance(record, Faulted):
            self._row.clear()
            return
        self._faulted[record.attempt] = record.culprit
        if self._row and self._row[-1] != record.culprit:
            self._row.clear()
        self._row.append(record.culprit)
        if len(self._row) >= self._patience.faults and record.culprit in self._probes:
            self._down = record.culprit
            self._row.clear()

    def guarded(self, work: Work) -> Work:
        """`work`, begun only while the gate is open."""

        async def begun(attempt: Attempt) -> Record:
            async with self._turn:
                for culprit in {self._down, self._faulted.pop(attempt, None)}:
                    if culprit is not None and culprit in self._probes:
                        await self._until_well(culprit)
                self._down = None
            return await work(attempt)

        return begun

    async def _until_well(self, culprit: Culprit) -> None:
        pause, said = self._patience.first, ""
        while trouble := await self._trouble(culprit):
            if trouble != said:
                said = trouble
                self._say(f"paused: waiting for the {culprit}: {trouble}")
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._patience.most)
        if said:
            self._say(f"the {culprit} is back; going on")

    async def _trouble(self, culprit: Culprit) -> str:
        try:
            await self._probes[culprit]()
        except (Fault, UsageError, OSError) as error:
            return str(error).splitlines()[0]
        return ""
