from __future__ import annotations

import asyncio

import pytest

from harness.errors import UsageError
from harness.executors.local import Local
from harness.outage import Gate, Patience
from harness.runner import owed, run
from harness.types import Attempt, Clocks, Ending, Faulted, Graded, Record, TaskId, Usage, Verdict
from results.store import RunStore

pytestmark = pytest.mark.anyio
PLANNED = [Attempt(TaskId(f"t{n}"), "c", 0) for n in range(8)]


class Service:
    """Down for the first few times that anyone asks."""

    def __init__(self, down_for: int) -> None:
        self.down_for = down_for
        self.probed = 0

    async def probe(self) -> None:
        self.probed += 1
        self.down_for -= 1
        if self.down_for > 0:
            raise UsageError("no endpoint answers")


def record(attempt: Attempt, *, fault: bool) -> Record:
    if fault:
        return Faulted(attempt, "model", "503", Usage(), Clocks())
    return Graded(attempt, Verdict(True, "resolved"), Ending.SUBMITTED, Usage(), Clocks())


async def test_a_run_waits_for_what_is_down_and_goes_on_by_itself(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    service, said = Service(down_for=4), list[str]()
    gate = Gate({"model": service.probe}, said.append, Patience(faults=3, first=0.001))
    tried: list[Attempt] = []

    async def work(attempt: Attempt) -> Record:
        tried.append(attempt)
        return record(attempt, fault=service.down_for > 0)

    with RunStore(tmp_path_factory.mktemp("run")) as store:
        await run(PLANNED, gate.guarded(work), store, Local(1), gate.settled)
        faults = [r for r in store.records() if isinstance(r, Faulted)]
        assert owed(PLANNED, store.graded) == []
    assert len(faults) == 3, "three faults told that it was down; no attempt was burnt after that"
    assert said[0] == "paused: waiting for the model: no endpoint answers"
    assert said[-1] == "the model is back; going on"
    assert len(tried) == len(PLANNED) + 3


async def test_faults_of_different_culprits_or_with_grades_between_are_no_outage() -> None:
    service = Service(down_for=99)
    gate = Gate({"model": service.probe}, lambda line: None, Patience(faults=3))
    for fault in (True, True, False, True, True, False):
        gate.settled(record(PLANNED[0], fault=fault))
    begun = asyncio.Event()

    async def work(attempt: Attempt) -> Record:
        begun.set()
        return record(attempt, fault=False)

    await gate.guarded(work)(PLANNED[1])
    assert begun.is_set() and service.probed == 0


async def test_the_last_attempt_does_not_use_up_its_tries_while_its_culprit_is_down(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    service, last = Service(down_for=9), PLANNED[:1]
    gate = Gate({"model": service.probe}, lambda line: None, Patience(faults=3, first=0.001))

    async def work(attempt: Attempt) -> Record:
        return record(attempt, fault=service.down_for > 0)

    with RunStore(tmp_path_factory.mktemp("run")) as store:
        await run(last, gate.guarded(work), store, Local(1), gate.settled)
        assert owed(last, store.graded) == []
        assert len(list(store.records())) == 2
