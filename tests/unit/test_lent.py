"""What an attempt on another machine writes: in its order, and nothing before its evidence."""

from __future__ import annotations

import asyncio
import threading

import pytest

from harness.errors import UsageError
from harness.executors.mail import Kept, Line, Opened, Order, Outbox
from harness.types import Attempt, TaskId
from harness.verbs.afar.lent import LentArchive
from results.share import Share
from tests.contract.toy_workers import task

pytestmark = pytest.mark.anyio
ATTEMPT = Attempt(TaskId("t"), "c", 0)
ORDER = Order(ATTEMPT, task(ATTEMPT), 2, {2: b'{"kind":"try","at":0}\n{"kind":"torn'}, {"d": b"p"})


class Slow(Share):
    """A share that takes its time, or nothing at all."""

    def __init__(self, error: OSError | None = None) -> None:
        super().__init__("memory://slow")
        self.go = threading.Event()
        self.error = error

    def keep(self, data: bytes, /) -> str:
        self.go.wait(10)
        if self.error:
            raise self.error
        return super().keep(data)


def test_the_past_is_what_came_with_the_order() -> None:
    archive = LentArchive(ORDER, Outbox())
    assert archive.tries(ATTEMPT) == 2
    assert [event["kind"] for event in archive.events(ATTEMPT, 2)] == ["try"]
    assert list(archive.events(ATTEMPT, 1)) == []
    assert archive.fetch("d") == b"p"


async def test_events_and_blobs_go_to_the_driver_in_their_order() -> None:
    outbox = Outbox()
    archive = LentArchive(ORDER, outbox)
    with archive.trace(ATTEMPT, 3) as trace:
        trace.emit("reply", {"n": 1}, sync=True)
        archive.keep(b"patch")
        trace.emit("note", {})
    opened, reply, kept, note = await outbox.visited(0)
    assert (opened, kept) == (Opened(ATTEMPT, 3), Kept(b"patch"))
    assert isinstance(reply, Line) and isinstance(note, Line)
    assert (reply.sync, note.sync) == (True, False)


async def test_who_acts_on_a_reply_waits_until_the_driver_has_it_and_for_nothing_later() -> None:
    outbox = Outbox()
    archive = LentArchive(ORDER, outbox)
    archive.emit("reply", {}, sync=True)
    archive.emit("exec", {})
    acting = asyncio.create_task(archive.settled())
    await outbox.visited(0)
    await asyncio.sleep(0)
    assert not acting.done()
    visit = asyncio.create_task(outbox.visited(1))
    await acting
    visit.cancel()


async def test_with_a_share_nothing_that_names_a_blob_leaves_before_it_is_there() -> None:
    outbox, slow = Outbox(), Slow()
    archive = LentArchive(ORDER, outbox, slow)
    digest = archive.keep(b"patch")
    archive.emit("submission", {"patch": digest}, sync=True)
    outbox.put(Kept(b"of somebody else"))
    assert await outbox.visited(0) == [Kept(b"of somebody else")]
    slow.go.set()
    (line,) = await outbox.visited(1)
    assert isinstance(line, Line) and digest.encode() in line.data
    assert slow.fetch(digest) == b"patch"


async def test_a_share_that_takes_nothing_stops_the_run_in_one_line() -> None:
    outbox, broken = Outbox(), Slow(OSError("no such bucket"))
    archive = LentArchive(ORDER, outbox, broken)
    archive.keep(b"patch")
    archive.emit("submission", {}, sync=True)
    broken.go.set()
    with pytest.raises(UsageError, match="memory://slow takes nothing: no such bucket"):
        await archive.settled()
