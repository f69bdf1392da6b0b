"""What is asked of a run, before anything is built for it: tasks, conditions, the kind of box.

It imports little, since a run that owes nothing needs no more than this.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from harness.api import TaskSource
from harness.experiment import Experiment, on
from harness.registry import Later, build
from harness.types import Part, Task, TaskId
from tasks import SOURCES
from tasks.selection import select

choice = Later("harness.sandboxes.choice")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The tasks that are to be measured, and those of their source that cannot be."""

    tasks: Mapping[TaskId, Task]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """An experiment whose kind of box is settled, with the tasks that it names."""

    experiment: Experiment
    loaded: Loaded


def asked(experiment: Experiment, *, afar: bool = False) -> Asked:
    loaded = load(experiment)
    return Asked(settle_sandbox(experiment, afar=afar), loaded)


def load(experiment: Experiment) -> Loaded:
    """The selected tasks of the experiment's source; those left out are named on standard error."""
    source: TaskSource = build("task source", experiment.tasks, SOURCES)
    everything = list(source.load())
    chosen = select(
        everything, globs=experiment.select, limit=experiment.limit, shard=experiment.shard or ""
    )
    left_out = source.left_out()
    for id_, reason in left_out.items():
        tell(f"left out: {id_}: {reason}")
    return Loaded({task.id: task for task in chosen}, left_out)


def settle_sandbox(experiment: Experiment, *, afar: bool = False) -> Experiment:
    """The experiment with `auto` decided, having said which kind of box it is and why."""
    if experiment.sandbox.name != "auto":
        return experiment
    name, why = ("docker", "each node's own engine") if afar else choice.choose("auto")
    tell(f"boxes by {name}: {why}")
    return on(experiment, Part(name, experiment.sandbox.knobs))


def tell(line: str) -> None:
    """A line for the person, on standard error."""
    print(f"harness: {line}", file=sys.stderr, flush=True)
