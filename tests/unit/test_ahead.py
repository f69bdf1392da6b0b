from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.errors import Fault
from harness.sandboxes.ahead import Ahead
from harness.sandboxes.host import Host
from harness.types import Environment, Prepared

pytestmark = pytest.mark.anyio
A, B, C = (Environment(name, "/tmp") for name in "abc")


@dataclass
class Boxes:
    """Numbered boxes that say when they are opened and when they are gone."""

    broken: set[str] = field(default_factory=set)
    opened: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    removal: asyncio.Event = field(default_factory=asyncio.Event)

    async def prepare(self, environment: Environment, /) -> Prepared:
        return Prepared("")

    @asynccontextmanager
    async def open(self, environment: Environment, /) -> AsyncIterator[Any]:
        if environment.image in self.broken:
            raise Fault("sandbox", "no such image")
        self.opened.append(environment.image)
        try:
            yield f"box {len(self.opened)} of {environment.image}"
        finally:
            await self.removal.wait()
            self.gone.append(environment.image)


@pytest.fixture
def boxes() -> Boxes:
    made = Boxes()
    made.removal.set()
    return made


async def test_the_next_box_is_open_before_it_is_asked_for(boxes: Boxes) -> None:
    ahead = Ahead(boxes, 1)
    ahead.expect([B, C])
    async with ahead.open(A):
        await asyncio.sleep(0)
        assert boxes.opened == ["a", "b"], "one spare box, and not two"
        ahead.expect([])
        async with ahead.open(B) as box:
            assert box == "box 2 of b"
    await ahead.settle()
    assert sorted(boxes.gone) == ["a", "b"]


async def test_a_spare_box_that_nobody_comes_for_is_let_go(boxes: Boxes) -> None:
    ahead = Ahead(boxes, 1)
    ahead.expect([B])
    async with ahead.open(A):
        pass
    ahead.expect([C])
    async with ahead.open(A):
        pass
    await ahead.settle()
    assert sorted(boxes.opened) == sorted(boxes.gone) == ["a", "a", "b", "c"]


async def test_a_block_is_left_before_its_box_is_gone(boxes: Boxes) -> None:
    ahead = Ahead(boxes, 1)
    boxes.removal.clear()
    async with ahead.open(A):
        pass
    assert boxes.gone == []
    settling = asyncio.create_task(ahead.settle())
    boxes.removal.set()
    await settling
    assert boxes.gone == ["a"]


async def test_a_spare_box_that_failed_is_tried_again_by_whoever_needs_it(boxes: Boxes) -> None:
    ahead = Ahead(boxes, 1)
    boxes.broken.add("b")
    ahead.expect([B])
    async with ahead.open(A):
        await asyncio.sleep(0)
    ahead.expect([])
    with pytest.raises(Fault, match="no such image"):
        async with ahead.open(B):
            pass
    boxes.broken.clear()
    async with ahead.open(B) as box:
        assert box == "box 2 of b"
    await ahead.settle()


async def test_whoever_is_interrupted_while_waiting_leaves_no_box(boxes: Boxes) -> None:
    ahead = Ahead(boxes, 1)
    boxes.removal.clear()

    async def work() -> None:
        async with ahead.open(A):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    boxes.removal.set()
    await ahead.settle()
    assert boxes.opened == boxes.gone


async def test_a_spare_box_that_has_died_is_not_handed_out() -> None:
    ahead = Ahead(Host(), 1)
    here = Environment("", "/work")
    ahead.expect([here])
    async with ahead.open(Environment("other", "/work")) as other:
        await other.exec(["true"], kill_after=60)
        (spare,) = ahead._spare
        box = await spare.ready
        died = await box.exec(["sh", "-c", "kill -9 $PPID"], kill_after=60)
        assert died.ended == "lost"
        box.close()
        ahead.expect([])
        async with ahead.open(here) as fresh:
            assert fresh is not box
            assert (await fresh.exec(["true"], kill_after=60)).ok
    await ahead.settle()
