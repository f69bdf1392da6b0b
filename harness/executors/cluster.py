"""Attempts on many machines: each node has one worker, which works on as many as it holds boxes.

What nodes are and how a worker is spoken to is the fleet's matter; this knows who is where, what
goes where, and what follows when somebody is gone. The driver fetches all that workers have to
say, so that one that was given up can write nothing any more.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any, Self

from harness.api import Work
from harness.errors import Parked, UsageError
from harness.executors.fleet import Desk, Fleet, Gone, Hand, Place
from harness.executors.leases import Leases
from harness.executors.mail import (
    Charged,
    Ended,
    Kept,
    Line,
    Notice,
    Opened,
    Returned,
    Said,
    Stopped,
    Wanted,
)
from harness.executors.placing import AHEAD, Berth, Placing
from harness.types import Attempt, Faulted, Record

MAX_LOST = 3
"""Workers that may die over one attempt before it is called a fault."""
MAX_ROW = 3
"""Faults of a node's machine in a row, with no grade between them, that set it aside."""


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds."""

    watch: float = 1.0
    """Between two looks at who is there."""
    again: float = 15.0
    """Until a node that could not be used is asked again."""
    stop: float = 60.0
    """For workers to end their boxes when a run ends early."""


@dataclass(slots=True, eq=False)
class _Member:
    place: Place
    hand: Hand
    berth: Berth
    leases: Leases
    flights: dict[Attempt, asyncio.Future[Ended]] = field(default_factory=dict)
    row: int = 0
    gone: str = ""
    listening: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Shift:
    """One call of `run`."""

    source: Iterator[Attempt]
    work: Work
    settle: Callable[[Record], None]
    queue: deque[Attempt] = field(default_factory=deque)
    flying: int = 0
    dry: bool = False
    """The source has no more."""
    parked: bool = False

    @property
    def over(self) -> bool:
        return not self.flying and (self.parked or (self.dry and not self.queue))

    def fill(self, count: int) -> None:
        """Look so far ahead, no farther: whoever gives the attempts counts them as begun."""
        while len(self.queue) < count and not self.dry:
            for attempt in self.source:
                self.queue.append(attempt)
                break
            else:
                self.dry = True


class Cluster:
    """Implements Executor; its `hand_over` is the work to be given to `run`. Enter it first."""

    def __init__(
        self,
        fleet: Fleet,
        desk: Desk,
        image_of: Callable[[Attempt], str],
        say: Callable[[str], None],
        most: int | None = None,
        pace: Pace = Pace(),
    ) -> None:
        self._fleet = fleet
        self._desk = desk
        self._image_of = image_of
        self._say = say
        self._most = most
        self._pace = pace
        self._placing = Placing(image_of)
        self._members: dict[str, _Member] = {}
        self._hiring: dict[str, asyncio.Task[None]] = {}
        self._refused: dict[str, UsageError] = {}
        self._placed: dict[Attempt, tuple[_Member, list[Attempt]]] = {}
        self._lost: Counter[Attempt] = Counter()
        self._changed = asyncio.Event()
        self._crash: BaseException | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._spawn(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        listening = {member.listening for member in self._members.values()}
        for task in self._tasks - listening:
            task.cancel()
        await asyncio.gather(*map(self._dismiss, list(self._members.values())))

    async def run(
        self, attempts: Iterable[Attempt], work: Work, settle: Callable[[Record], None], /
    ) -> None:
        shift = _Shift(iter(attempts), work, settle)
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                while placed := self._next(shift):
                    group.create_task(self._one(*placed, shift), name=placed[0].id)
                if shift.over:
                    return
                await self._changed.wait()
                if self._crash:
                    raise self._crash

    async def _one(self, attempt: Attempt, member: _Member, shift: _Shift) -> None:
        try:
            record = await shift.work(attempt)
        except Parked:
            shift.parked = True
            return
        except Gone as gone:
            self._lost[attempt] += 1
            if self._lost[attempt] < MAX_LOST:
                shift.queue.appendleft(attempt)
                return
            record = self._desk.lost(attempt, str(gone))
        finally:
            shift.flying -= 1
            member.berth.busy -= 1
            self._changed.set()
        self._consider(member, record)
        shift.settle(record)

    async def hand_over(self, attempt: Attempt) -> Record:
        """Have it done where it was placed. Gone where that worker dies over it."""
        member, soon = self._placed.pop(attempt)
        if member.gone:
            raise Gone(member.gone)
        flight: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        member.flights[attempt] = flight
        try:
            await member.hand.ask("begin", self._desk.order(attempt, soon))
            return self._desk.record(await flight)
        finally:
            del member.flights[attempt]

    def _next(self, shift: _Shift) -> tuple[Attempt, _Member] | None:
        """Who begins next, and where, by now counted as begun."""
        if shift.parked or shift.flying >= (self._most or inf):
            return None
        members = {member.berth: member for member in self._members.values()}
        if any(berth.room for berth in members):
            shift.fill(AHEAD * sum(berth.boxes for berth in members))
        if not (chosen := self._placing.next(shift.queue, members)):
            return None
        attempt, berth = chosen
        shift.queue.remove(attempt)
        shift.flying += 1
        berth.busy += 1
        if image := self._image_of(attempt):
            berth.images.add(image)
        self._placed[attempt] = members[berth], self._placing.soon(shift.queue, berth, members)
        return attempt, members[berth]

    # Who is there.

    async def _watch(self) -> None:
        """Take on whoever comes, also in the middle; UsageError if nobody there can be used."""
        began = alone = False
        while True:
            for place in await self._fleet.places():
                if place.id not in self._members and place.id not in self._hiring:
                    self._hiring[place.id] = self._spawn(self._hire(place))
            began = began or bool(self._members)
            if not began and self._hiring.keys() <= self._refused.keys():
                raise next(iter(self._refused.values()), UsageError("no node holds boxes"))
            if began and not self._members and not alone:
                self._say("paused: no node is left; waiting for one")
            alone = began and not self._members
            await asyncio.sleep(self._pace.watch)

    async def _hire(self, place: Place) -> None:
        try:
            hand, images = await self._hired(place)
        except Gone:
            del self._hiring[place.id]
            return
        except UsageError as error:
            if place.id not in self._refused:
                self._say(f"node {place.name} is left out: {error}")
            self._refused[place.id] = error
            await asyncio.sleep(self._pace.again)
            del self._hiring[place.id]
            return
        self._refused.pop(place.id, None)
        berth = Berth(place.name, place.boxes, images=images)
        member = self._members[place.id] = _Member(
            place, hand, berth, Leases(hand, self._desk, self._spawn)
        )
        del self._hiring[place.id]
        member.listening = self._spawn(self._listen(member))
        self._say(f"node {place.name} works on {place.boxes} attempts at a time")
        self._changed.set()

    async def _hired(self, place: Place) -> tuple[Hand, set[str]]:
        hiring = asyncio.create_task(self._fleet.hire(place))
        try:
            if not (await asyncio.wait([hiring], timeout=self._pace.again))[0]:
                self._say(f"node {place.name} starts no worker yet; another run may hold its boxes")
            return await hiring
        finally:
            hiring.cancel()

    def _lose(self, member: _Member, why: str) -> None:
        """Whoever was in flight there goes on elsewhere."""
        member.gone = f"node {member.place.name}: {why}"
        del self._members[member.place.id]
        self._spawn(member.hand.end())  # it may only be out of reach, and would keep its boxes
        flights = len(member.flights)
        self._say(f"{member.gone}; the {flights} attempts in flight there go on elsewhere")
        member.leases.end()
        for attempt, flight in member.flights.items():
            self._desk.close(attempt)
            if not flight.done():
                flight.set_exception(Gone(member.gone))
        self._changed.set()

    async def _dismiss(self, member: _Member) -> None:
        """Have its boxes ended and its last words kept, unless it takes too long over it."""
        with suppress(Gone, TimeoutError):
            async with asyncio.timeout(self._pace.stop):
                await member.hand.ask("stop")
                if member.listening:
                    await member.listening
        if member.listening:
            member.listening.cancel()
        await member.hand.end()

    # Who is well.

    def _consider(self, member: _Member, record: Record) -> None:
        """Set a node aside whose machine fails one attempt after the other."""
        if not isinstance(record, Faulted):
            member.row = 0
        elif record.culprit in ("sandbox", "grader"):
            member.row += 1
        if member.row >= MAX_ROW and not member.gone and not member.berth.aside:
            member.berth.aside, member.row = True, 0
            self._spawn(self._until_well(member))

    async def _until_well(self, member: _Member) -> None:
        said = ""
        with suppress(Gone):
            while trouble := await member.hand.ask("probe"):
                if trouble != said:
                    said = trouble
                    self._say(f"node {member.place.name} is set aside: {trouble}")
                await asyncio.sleep(self._pace.again)
            if said:
                self._say(f"node {member.place.name} is back")
        member.berth.aside = False
        self._changed.set()

    # What they say.

    async def _listen(self, member: _Member) -> None:
        kept = 0
        try:
            while True:
                notices = await member.hand.ask("visited", kept)
                for notice in notices:
                    self._take(member, notice)
                kept += len(notices)
                if Stopped() in notices:
                    return
        except Gone as gone:
            self._lose(member, str(gone))

    def _take(self, member: _Member, notice: Notice) -> None:
        match notice:
            case Wanted() | Said() | Returned():
                member.leases.take(notice)
            case Stopped():
                pass
            case Ended(attempt):
                flight = member.flights.get(attempt)
                if flight and not flight.done():
                    flight.set_result(notice)
            case Opened() | Line() | Kept() | Charged():
                self._desk.keep(notice)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        """A bug of ours, a full disk, a request that makes no sense: it ends the run."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._crash = self._crash or error
            self._changed.set()
