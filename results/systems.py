"""Conditions of several runs, ours or imported, side by side: what each measured, by task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import TypeAlias

from harness.errors import UsageError
from harness.types import Condition, Graded
from results.exchange.imported import UNDECLARED, Taken
from results.footing import Footing, footing
from results.manifest import Declared
from results.regrades import regraded
from results.store import RunStore
from results.table import Score, cells, histories, measured, rows, score, solved

Source: TypeAlias = Path | Taken
"""A run's folder, or somebody else's file as it was read."""


@dataclass(frozen=True, slots=True)
class System:
    """A condition of a run. Verdicts and costs are lists over repeats, NaN for no measurement."""

    run: str
    digest: str
    label: str
    condition: Condition
    repeats: int
    modes: tuple[str, ...]
    """Which graders gave the verdicts."""
    regraded: bool
    """Whether its repeats grade one patch again, and so say nothing of reruns."""
    tasks: Mapping[str, Declared]
    verdicts: Mapping[str, Sequence[float]]
    usd: Mapping[str, Sequence[float]]
    score: Score
    """Over all that its run declares, with what is missing from it."""
    footing: Footing | None = None
    """What its records say of the agent, where that was somebody else's."""


def systems(sources: Iterable[Source], *, level: float = 0.95) -> list[System]:
    """Every condition of these runs and files, in their order.

    UsageError where two of them mean different tasks by one id. A file that names tasks without
    declaring them means those that the others mean.
    """
    found = [system for source in sources for system in _of(source, level)]
    known: dict[str, tuple[str, str]] = {}
    for system in found:
        for task, declared in system.tasks.items():
            if declared.origin == UNDECLARED:
                continue
            origin, run = known.setdefault(task, (declared.origin, system.run))
            if origin != declared.origin:
                raise UsageError(
                    f"task {task!r} is from {origin!r} in {run} and from {declared.origin!r} in "
                    f"{system.run}; compare runs of one revision"
                )
    return found


def _of(source: Source, level: float) -> Iterator[System]:
    if isinstance(source, Taken):
        name, manifest, found = source.name, source.manifest, histories(source.records)
    else:
        store = RunStore(source)
        name, manifest = source.resolve().name, store.manifest()
        found = histories(store.records(), where=str(store.ledger.path))
    for digest, arm in manifest.conditions.items():
        entries = rows(manifest, found, digest)
        verdicts, usd = measured(entries, solved), measured(entries, _usd)
        grades = [each.graded for row in entries for each in row if each.graded]
        yield System(
            run=name,
            digest=digest,
            label=arm.label,
            condition=arm.condition,
            repeats=arm.repeats,
            modes=tuple(sorted({grade.verdict.mode for grade in grades})),
            regraded=regraded(arm.condition),
            tasks=manifest.tasks,
            verdicts=dict(zip(manifest.tasks, verdicts, strict=True)),
            usd=dict(zip(manifest.tasks, usd, strict=True)),
            score=score(cells(manifest, entries).values(), level=level),
            footing=footing(grades),
        )


def _usd(grade: Graded) -> float:
    return nan if grade.usage.usd is None else grade.usage.usd
