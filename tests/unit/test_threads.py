"""What must not be left half done is seen through, and only then is one cancelled."""

from __future__ import annotations

import asyncio

import pytest

from harness.sandboxes.threads import in_thread, unhurried

pytestmark = pytest.mark.anyio


async def test_work_is_finished_however_often_one_is_cancelled() -> None:
    begun, allowed, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await allowed.wait()
        done.set()

    task = asyncio.create_task(unhurried(work()))
    await begun.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    allowed.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


async def test_a_failure_in_a_thread_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        await unhurried(in_thread(lambda: 1 // 0))
