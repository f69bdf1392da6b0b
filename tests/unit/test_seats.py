"""Calls made on several machines share the seats at their endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.executors.leases import Leases
from harness.executors.mail import Outbox
from harness.models.pool import Pool
from harness.verbs.afar.seats import LentPool, SeatWanted, given
from tests.contract.fleets import NearHand, ToyDesk
from tests.contract.toy_workers import ToyWorker

pytestmark = pytest.mark.anyio


class Desk(ToyDesk):
    """One that has a pool."""

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self.pool = pool

    def lease(self, what: object, /) -> object:  # type: ignore[override]
        assert isinstance(what, SeatWanted)
        return given(self.pool, what)


@contextmanager
def workers(pool: Pool, count: int) -> Iterator[list[LentPool]]:
    """So many, each fetched by a driver of its own making."""
    tasks: list[asyncio.Task[None]] = []

    def lend() -> LentPool:
        worker = ToyWorker(None)
        leases = Leases(NearHand(worker), Desk(pool), asyncio.create_task)
        tasks.append(asyncio.create_task(_fetch(worker.outbox, leases)))
        return LentPool(worker.outbox, 0, len(pool.lanes))

    try:
        yield [lend() for _ in range(count)]
    finally:
        for task in tasks:
            task.cancel()


async def _fetch(outbox: Outbox, leases: Leases) -> None:
    kept = 0
    while True:
        notices = await outbox.visited(kept)
        for notice in notices:
            leases.take(notice)  # type: ignore[arg-type]
        kept += len(notices)


async def test_no_more_calls_are_made_at_a_time_than_one_machine_would() -> None:
    pool = Pool()
    pool.lanes[0].width = 2
    now = most = 0

    async def call(lent: LentPool) -> None:
        nonlocal now, most
        async with lent.seat(lent.place()):
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.005)
            now -= 1

    with workers(pool, 3) as lent:
        async with asyncio.timeout(20):
            await asyncio.gather(*(call(one) for one in lent for _ in range(4)))
    assert most == 2
    assert pool.lanes[0].busy == 0


async def test_what_one_machine_hears_of_the_endpoint_holds_for_all() -> None:
    pool = Pool()
    with workers(pool, 2) as (one, other):
        async with asyncio.timeout(20):
            async with one.seat(one.place()) as seat:
                seat.welcomed()
            async with one.seat(one.place()) as seat:
                seat.turned_away(0.05)
            started = asyncio.get_running_loop().time()
            async with other.seat(other.place()):
                waited = asyncio.get_running_loop().time() - started
    assert waited >= 0.04
    assert pool.lanes[0].served == 1


async def test_a_refusal_that_is_nobody_elses_matter_is_known_for_it_on_every_machine() -> None:
    pool = Pool()
    pool.lanes[0].moods.expected = 0.5
    with workers(pool, 2) as (one, other):
        async with asyncio.timeout(20):
            async with one.seat(one.place()) as seat:
                assert seat.turned_away(60.0)
            async with other.seat(other.place()) as seat:
                seat.welcomed()


async def test_a_call_that_is_tried_again_keeps_its_place_in_the_queue() -> None:
    pool = Pool()
    pool.lanes[0].width = 1
    begun: list[str] = []

    async def call(lent: LentPool, place: int, name: str) -> None:
        async with lent.seat(place):
            begun.append(name)

    with workers(pool, 2) as (one, other):
        async with asyncio.timeout(20):
            place = one.place()
            await call(one, place, "first")
            async with other.seat(other.place()):
                later = asyncio.create_task(call(other, other.place(), "later"))
                await asyncio.sleep(0.02)
                again = asyncio.create_task(call(one, place, "again"))
                await asyncio.sleep(0.02)
            await asyncio.gather(later, again)
    assert begun == ["first", "again", "later"]


async def test_who_gives_up_waiting_takes_nobodys_seat() -> None:
    pool = Pool()
    pool.lanes[0].width = 1
    with workers(pool, 1) as (one,):
        async with asyncio.timeout(20):
            async with one.seat(one.place()):
                waiting = asyncio.create_task(one.seat(one.place()).__aenter__())
                await asyncio.sleep(0.02)
                waiting.cancel()
                await asyncio.wait([waiting])
            async with one.seat(one.place()):
                assert pool.lanes[0].busy == 1
