"""How a run's images are seen to: pinned, ordered by what the disk holds, ahead of need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from harness.api import Pin, Supplied, Work
from harness.errors import UsageError
from harness.sandboxes.prospects import Foreseeing, Prospect
from harness.sandboxes.sizes import spoken
from harness.types import Attempt, Environment, Faulted, Record
from harness.verbs.assemble import Assembly
from harness.verbs.loading import tell
from harness.visits import Visits, visits
from results.store import RunStore


async def ordered(assembly: Assembly, due: list[Attempt], *, stops: bool) -> list[Attempt]:
    """The attempts in an order that pulls each image once, where a budget of disk asks for one.

    UsageError where the run `stops` by what it sees, and so has to keep the plan's random order.
    """
    boxes = assembly.sandboxes.inner
    supply = boxes.supply if isinstance(boxes, Supplied) else None
    if not isinstance(supply, Foreseeing) or supply.disk is None:
        return due
    image_of = {a.task: _environment(assembly, a).image for a in due}
    named = list(dict.fromkeys(filter(None, image_of.values())))
    found = await supply.foresee(named)
    refuse_what_never_fits(found, supply.disk)
    if found.unknown:
        tell(
            f"of {len(found.unknown)} images nothing is known ahead: {found.unknown[0].why_unknown}"
        )
    known = {one.name: one.layers for one in found.images if not one.why_unknown}
    made = visits(due, image_of, {**known, "": {}}, supply.disk)
    if stops:
        refuse_another_order(made)
    if made.says:
        tell(made.says)
    return made.attempts


def refuse_another_order(made: Visits) -> None:
    """UsageError where tasks would come group by group: what is seen first would be no sample."""
    if made.reordered:
        raise UsageError(
            "--stop-when needs the tasks in random order, and --disk would take them in "
            f"{len(made.groups)} groups of images: raise --disk, or leave --stop-when out"
        )


def refuse_what_never_fits(found: Prospect, disk: int | None) -> None:
    """UsageError for an image that is larger than the budget, or than all there is to be had."""
    for one in found.images:
        if disk is not None and one.least > disk:
            raise UsageError(
                f"image {one.name} takes at least {spoken(one.least)}, more than --disk "
                f"{spoken(disk)}: raise it, or leave the task out"
            )
        if not one.here and found.free is not None and one.least > found.free + found.used:
            raise UsageError(
                f"image {one.name} takes at least {spoken(one.least)}, and {spoken(found.free)} "
                "are free: make room, or leave the task out"
            )


Keeping = Callable[[Work], Work]
"""Work during which an attempt's image stays where it is."""


@asynccontextmanager
async def supplied(
    assembly: Assembly, store: RunStore, due: Sequence[Attempt], say: Callable[[str], None]
) -> AsyncIterator[Keeping]:
    """Images made ready ahead of the attempts that are due, the same ones as ever in this run."""
    boxes = assembly.sandboxes.inner
    if not isinstance(boxes, Supplied):
        yield lambda work: work
        return
    supply = boxes.supply
    supply.pin(store.manifest().images, store.pin)

    def keeping(work: Work) -> Work:
        async def kept(attempt: Attempt) -> Record:
            environment = _environment(assembly, attempt)
            async with supply.using(environment):
                record = await work(attempt)
            if isinstance(record, Faulted):
                supply.again(environment)
            return record

        return kept

    async with supply.ahead([_environment(assembly, attempt) for attempt in due], say):
        yield keeping


def pinning(assembly: Assembly, store: RunStore) -> Callable[[Record], None]:
    """Told of each record: what other machines measured in, the run goes on with."""
    named = {task.brief.environment.image for task in assembly.tasks.values()}
    known = set(store.manifest().images)

    def settled(record: Record) -> None:
        image, digest = record.facts.get("image"), record.facts.get("image_digest")
        if image in named - known and digest:
            known.add(image)
            store.pin(image, Pin(digest, str(record.facts.get("platform", ""))))

    return settled


def _environment(assembly: Assembly, attempt: Attempt) -> Environment:
    return assembly.tasks[attempt.task].brief.environment
