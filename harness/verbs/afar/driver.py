"""The driver of a run on a cluster: it keeps the books, and nobody else writes in them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from harness import codec, past
from harness.errors import UsageError
from harness.executors import FLEETS
from harness.executors.cluster import Cluster
from harness.executors.fleet import Heed
from harness.executors.mail import Charged, Ended, Kept, Line, Notice, Opened, Order
from harness.experiment import Experiment
from harness.limits import RunLimits
from harness.meter import RunMeter
from harness.registry import locate
from harness.types import Attempt, Clocks, Faulted, Record, Usage
from harness.verbs.afar.lent import Admission
from harness.verbs.afar.seats import SeatWanted, given
from harness.verbs.afar.worker import Papers, Worker
from harness.verbs.assemble import Assembly
from harness.verbs.loading import Loaded, tell
from results import share
from results.provenance import source_digest
from results.store import RunStore
from results.traces import TraceFile


@dataclass(frozen=True, slots=True)
class Afar:
    """Where attempts are made, if not here."""

    fleet: str
    address: str = ""
    most: int | None = None
    """Attempts in flight on all nodes together. None: as many as they hold boxes."""
    share: str = ""
    """A URL that blobs go to. Empty: into the run's folder."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the driver knows of its run."""

    experiment: Experiment
    loaded: Loaded
    assembly: Assembly
    store: RunStore
    meter: RunMeter
    run_id: str


@asynccontextmanager
async def on_nodes(run: Run, afar: Afar, say: Callable[[str], None]) -> AsyncIterator[Cluster]:
    """The nodes as one executor; on leaving, their workers have ended what they had under way."""
    if run.assembly.by_the_hour:
        raise UsageError(
            "a price by the hour is shared out among the calls of one process; on a cluster, run "
            "without it, and harness reprice --gpu-hour shares it out afterwards"
        )
    if afar.share:
        share.name(run.store.folder, afar.share)
    papers = Papers(
        experiment=run.experiment,
        address=replace(run.assembly.address, base_url=run.assembly.address.default),
        run_id=run.run_id,
        code=source_digest(),
        share=afar.share,
        limited=run.experiment.run_limits != RunLimits(),
        images=run.store.manifest().images,
    )
    fleet: Any = locate("executor", afar.fleet, FLEETS)(
        afar.address, Worker, papers, run.assembly.keys()
    )
    if fleet.default:
        tell(
            "no node says how many boxes it holds: one for every two CPUs is presumed; "
            """ray start --resources='{"boxes": 8}' says otherwise"""
        )

    def image_of(attempt: Attempt) -> str:
        return run.loaded.tasks[attempt.task].brief.environment.name

    try:
        with Books(run) as books:
            async with Cluster(fleet, books, image_of, say, afar.most) as cluster:
                yield cluster
    finally:
        fleet.close()


@dataclass(slots=True)
class Books:
    """Implements Desk over the run's folder and its meter."""

    run: Run
    _open: dict[Attempt, tuple[ExitStack, TraceFile]] = field(default_factory=dict)

    def __enter__(self) -> Books:
        return self

    def __exit__(self, *_: object) -> None:
        for attempt in list(self._open):
            self.close(attempt)

    def order(self, attempt: Attempt, soon: Sequence[Attempt], /) -> Order:
        self.close(attempt)
        store, tasks = self.run.store, self.run.loaded.tasks
        then = past.latest(store, attempt)
        numbers = [then.number] if then.number else []
        return Order(
            attempt,
            tasks[attempt.task],
            store.tries(attempt),
            {number: store.traces.path(attempt, number).read_bytes() for number in numbers},
            {then.done.patch: store.fetch(then.done.patch)} if then.done else {},
            [(one, tasks[one.task].brief.environment) for one in soon],
        )

    def keep(self, notice: Notice, /) -> None:
        match notice:
            case Opened(attempt, number):
                self.close(attempt)
                stack = ExitStack()
                trace = stack.enter_context(self.run.store.traces.trace(attempt, number))
                self._open[attempt] = stack, trace
            case Line(attempt, data, sync):
                self._open[attempt][1].append(data, sync=sync)
            case Kept(data):
                self.run.store.keep(data)
            case Charged(usage):
                self.run.meter.charge(usage)
            case _:
                raise TypeError(notice)

    def record(self, ended: Ended, /) -> Record:
        self.close(ended.attempt)
        if ended.error:
            raise ended.error
        return codec.decode(ended.record)

    @asynccontextmanager
    async def lease(self, what: Any, /) -> AsyncIterator[tuple[Any, Heed]]:
        """Admission of a call by the run's budget, at its worst until its end; or its seat."""
        match what:
            case Admission(worst):
                async with self.run.meter.holding(worst):
                    yield None, _deaf
            case SeatWanted(endpoint):
                async with given(self.run.assembly.pools.at(endpoint), what) as seat:
                    yield seat
            case _:
                raise TypeError(what)

    def lost(self, attempt: Attempt, why: str, /) -> Faulted:
        message = f"several workers have died over it; the last: {why}"
        tried = max(1, self.run.store.tries(attempt))
        at = datetime.now(UTC).isoformat(timespec="seconds")
        return Faulted(attempt, "sandbox", message, Usage(), Clocks(), tried, at=at)

    def close(self, attempt: Attempt, /) -> None:
        if opened := self._open.pop(attempt, None):
            opened[0].close()


def _deaf(said: Any) -> None:
    """Nothing that a call comes to is of interest before its end."""
