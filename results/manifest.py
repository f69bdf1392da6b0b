"""The manifest, `run.json`: what a run set out to measure, so what its numbers are out of.

It is replaced as a whole, and only ever grows: more tasks, more conditions, more repeats, each
growth with the provenance of the call that asked for it. The meaning of what is there cannot
change, since conditions are named by their digest and tasks by the revision they come from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.api import Pin
from harness.codec import dump, load
from harness.errors import UsageError
from harness.types import Attempt, Condition, Task, TaskId, Value
from results.blobs import publish
from results.provenance import Provenance

FORMAT = 1
NAME = "run.json"


@dataclass(frozen=True, slots=True)
class Declared(Value):
    """A task of the denominator: where it came from, and what its results are grouped by."""

    origin: str
    facets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arm(Value):
    """A condition of this run, and how often each task is to be attempted under it."""

    condition: Condition
    label: str
    repeats: int


@dataclass(frozen=True, slots=True)
class Stop(Value):
    """A run that was ended since the comparison that it was for was decided. Shares, not points."""

    first: str
    second: str
    """Digests of the conditions: the difference is first minus second."""
    word: Literal["better", "worse", "equivalent", "futile"]
    """Of the first; futile: what was left could not have decided it."""
    question: Literal["A", "B"]
    difference: float
    low: float
    high: float
    """Ends that hold at every look."""
    pairs: int
    """Tasks, or for A runs, that both had measured."""
    only_first: int
    only_second: int
    e: float | None
    """The e-value for B: one over it is a p-value that is valid at every look."""
    alpha: float
    margin: float
    at: str = ""


@dataclass(frozen=True, slots=True)
class Manifest(Value):
    tasks: Mapping[str, Declared]
    """Every declared task, in the order of its source. This is the denominator."""
    conditions: Mapping[str, Arm]
    """By digest, in the order in which they were first asked for."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """The ids that cannot be graded, each with its reason."""
    experiment: Mapping[str, Any] = field(default_factory=dict)
    """The request of the last call, resolved, as plain JSON."""
    history: tuple[Provenance, ...] = ()
    """Who wrote this: the first call, then each that added something."""
    images: Mapping[str, Pin] = field(default_factory=dict)
    """What each image's name stood for when this run first used it: it goes on with that one."""
    stops: tuple[Stop, ...] = ()
    """Where the run was ended early, since what it was for was decided."""
    format: int = FORMAT

    @property
    def created(self) -> str:
        return self.history[0].at if self.history else ""

    def planned(self) -> Iterator[Attempt]:
        """Every attempt that the run declares, task by task."""
        for task in self.tasks:
            for digest, arm in self.conditions.items():
                for repeat in range(arm.repeats):
                    yield Attempt(TaskId(task), digest, repeat)

    def grown(self, call: Manifest, *, where: str) -> Manifest:
        """This manifest with what a later call adds; itself where that is nothing.

        UsageError where the call means another task by an id that is declared already.
        """
        for id_, task in call.tasks.items():
            known = self.tasks.get(id_, task)
            if known.origin != task.origin:
                raise UsageError(
                    f"task {id_!r} of {where} is from {known.origin!r}, not {task.origin!r}; "
                    "choose another folder for the new revision"
                )
        arms = dict(self.conditions)
        for digest, arm in call.conditions.items():
            known_arm = arms.get(digest, arm)
            arms[digest] = replace(known_arm, repeats=max(known_arm.repeats, arm.repeats))
        tasks = {**call.tasks, **self.tasks}
        tasks = {id_: tasks[id_] for id_ in (*self.tasks, *call.tasks)}
        left_out = {**self.left_out, **call.left_out}
        left_out = {id_: why for id_, why in left_out.items() if id_ not in tasks}
        grown = replace(self, tasks=tasks, conditions=arms, left_out=left_out)
        if grown == self:
            return self
        history = (*self.history, *call.history)
        return replace(grown, experiment=call.experiment, history=history)

    def pinned(self, name: str, pin: Pin) -> Manifest:
        """This manifest with one more image."""
        return replace(self, images={**self.images, name: pin})

    def write(self, folder: Path) -> None:
        """Publish as `run.json`, as a whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(dump(self), indent=1, ensure_ascii=True)
        publish(folder / NAME, text.encode() + b"\n")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a run's folder; UsageError where it is none, or of another format."""
        path = folder / NAME
        try:
            raw = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise UsageError(f"{folder} is no run: it has no {NAME}; name a run's folder") from None
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read: {error}; restore it from a copy") from None
        found = raw.get("format") if isinstance(raw, dict) else None
        if found != FORMAT:
            raise UsageError(
                f"{path} is of format {found!r}, and this harness reads format {FORMAT}; "
                "use the version that wrote it, or another folder"
            )
        return load(cls, raw, where=str(path))


def manifest(
    tasks: Iterable[Task],
    conditions: Iterable[Condition],
    *,
    repeats: int,
    left_out: Mapping[str, str],
    experiment: Mapping[str, Any],
    by: Provenance,
) -> Manifest:
    """What one call of the harness asks for, as a manifest of its own."""
    return Manifest(
        tasks={task.id: Declared(task.origin, task.facets) for task in tasks},
        conditions={c.digest: Arm(c, c.label, repeats) for c in conditions},
        left_out=dict(left_out),
        experiment=experiment,
        history=(by,),
    )


def stopped(folder: Path, stop: Stop) -> None:
    """Note in a run's manifest that it was ended, once for one state of the evidence."""
    known = Manifest.read(folder)
    if any(replace(one, at="") == replace(stop, at="") for one in known.stops):
        return
    replace(known, stops=(*known.stops, stop)).write(folder)


def declare(folder: Path, call: Manifest) -> Manifest:
    """Make a run's manifest cover what a call asks for, and return it.

    Call this as the run's writer: two calls that grow one manifest at a time would lose one.
    """
    if not (folder / NAME).exists():
        call.write(folder)
        return call
    known = Manifest.read(folder)
    grown = known.grown(call, where=str(folder))
    if grown is not known:
        grown.write(folder)
    return grown
