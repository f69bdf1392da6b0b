"""`run`: what is planned and not settled is owed, and is worked off."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness import codec
from harness.api import Executor, Foreseen, Probing, Work
from harness.attempt import not_submitted, run_attempt
from harness.errors import Fault, UsageError, unknown
from harness.executors import FLEETS
from harness.executors.local import Local
from harness.experiment import Experiment
from harness.meter import RunMeter
from harness.models.openai import preflight
from harness.outage import Gate, Patience, Probe
from harness.past import spent
from harness.progress import bar, steps
from harness.ration import Ration
from harness.runner import owed, run
from harness.types import Attempt, Culprit, Environment, Record, Submission, TaskId, Usage
from harness.verbs.afar.driver import Afar, Run, on_nodes
from harness.verbs.assemble import Address, Assembly, recipes
from harness.verbs.deciding import Watch
from harness.verbs.graders import Graders, twins
from harness.verbs.loading import Asked, Loaded, tell
from harness.verbs.supply import ordered, pinning, supplied
from results.manifest import manifest
from results.provenance import provenance
from results.store import RunStore

BUILDS = 2
"""Environments made ready at a time, before the first attempt begins."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a run stands when the command ends."""

    owed: int
    out_of_budget: bool
    """Whether it is for want of money that something is owed."""
    decided: str = ""
    """What was found out, where the run ended since it was."""

    @property
    def exit_code(self) -> int:
        if not self.owed or self.decided:
            return 0
        return 4 if self.out_of_budget else 3


@dataclass(frozen=True, slots=True)
class Job:
    """An experiment with everything that it needs, tried and found to fit together."""

    experiment: Experiment
    loaded: Loaded
    assembly: Assembly
    folder: Path
    quiet: bool = False
    submissions: Mapping[tuple[TaskId, str], Submission] | None = None
    """Patches to be graded as they stand, by task and condition; None: they are to be made.

    A declared task that has none here was not submitted."""
    afar: Afar | None = None
    """Where the attempts are made, if not on this machine."""


def afar(executor: str, address: str, share: str, width: int | None) -> Afar | None:
    """What the flags say of where attempts are made."""
    if executor == "local":
        for flag, value in (("--ray-address", address), ("--share", share)):
            if value:
                raise UsageError(f"{flag} goes with --executor ray")
        return None
    if executor not in FLEETS:
        raise unknown("executor", executor, ["local", *FLEETS])
    return Afar(executor, address, width, share)


def job(
    asked: Asked,
    folder: Path,
    address: Address,
    *,
    quiet: bool = False,
    afar: Afar | None = None,
) -> Job:
    """Build every combination once, now: a wrong name must not wait for hour three."""
    assembly = Assembly(asked.experiment, asked.loaded, address, run_name(folder))
    if not afar:
        assembly.open()
    return Job(asked.experiment, asked.loaded, assembly, folder, quiet, afar=afar)


def run_name(folder: Path) -> str:
    """What the boxes of a run are labelled with: alike for the same folder, however it is named."""
    place = str(folder.resolve())
    return f"{folder.name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def work_off(job: Job) -> Outcome:
    """Run what is owed into the job's folder; nothing that is settled is touched."""
    with RunStore(job.folder) as store:
        store.declare(
            manifest(
                job.loaded.tasks.values(),
                job.experiment.conditions,
                repeats=job.experiment.repeats,
                left_out=job.loaded.left_out,
                experiment=codec.dump(job.experiment),
                by=provenance(job.experiment.sandbox.name),
            )
        )
        planned = job.experiment.plan(list(job.loaded.tasks))
        due = owed(planned, store.graded)
        meter = RunMeter(job.experiment.run_limits, _spent(job, store, planned))
        watch = Watch(job.experiment, list(job.loaded.tasks), store)
        ration = Ration(meter, store.records() if meter.limited else (), watch.enough)
        if due:
            if settled := len(planned) - len(due):
                tell(f"{settled} attempts are settled already; {len(due)} are owed")
            asyncio.run(_all(job, store, due, ration, watch))
        left = len(owed(planned, store.graded))
        word = watch.stop.word if watch.stop else ""
        return Outcome(left, meter.exhausted() or ration.refused, word)


async def _all(job: Job, store: RunStore, due: list[Attempt], ration: Ration, watch: Watch) -> None:
    try:
        for endpoint in job.assembly.endpoints():
            await preflight(endpoint)
        async with job.assembly.host.open():
            await _each(job, store, due, ration, watch)
    finally:
        await job.assembly.close()


async def _each(
    job: Job, store: RunStore, due: list[Attempt], ration: Ration, watch: Watch
) -> None:
    if not job.afar:
        await _prepare(job, due)
        # Whoever waited for another's verdict on the same patch would hold a seat meanwhile.
        later = twins(due, job.submissions or {})
        due = sorted(due, key=later.__contains__)
        due = await ordered(job.assembly, due, stops=job.experiment.stop_when is not None)
    with bar(len(due), job.folder.name, quiet=job.quiet) as shown:
        job.assembly.pools.tell(shown.say)
        gate = Gate(_probes(job), shown.say, Patience(faults=max(3, job.experiment.width)))

        hearers: list[Callable[[Record], None]] = [gate.settled, ration.settled, watch.settled]
        hearers.append(shown.settled)
        if job.afar:
            hearers.append(pinning(job.assembly, store))

        def on_settled(record: Record) -> None:
            for hears in hearers:
                hears(record)

        async with _executor(job, store, ration.meter, due, shown.say) as (executor, work):
            await run(due, gate.guarded(work), store, executor, on_settled, ration.begin)


@asynccontextmanager
async def _executor(
    job: Job, store: RunStore, meter: RunMeter, due: list[Attempt], say: Callable[[str], None]
) -> AsyncIterator[tuple[Executor, Work]]:
    """Who makes the attempts, and how one is made."""
    if job.afar:
        of = Run(job.experiment, job.loaded, job.assembly, store, meter, run_name(job.folder))
        async with on_nodes(of, job.afar, say) as cluster:
            yield cluster, cluster.hand_over
    else:
        async with supplied(job.assembly, store, due, say) as keeping:
            yield Local(job.experiment.width), keeping(_here(job, store, meter, due))


def _here(job: Job, store: RunStore, meter: RunMeter, due: list[Attempt]) -> Work:
    place = {attempt: at for at, attempt in enumerate(due, 1)}
    graders = Graders(job.assembly, store)
    later = twins(due, job.submissions or {})

    async def work(attempt: Attempt) -> Record:
        task = job.loaded.tasks[attempt.task]
        parts = job.assembly.parts(attempt, store, meter)
        parts = replace(parts, grader=graders.of(attempt, task))
        if job.submissions is None:
            _expect(job, due[place[attempt] : place[attempt] + job.experiment.width])
            return await run_attempt(attempt, task, parts)
        given = job.submissions.get((attempt.task, attempt.condition))
        if given is None:
            return not_submitted(attempt)
        if attempt not in later:
            soon = due[place[attempt] - 1 : place[attempt] + job.experiment.width]
            _expect_graders(job, [one for one in soon if one not in later])
        return await run_attempt(attempt, task, parts, given)

    return work


def _expect_graders(job: Job, soon: list[Attempt]) -> None:
    """Have the boxes ready in which the next submissions will be graded.

    The first box of the first attempt is what it opens now.
    """
    given = job.submissions or {}
    opened = list[Environment]()
    for attempt in soon:
        if (attempt.task, attempt.condition) not in given:
            continue
        task = job.loaded.tasks[attempt.task]
        grader = job.assembly.grader(task.grader)
        opened += grader.opens(task) if isinstance(grader, Foreseen) else ()
    job.assembly.sandboxes.expect(opened[1:])


def _expect(job: Job, soon: list[Attempt]) -> None:
    """Have boxes ready for those who will work in one, by the time that their turn comes.

    Not for programs of their own, who furnish theirs when it is their turn.
    """
    those = [a.task for a in soon if not job.assembly.host.expects(a.condition)]
    job.assembly.sandboxes.expect([job.loaded.tasks[task].brief.environment for task in those])


def _probes(job: Job) -> dict[Culprit, Probe]:
    """How to ask those whose absence is worth waiting for whether they are back."""

    async def endpoints() -> None:
        for endpoint in job.assembly.endpoints():
            await preflight(endpoint)

    probes: dict[Culprit, Probe] = {"model": endpoints}
    # Of a cluster each node is asked by itself.
    sandboxes = None if job.afar else job.assembly.sandboxes.inner
    if isinstance(sandboxes, Probing):
        probes["sandbox"] = probes["grader"] = sandboxes.probe
    return probes


async def _prepare(job: Job, due: list[Attempt]) -> None:
    """Build the environments that owed attempts need, a few at a time, saying which.

    One that cannot be built is a fault of each attempt that needs it, and of no other.
    """
    wanted = recipes([job.loaded.tasks[id_] for id_ in dict.fromkeys(a.task for a in due)])
    if not wanted:
        return
    seats = asyncio.Semaphore(BUILDS)
    with steps(len(wanted), "environments", quiet=job.quiet) as shown:

        async def one(task: TaskId) -> None:
            async with seats:
                with shown.on(task):
                    try:
                        environment = job.loaded.tasks[task].brief.environment
                        await job.assembly.sandboxes.prepare(environment)
                    except Fault as fault:
                        tell(f"environment of {task}: {fault.message}")

        async with asyncio.TaskGroup() as group:
            for task in wanted:
                group.create_task(one(task.id))


def _spent(job: Job, store: RunStore, planned: list[Attempt]) -> Usage:
    """What this run has paid for so far, where a budget asks for it."""
    if not RunMeter(job.experiment.run_limits).limited:
        return Usage()
    return sum((spent(store, attempt) for attempt in planned), Usage())
