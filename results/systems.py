"""Conditions of several runs, side by side: what each measured, task by task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

from harness.errors import UsageError
from harness.types import Attempt, Graded
from results.manifest import Declared, Manifest
from results.regrades import regraded
from results.store import RunStore
from results.table import History, histories, measured, solved


@dataclass(frozen=True, slots=True)
class System:
    """A condition of a run. Verdicts and costs are lists over repeats, NaN for no measurement."""

    run: str
    digest: str
    label: str
    repeats: int
    modes: tuple[str, ...]
    """Which graders gave the verdicts."""
    regraded: bool
    """Whether its repeats grade one patch again, and so say nothing of reruns."""
    tasks: Mapping[str, Declared]
    verdicts: Mapping[str, Sequence[float]]
    usd: Mapping[str, Sequence[float]]


def systems(folders: Iterable[Path]) -> list[System]:
    """Every condition of these runs, in their order.

    UsageError where two of them mean different tasks by one id.
    """
    found = [system for folder in folders for system in _of(folder)]
    known: dict[str, tuple[str, str]] = {}
    for system in found:
        for task, declared in system.tasks.items():
            origin, run = known.setdefault(task, (declared.origin, system.run))
            if origin != declared.origin:
                raise UsageError(
                    f"task {task!r} is from {origin!r} in {run} and from {declared.origin!r} in "
                    f"{system.run}; compare runs of one revision"
                )
    return found


def _of(folder: Path) -> Iterator[System]:
    store = RunStore(folder)
    manifest = store.manifest()
    found = histories(store.records(), where=str(store.ledger.path))
    for digest, arm in manifest.conditions.items():
        verdicts = measured(manifest, found, digest, solved)
        usd = measured(manifest, found, digest, _usd)
        yield System(
            run=folder.resolve().name,
            digest=digest,
            label=arm.label,
            repeats=arm.repeats,
            modes=_modes(found, digest, manifest),
            regraded=regraded(arm.condition),
            tasks=manifest.tasks,
            verdicts=dict(zip(manifest.tasks, verdicts, strict=True)),
            usd=dict(zip(manifest.tasks, usd, strict=True)),
        )


def _modes(found: Mapping[Attempt, History], digest: str, manifest: Manifest) -> tuple[str, ...]:
    modes = {
        history.graded.verdict.mode
        for attempt, history in found.items()
        if history.graded and attempt.condition == digest and attempt.task in manifest.tasks
    }
    return tuple(sorted(modes))


def _usd(grade: Graded) -> float:
    return nan if grade.usage.usd is None else grade.usage.usd
