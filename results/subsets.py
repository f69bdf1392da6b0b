"""A subset of a task set, drawn by difficulty from what earlier runs found, and read back."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np

from harness.codec import dump, load
from harness.errors import UsageError
from harness.types import Value
from results.manifest import Manifest
from results.stats.scores import Array, as_scores, task_means
from results.stats.subsets import LEAST, Stratum, Whole, shares, strata, whole
from results.systems import System

SCHEMA = "harness-subset/1"
STRATA = 10


@dataclass(frozen=True, slots=True)
class Layer(Value):
    """Tasks of like difficulty."""

    tasks: int
    drawn: int
    expected: float
    """The mean rate of all of them under the systems that it was drawn from."""


@dataclass(frozen=True, slots=True)
class Drawn(Value):
    """A task of the subset."""

    stratum: int
    expected: float
    weight: float
    """How many tasks of the whole set it stands for."""


@dataclass(frozen=True, slots=True)
class Subset(Value):
    seed: int
    drawn_from: tuple[str, ...]
    """The systems whose verdicts say how hard a task is."""
    strata: tuple[Layer, ...]
    """The hardest first."""
    tasks: Mapping[str, Drawn]
    schema: str = SCHEMA


def draw(known: Sequence[System], size: int, *, seed: int) -> Subset:
    """A probability sample of the tasks that the systems declare. UsageError where it cannot be.

    A task that none of them measured is taken to be as hard as the mean of all.
    """
    tasks = sorted({task for system in known for task in system.tasks})
    expected = _expected(known, tasks)
    if not 2 * LEAST <= size < len(tasks):
        raise UsageError(f"--size {size}: a subset of these {len(tasks)} has {2 * LEAST} or more")
    layer = strata(expected, min(STRATA, size // LEAST))
    groups = [np.flatnonzero(layer == k) for k in range(layer.max() + 1)]
    taken = shares([len(group) for group in groups], size)
    lots = random.Random(seed)
    chosen: dict[str, Drawn] = {}
    for k, (group, count) in enumerate(zip(groups, taken, strict=True)):
        for i in sorted(lots.sample(list(map(int, group)), count)):
            chosen[tasks[i]] = Drawn(k, float(expected[i]), len(group) / count)
    layers = tuple(
        Layer(len(group), count, float(expected[group].mean()))
        for group, count in zip(groups, taken, strict=True)
    )
    return Subset(seed, tuple(s.label for s in known), layers, chosen)


def _expected(known: Sequence[System], tasks: Sequence[str]) -> Array:
    """Of each task, the mean over the systems that measured it of the share solved."""
    columns = [
        task_means(as_scores([s.verdicts.get(task, [np.nan] * s.repeats) for task in tasks]))
        for s in known
    ]
    means = task_means(np.stack(columns, axis=1))
    if np.isnan(means).all():
        raise UsageError("nothing has been measured there, so no task is known to be hard or easy")
    return np.where(np.isnan(means), np.nanmean(means), means)


def as_json(subset: Subset) -> dict[str, Any]:
    plain: dict[str, Any] = dump(subset)
    return {"schema": plain.pop("schema"), **plain}


def of_the_run(manifest: Manifest) -> Subset | None:
    """The subset that a run's experiment was asked for; None where it was asked for none."""
    raw = manifest.experiment.get("subset")
    return load(Subset, raw, where="run.json: subset") if raw else None


def estimated(
    subset: Subset, manifest: Manifest, table: Sequence[Sequence[float]], *, level: float = 0.95
) -> Whole:
    """The score on the whole set, from the verdicts of one condition, tasks x repeats.

    A drawn task without a measurement is taken to be like the others of its stratum.
    """
    of = sum(layer.tasks for layer in subset.strata)
    if manifest.tasks.keys() != subset.tasks.keys():
        reason = "the run declares other tasks than the subset that was drawn"
        return Whole(None, None, None, 0, of, level=level, reason=reason)
    means = dict(zip(manifest.tasks, map(float, task_means(as_scores(table))), strict=True))
    parts = []
    for k, layer in enumerate(subset.strata):
        mine = {task: one for task, one in subset.tasks.items() if one.stratum == k}
        kept = [task for task in mine if not isnan(means[task])]
        measured = np.array([means[task] for task in kept])
        foreseen = np.array([mine[task].expected for task in kept])
        parts.append(Stratum(layer.tasks, layer.expected, measured, foreseen))
    return whole(parts, level=level)
