"""A study by the clock, before it starts: so many boxes on so many nodes, one endpoint for all.

A discrete-event simulation. Attempts are drawn from a pilot's, tasks first and then one of each
task's, and begin in their order as boxes come free. An attempt is its model calls one after the
other with the rest of its time spread between them; a call waits for its turn at the endpoint
where requests or tokens per minute are limited. Each repetition draws anew, the tasks of the pilot
themselves included, so that the ends answer question B like those of `planning`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from harness.types import Graded
from results.planning import HOUR, Forecast, Pilot, Study

REPETITIONS = 40
EVENTS = 600_000
"""Of all repetitions together; calls of long attempts are simulated several at a time."""
_FULL = 0.9
"""An endpoint used that much is what the study waits for."""
_TAIL = 0.2
"""So is what is left when nothing more begins, where it takes such a share of the time."""

Bottleneck: TypeAlias = Literal["endpoint", "boxes", "longest attempts"]


@dataclass(frozen=True, slots=True)
class Machines:
    """What a study is to run on. None: not limited."""

    nodes: int
    boxes: int
    """Of each node."""
    rpm: float | None = None
    tpm: float | None = None

    @property
    def seats(self) -> int:
        return self.nodes * self.boxes


@dataclass(frozen=True, slots=True)
class Shape:
    """One attempt of the pilot, as far as it decides how long another takes."""

    calls: int
    tokens: int
    model: float
    rest: float
    """Seconds that are not the model's: boxes, commands, grading."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What the simulation says."""

    machines: Machines
    hours: Forecast
    seats_used: float = 0.0
    """Share of the boxes' time in which an attempt was in them; medians, like the next."""
    endpoint_used: float | None = None
    """Share of what its limits allow that is used; None without limits."""
    bottleneck: Bottleneck | None = None


@dataclass(frozen=True, slots=True)
class _Course:
    """One repetition, in seconds."""

    wall: float
    dry: float
    """When the last attempt began."""
    busy: float
    endpoint: float


def simulated(study: Study, known: Pilot | None, machines: Machines, *, seed: int = 0) -> Timing:
    """Hours by the wall; without a pilot that tells, None and the reason."""
    if known is None:
        return Timing(machines, Forecast(None, reason="a simulation needs a --pilot"))
    shapes: list[list[list[Shape]]] = []
    for condition in study.conditions:
        digest = known.like(condition)
        by_task = _shapes(known, digest) if digest else []
        if not by_task:
            said = f"the pilot has not measured {condition.label}, or under several limits"
            return Timing(machines, Forecast(None, reason=said))
        shapes.append(by_task)
    rng = np.random.default_rng(seed)
    courses = [_course(_drawn(study, shapes, rng), machines) for _ in range(REPETITIONS)]
    return _timing(courses, machines)


def _shapes(known: Pilot, digest: str) -> list[list[Shape]]:
    """Of each task of the pilot its attempts; what faulted tries took is spread over all."""
    entries = {a: h for a, h in known.found.items() if a.condition == digest}
    graded = [h.graded for h in entries.values() if h.graded]
    useful = sum(grade.clocks.total for grade in graded)
    lost = sum(fault.clocks.total for h in entries.values() for fault in h.faults)
    grown = 1 + lost / useful if useful else 1.0
    by_task: dict[str, list[Shape]] = {}
    for grade in graded:
        by_task.setdefault(grade.attempt.task, []).append(_shape(grade, grown))
    return list(by_task.values())


def _shape(grade: Graded, grown: float) -> Shape:
    clocks, usage = grade.clocks, grade.usage
    rest = max(0.0, clocks.total - clocks.model)
    return Shape(usage.calls, usage.tokens, clocks.model * grown, rest * grown)


def _drawn(
    study: Study, shapes: Sequence[Sequence[Sequence[Shape]]], rng: np.random.Generator
) -> list[Shape]:
    """A whole study in its order; its tasks are drawn from a redrawn pilot."""
    tasks = len(study.tasks)
    redrawn = [rng.integers(len(of), size=len(of)) for of in shapes]
    chosen = [
        drawn[rng.integers(len(of), size=tasks)] for drawn, of in zip(redrawn, shapes, strict=True)
    ]
    found = []
    for _ in range(study.repeats):
        for task in range(tasks):
            for of, which in zip(shapes, chosen, strict=True):
                attempts = of[int(which[task])]
                found.append(attempts[int(rng.integers(len(attempts)))])
    return found


def _course(attempts: Sequence[Shape], machines: Machines) -> _Course:
    limited = machines.rpm is not None or machines.tpm is not None
    calls = sum(shape.calls for shape in attempts)
    at_once = max(1, -(-calls * REPETITIONS // EVENTS)) if limited else max(1, calls)
    rate = _Rate(machines)
    due: list[tuple[float, int, int, int]] = []
    waiting = iter(enumerate(attempts))
    began: dict[int, float] = {}
    busy = dry = wall = 0.0
    for _ in range(machines.seats):
        if (new := next(waiting, None)) is None:
            break
        began[new[0]] = 0.0
        heapq.heappush(due, (0.0, *_at_first(new, at_once)))
    while due:
        now, number, legs, of = heapq.heappop(due)
        shape = attempts[number]
        if legs:
            start = rate.admitted(now, shape.calls / of, shape.tokens / of)
            heapq.heappush(due, (start + (shape.model + shape.rest) / of, number, legs - 1, of))
            continue
        wall, busy = now, busy + now - began.pop(number)
        if new := next(waiting, None):
            began[new[0]] = dry = now
            heapq.heappush(due, (now, *_at_first(new, at_once)))
    return _Course(wall, dry, busy, rate.used(wall))


def _at_first(new: tuple[int, Shape], at_once: int) -> tuple[int, int, int]:
    """Number, legs to go, legs in all."""
    legs = max(1, -(-new[1].calls // at_once))
    return new[0], legs, legs


class _Rate:
    """An endpoint that admits calls in the order in which they come, no faster than its limits."""

    def __init__(self, machines: Machines) -> None:
        self._per_call = 60 / machines.rpm if machines.rpm else 0.0
        self._per_token = 60 / machines.tpm if machines.tpm else 0.0
        self._free = 0.0
        self._taken = 0.0

    def admitted(self, now: float, calls: float, tokens: float) -> float:
        start = max(now, self._free)
        takes = max(calls * self._per_call, tokens * self._per_token)
        self._free = start + takes
        self._taken += takes
        return start

    def used(self, wall: float) -> float:
        return self._taken / wall if wall else 0.0


def _timing(courses: Sequence[_Course], machines: Machines) -> Timing:
    walls = np.array([course.wall for course in courses])
    low, mid, high = np.quantile(walls, [0.025, 0.5, 0.975]) / HOUR
    seats = float(np.median([c.busy / (machines.seats * c.wall) for c in courses if c.wall]))
    endpoint = float(np.median([course.endpoint for course in courses]))
    tail = float(np.median([1 - course.dry / course.wall for course in courses if course.wall]))
    limited = machines.rpm is not None or machines.tpm is not None
    hours = Forecast(float(mid), float(low), float(high), "B", "pilot")
    if not low < high:
        reason = "nothing varied in the pilot, and that makes no interval"
        hours = replace(hours, low=None, high=None, reason=reason)
    return Timing(
        machines,
        hours,
        seats_used=seats,
        endpoint_used=endpoint if limited else None,
        bottleneck=_bottleneck(endpoint if limited else 0.0, tail),
    )


def _bottleneck(endpoint: float, tail: float) -> Bottleneck:
    if endpoint >= _FULL:
        return "endpoint"
    return "longest attempts" if tail >= _TAIL else "boxes"
