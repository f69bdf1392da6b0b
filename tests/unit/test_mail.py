"""What a worker says arrives in its order, and nobody goes on before it is kept."""

from __future__ import annotations

import asyncio

import pytest

from harness.executors.mail import AT_A_TIME, Kept, Outbox, Question

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


async def test_a_question_is_answered_by_its_number() -> None:
    outbox = Outbox()
    asked = [asyncio.create_task(outbox.ask(what)) for what in ("a", "b")]
    await asyncio.sleep(0)
    first, second = await outbox.visited(0)
    assert isinstance(first, Question) and isinstance(second, Question)
    outbox.told(second.number, "B")
    outbox.told(first.number, "A")
    outbox.told(99, "nobody asked")
    assert [await task for task in asked] == ["A", "B"]
