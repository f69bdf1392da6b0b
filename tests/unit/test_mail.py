"""What a worker says arrives in its order, and nobody goes on before it is kept."""

from __future__ import annotations

import asyncio

import pytest

from harness.errors import Parked
from harness.executors.mail import AT_A_TIME, Kept, Outbox, Returned, Said, Wanted

pytestmark = pytest.mark.anyio


async def test_notices_come_in_their_order_and_in_bounded_visits() -> None:
    outbox = Outbox()
    for n in range(AT_A_TIME + 1):
        outbox.put(Kept(b"%d" % n))
    first, second = await outbox.visited(0), await outbox.visited(AT_A_TIME)
    assert [*first, *second] == [Kept(b"%d" % n) for n in range(AT_A_TIME + 1)]


async def test_a_visit_waits_for_something_to_be_said() -> None:
    outbox = Outbox()
    visit = asyncio.create_task(outbox.visited(0))
    await asyncio.sleep(0)
    outbox.put(Kept(b"a"))
    assert await visit == [Kept(b"a")]


async def test_who_waits_goes_on_once_his_notice_is_kept_and_not_when_it_is_fetched() -> None:
    outbox = Outbox()
    first, second = outbox.put(Kept(b"a")), outbox.put(Kept(b"b"))
    waiting = [asyncio.create_task(outbox.kept(n)) for n in (second, first)]
    await outbox.visited(0)
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [False, False]
    visit = asyncio.create_task(outbox.visited(first))
    await waiting[1]
    assert not waiting[0].done()
    outbox.put(Kept(b"c"))
    await visit
    outbox.put(Kept(b"d"))
    await outbox.visited(second)
    await waiting[0]
    await outbox.kept(first)


async def test_a_lease_is_answered_by_its_number_and_returned_at_its_end() -> None:
    outbox = Outbox()

    async def leased(what: str) -> str:
        async with outbox.lease(what) as (number, answer):
            outbox.put(Said(number, "well"))
            return str(answer)

    asked = [asyncio.create_task(leased(what)) for what in ("a", "b")]
    await asyncio.sleep(0)
    first, second = await outbox.visited(0)
    assert isinstance(first, Wanted) and isinstance(second, Wanted)
    outbox.told(second.number, "B")
    outbox.told(first.number, "A")
    outbox.told(99, "nobody asked")
    assert [await task for task in asked] == ["A", "B"]
    assert set(await outbox.visited(2)) == {
        said
        for lease in (first, second)
        for said in (Said(lease.number, "well"), Returned(lease.number))
    }


async def test_a_lease_may_be_refused_or_no_longer_be_wanted() -> None:
    outbox = Outbox()

    async def leased() -> None:
        async with outbox.lease("a"):
            pass

    refused, given_up = asyncio.create_task(leased()), asyncio.create_task(leased())
    await asyncio.sleep(0)
    first, second = await outbox.visited(0)
    assert isinstance(first, Wanted) and isinstance(second, Wanted)
    outbox.told(first.number, Parked("nothing is left"))
    given_up.cancel()
    with pytest.raises(Parked):
        await refused
    assert set(await outbox.visited(2)) == {Returned(first.number), Returned(second.number)}
