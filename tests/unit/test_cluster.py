"""What a cluster does about nodes that come, fall ill and die; the nodes are in this process."""

from __future__ import annotations

import asyncio

import pytest

from harness.errors import Parked, UsageError
from harness.executors.cluster import MAX_LOST, MAX_ROW, Cluster, Pace
from harness.executors.fleet import Place
from harness.executors.mail import Kept, Line, Opened, Said
from harness.types import Attempt, Clocks, Ending, Graded, Record, Usage, Verdict
from tests.contract.fleets import Nearby, ToyDesk
from tests.contract.toy_workers import ToyWorker, attempts, faulted

pytestmark = pytest.mark.anyio
A, B = Place("1", "a", 2), Place("2", "b", 2)
QUICK = Pace(watch=0.001, again=0.001)


def graded(attempt: Attempt) -> Record:
    return Graded(attempt, Verdict(True, "resolved"), Ending.SUBMITTED, Usage(), Clocks())


class Scene:
    """A cluster whose attempts last until they are let go, and what happened on it."""

    def __init__(self, *places: Place) -> None:
        self.go, self.begun = asyncio.Event(), asyncio.Condition()
        self.spoken = asyncio.Event()
        self.at: list[tuple[str, Attempt]] = []
        self.said: list[str] = []
        self.settled: list[Record] = []
        self.desk = ToyDesk()
        self.fleet = Nearby(list(places), self.make)
        self.cluster = Cluster(self.fleet, self.desk, lambda _: "", self.say, pace=QUICK)
        self.trouble: dict[str, str] = {}

    def make(self, papers: object) -> ToyWorker:
        scene = self

        class Waiting(ToyWorker):
            @property
            def name(self) -> str:
                return next(n for n, h in scene.fleet.hands.items() if h.worker is self)

            async def probe(self) -> str:
                return scene.trouble.get(self.name, "")

        async def do(attempt: Attempt) -> Record:
            async with scene.begun:
                scene.at.append((worker.name, attempt))
                scene.begun.notify_all()
            await scene.go.wait()
            return faulted(attempt) if scene.trouble.get(worker.name) else graded(attempt)

        worker = Waiting(papers, do)
        return worker

    async def run(self, planned: list[Attempt]) -> None:
        await self.cluster.run(planned, self.cluster.hand_over, self.settled.append)

    def say(self, line: str) -> None:
        self.said.append(line)
        self.spoken.set()

    async def until_said(self, line: str) -> None:
        while line not in self.said:
            self.spoken.clear()
            await self.spoken.wait()

    async def until_begun(self, count: int) -> None:
        async with self.begun:
            await self.begun.wait_for(lambda: len(self.at) >= count)


async def test_all_nodes_work_on_as_many_as_they_hold_boxes() -> None:
    scene = Scene(A, B)
    async with scene.cluster, asyncio.timeout(10):
        running = asyncio.create_task(scene.run(attempts(*["ok"] * 6)))
        await scene.until_begun(4)
        assert sorted(name for name, _ in scene.at) == ["a", "a", "b", "b"]
        scene.go.set()
        await running
    assert len(scene.settled) == 6


async def test_what_a_dead_node_had_under_way_goes_on_elsewhere() -> None:
    scene = Scene(A, B)
    async with scene.cluster, asyncio.timeout(10):
        running = asyncio.create_task(scene.run(attempts(*["ok"] * 4)))
        await scene.until_begun(4)
        scene.fleet.nodes.remove(B)
        scene.fleet.hands["b"].kill()
        scene.go.set()
        await running
    lost = {attempt for name, attempt in scene.at if name == "b"}
    assert lost <= {attempt for name, attempt in scene.at if name == "a"}
    assert sorted(r.attempt for r in scene.settled) == attempts(*["ok"] * 4)
    assert "node b: killed; the 2 attempts in flight there go on elsewhere" in scene.said
    opened = [n for n in scene.desk.kept if isinstance(n, Opened) and n.attempt in lost]
    assert sorted(n.number for n in opened) == [1, 1, 2, 2]


async def test_a_dead_worker_can_write_nothing_any_more() -> None:
    scene = Scene(B)
    async with scene.cluster, asyncio.timeout(10):
        running = asyncio.create_task(scene.run(attempts("ok")))
        await scene.until_begun(1)
        zombie = scene.fleet.hands["b"]
        zombie.kill()
        await scene.until_begun(2)
        late = Line(attempts("ok")[0], b"{}", True)
        zombie.worker.outbox.put(late)
        scene.go.set()
        await running
    assert late not in scene.desk.kept


async def test_an_attempt_that_workers_die_of_is_a_fault_in_the_end() -> None:
    scene = Scene(A)
    async with scene.cluster, asyncio.timeout(10):
        running = asyncio.create_task(scene.run(attempts("ok")))
        for deaths in range(1, MAX_LOST + 1):
            await scene.until_begun(deaths)
            scene.fleet.hands["a"].kill()
        await running
    assert [record.kind for record in scene.settled] == ["faulted"]


async def test_a_node_that_comes_in_the_middle_is_taken_on() -> None:
    scene = Scene(A)
    async with scene.cluster, asyncio.timeout(10):
        running = asyncio.create_task(scene.run(attempts(*["ok"] * 4)))
        await scene.until_begun(2)
        scene.fleet.nodes.append(B)
        await scene.until_begun(4)
        scene.go.set()
        await running
    assert {name for name, _ in scene.at} == {"a", "b"}


async def test_a_node_whose_machine_fails_everything_is_set_aside_until_it_is_well() -> None:
    scene = Scene(Place("1", "a", 1), Place("2", "b", 1))
    scene.trouble["b"] = "no engine answers"
    scene.go.set()
    async with scene.cluster, asyncio.timeout(10):
        await scene.run(attempts(*["ok"] * 40))
        assert sum(name == "b" for name, _ in scene.at) == MAX_ROW
        assert "node b is set aside: no engine answers" in scene.said
        scene.trouble.clear()
        await scene.until_said("node b is back")
        await scene.run(attempts(*["ok"] * 4))
    assert sum(name == "b" for name, _ in scene.at) > MAX_ROW


async def test_nodes_that_cannot_be_used_are_said_and_only_if_none_can_the_run_ends() -> None:
    scene = Scene(A)
    scene.fleet.papers = "unfit"
    with pytest.RaisesGroup(pytest.RaisesExc(UsageError, match="no engine answers")):
        async with scene.cluster, asyncio.timeout(10):
            await scene.run(attempts("ok"))
    assert "node a is left out: no engine answers" in scene.said


async def test_a_cluster_without_boxes_is_no_cluster() -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(UsageError, match="no node holds boxes")):
        async with Scene().cluster as bare, asyncio.timeout(10):
            await bare.run(attempts("ok"), bare.hand_over, lambda _: None)


async def test_on_leaving_what_workers_still_had_to_say_is_kept() -> None:
    scene = Scene(A)
    async with scene.cluster, asyncio.timeout(10):
        running = asyncio.create_task(scene.run(attempts("ok")))
        await scene.until_begun(1)
        worker = scene.fleet.hands["a"].worker
        running.cancel()
        await asyncio.wait([running])
        worker.outbox.put(Kept(b"the last"))
    assert Kept(b"the last") in scene.desk.kept
    assert worker.tasks[attempts("ok")[0]].cancelled()


async def test_what_only_the_driver_has_goes_round_among_workers() -> None:
    scene = Scene(A, B)
    async with scene.cluster, asyncio.timeout(10):
        running = asyncio.create_task(scene.run(attempts(*["ok"] * 4)))
        await scene.until_begun(4)
        first, second = (scene.fleet.hands[name].worker.outbox for name in "ab")
        async with first.lease("1") as (number, answer):
            assert answer == "1"
            waiting = asyncio.create_task(second.lease("2").__aenter__())
            given_up = asyncio.create_task(second.lease("3").__aenter__())
            first.put(Said(number, "well"))
            await asyncio.sleep(0.01)
            given_up.cancel()
        assert (await waiting)[1] == "2"
        assert (scene.desk.seated, scene.desk.said) == (["1", "2"], ["well"])
        with pytest.raises(Parked):
            await second.lease("none").__aenter__()
        scene.go.set()
        await running


async def test_what_a_dead_worker_had_is_there_for_others() -> None:
    scene = Scene(A, B)
    async with scene.cluster, asyncio.timeout(10):
        running = asyncio.create_task(scene.run(attempts(*["ok"] * 4)))
        await scene.until_begun(4)
        held = scene.fleet.hands["b"].worker.outbox.lease("1")
        await held.__aenter__()
        scene.fleet.nodes.remove(B)
        scene.fleet.hands["b"].kill()
        async with scene.fleet.hands["a"].worker.outbox.lease("2") as (_, answer):
            assert answer == "2"
        scene.go.set()
        await running
