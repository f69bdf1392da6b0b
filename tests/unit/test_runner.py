from __future__ import annotations

import asyncio

import pytest

from harness.errors import Parked, UsageError
from harness.executors.local import Local
from harness.runner import MAX_FAULTS, owed, run
from harness.types import (
    Attempt,
    Clocks,
    Ending,
    Faulted,
    Graded,
    Record,
    TaskId,
    Usage,
    Verdict,
)
from results.store import RunStore

pytestmark = pytest.mark.anyio
A, B, C = (Attempt(TaskId(name), "c", 0) for name in "abc")


def graded(attempt: Attempt) -> Graded:
    return Graded(attempt, Verdict(True, "resolved"), Ending.SUBMITTED, Usage(), Clocks())


def faulted(attempt: Attempt) -> Faulted:
    return Faulted(attempt, "model", "503", Usage(), Clocks())


async def worked_off(
    store: RunStore, *answers: Record | Exception, width: int = 1
) -> list[Attempt]:
    """Run A, B and C with these answers in order, then only grades; what was worked, in order."""
    given, worked = list(answers), []

    async def work(attempt: Attempt) -> Record:
        worked.append(attempt)
        answer = given.pop(0) if given else graded(attempt)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with store:
        await run([A, B, C], work, store, Local(width))
    return worked


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> RunStore:
    return RunStore(tmp_path_factory.mktemp("run"))


def test_what_has_no_grade_is_owed() -> None:
    assert owed([A, B, C], {B}) == [A, C]


async def test_a_fault_comes_again_after_the_rest(store: RunStore) -> None:
    assert await worked_off(store, faulted(A)) == [A, B, C, A]
    assert owed([A, B, C], store.graded) == []


async def test_faults_have_a_bound_and_all_of_them_stay_on_record(store: RunStore) -> None:
    others = [graded(B), graded(C)]
    worked = await worked_off(store, faulted(A), *others, faulted(A), faulted(A), faulted(A))
    assert worked.count(A) == MAX_FAULTS
    assert sum(isinstance(r, Faulted) for r in store.records()) == MAX_FAULTS
    assert owed([A, B, C], store.graded) == [A]


async def test_a_parked_attempt_ends_its_seat_and_leaves_no_record(store: RunStore) -> None:
    assert await worked_off(store, graded(A), Parked("spent")) == [A, B]
    assert owed([A, B, C], store.graded) == [B, C]


async def test_a_request_that_makes_no_sense_stops_everything(store: RunStore) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await worked_off(store, UsageError("the key is refused"))
    assert caught.group_contains(UsageError, match="the key is refused")
    assert owed([A, B, C], store.graded) == [A, B, C]


async def test_width_is_how_many_are_in_flight() -> None:
    most = now = 0
    everyone = asyncio.Barrier(2)

    async def work(attempt: Attempt) -> Record:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await everyone.wait()
        now -= 1
        return graded(attempt)

    four = [Attempt(TaskId(name), "c", 0) for name in "abcd"]
    await Local(2).run(four, work, lambda record: None)
    assert most == 2
