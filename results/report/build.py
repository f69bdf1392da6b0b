"""The report: everything that a run's folder says, as values. Nothing here draws or writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.types import Attempt
from results import quarantine, table
from results.bills import with_lost
from results.blocks import Blocks, blocks
from results.crossing import Arm, Crossed, crossing
from results.difficulty import by_difficulty
from results.grader import Grader, grader
from results.manifest import Manifest
from results.precision import Precision, precision
from results.provenance import Provenance
from results.regrades import Regrades, regrades
from results.reliability import Table
from results.report.notes import notes, of_the_run, stopped
from results.stats.estimate import Estimate
from results.stats.subsets import Whole
from results.store import RunStore
from results.subsets import estimated
from results.subsets import of_the_run as subset_of
from results.table import Cell, History, Summary


@dataclass(frozen=True, slots=True)
class Row:
    """One task across the conditions, each by its digest."""

    task: str
    origin: str
    facets: Mapping[str, str]
    cells: Mapping[str, Cell]


@dataclass(slots=True)
class FaultGroup:
    """Faults that say the same, long hexadecimal names apart."""

    culprit: str
    message: str
    """The first line."""
    tries: int = 0
    recovered: int = 0
    """How many of those tries are of attempts that a later try measured."""
    conditions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Report:
    name: str
    history: tuple[Provenance, ...]
    origins: Mapping[str, int]
    """How many declared tasks come from each `dataset@revision`."""
    declared: int
    left_out: Mapping[str, str]
    quarantined: Mapping[str, str]
    conditions: tuple[Summary, ...]
    precision: Mapping[str, Precision]
    """Of each condition, by digest."""
    difficulty_adjusted: Mapping[str, Estimate]
    """Of each condition, by digest: its score had what is missing gone as tasks that the other
    conditions found as hard."""
    regrades: Mapping[str, Regrades]
    """Of each condition, by digest: how steady the verdict on one patch is."""
    grader: Grader
    """What a check of these tasks says of the grader, and the scores corrected for it."""
    whole_set: Mapping[str, Whole]
    """Of each condition, by digest: the score on all tasks of which this run has a drawn subset.
    Empty where it has none."""
    rows: tuple[Row, ...]
    faults: tuple[FaultGroup, ...]
    blocks: Blocks
    crossed: Crossed | None
    """How much is scaffold and what each factor does; None where conditions are not crossed."""
    stray: int
    """Recorded attempts that the run does not declare; no number counts them."""
    notes: tuple[str, ...]
    """What the numbers mean and what is wrong with them, in words."""


def build(
    run: Path | RunStore,
    *,
    fenced: Mapping[str, str] | None = None,
    checked: Table | None = None,
    level: float = 0.95,
) -> Report:
    """The report on one run, finished or under way.

    `fenced` is a quarantine list to go by instead of the one in the run's folder, `checked` the
    gradings of the check that wrote it.
    UsageError where the folder is no run, Damaged where a file of it is not what was written.
    """
    store = run if isinstance(run, RunStore) else RunStore(run)
    manifest = store.manifest()
    fenced = quarantine.read(store.folder) if fenced is None else fenced
    found = table.histories(store.records(), where=str(store.ledger.path))
    found = with_lost(store, found, manifest.planned())
    name = store.folder.resolve().name
    return reported(name, manifest, found, fenced=fenced, checked=checked, level=level)


def reported(
    name: str,
    manifest: Manifest,
    found: Mapping[Attempt, History],
    *,
    fenced: Mapping[str, str],
    checked: Table | None = None,
    level: float = 0.95,
) -> Report:
    """The report on a run that has been read already, or that never was a folder."""
    laid = table.laid(manifest, found)
    summaries = table.summarise(manifest, laid, quarantined=fenced, level=level)
    stray = len(table.stray(manifest, found))
    whole = blocks(manifest, found)
    said = notes(summaries, stray=stray, level=level)
    return Report(
        name=name,
        history=manifest.history,
        origins=_origins(manifest),
        declared=len(manifest.tasks),
        left_out=manifest.left_out,
        quarantined={task: why for task, why in fenced.items() if task in manifest.tasks},
        conditions=summaries,
        precision={d: precision(manifest, d, rows, level=level) for d, rows in laid.items()},
        difficulty_adjusted=_adjusted(manifest, laid, level),
        regrades={d: regrades(manifest, d, rows, level=level) for d, rows in laid.items()},
        grader=grader(checked, manifest.tasks, summaries, level=level),
        whole_set=_whole_set(manifest, laid, level),
        rows=_rows(manifest, laid),
        faults=_faults(found),
        blocks=whole,
        crossed=_crossed(manifest, laid, level),
        stray=stray,
        notes=(*said, *stopped(manifest), *of_the_run(summaries, whole, _codes(found))),
    )


def _adjusted(manifest: Manifest, laid: table.Laid, level: float) -> dict[str, Estimate]:
    tables = [
        dict(zip(manifest.tasks, table.measured(rows, table.solved), strict=True))
        for rows in laid.values()
    ]
    return dict(zip(laid, by_difficulty(tables, level=level), strict=True))


def _whole_set(manifest: Manifest, laid: table.Laid, level: float) -> dict[str, Whole]:
    drawn = subset_of(manifest)
    if drawn is None:
        return {}
    return {
        digest: estimated(drawn, manifest, table.measured(rows, table.solved), level=level)
        for digest, rows in laid.items()
    }


def _crossed(manifest: Manifest, laid: table.Laid, level: float) -> Crossed | None:
    arms = [
        Arm(arm.condition, table.measured(laid[digest], table.solved))
        for digest, arm in manifest.conditions.items()
    ]
    repos = [task.facets.get("repo", "") for task in manifest.tasks.values()]
    return crossing(arms, repos, level=level)


def _codes(found: Mapping[Attempt, History]) -> dict[str, list[str]]:
    """The versions of the scaffold's code that made each condition's measurements."""
    codes: dict[str, dict[str, None]] = {}
    for attempt, history in found.items():
        code = history.graded and history.graded.facts.get("scaffold_code")
        if isinstance(code, str):
            codes.setdefault(attempt.condition, {})[code] = None
    return {digest: sorted(of) for digest, of in codes.items()}


def _origins(manifest: Manifest) -> dict[str, int]:
    counts: dict[str, int] = {}
    for task in manifest.tasks.values():
        counts[task.origin] = counts.get(task.origin, 0) + 1
    return counts


def _rows(manifest: Manifest, laid: table.Laid) -> tuple[Row, ...]:
    columns = {digest: table.cells(manifest, rows) for digest, rows in laid.items()}
    return tuple(
        Row(id_, task.origin, task.facets, {digest: columns[digest][id_] for digest in columns})
        for id_, task in manifest.tasks.items()
    )


def _faults(found: Mapping[Attempt, History]) -> tuple[FaultGroup, ...]:
    """What went wrong, most frequent first."""
    groups: dict[tuple[str, str], FaultGroup] = {}
    for attempt, history in found.items():
        for fault in history.faults:
            key = fault.culprit, gist(fault.message)
            group = groups.setdefault(key, FaultGroup(*key))
            group.tries += 1
            group.recovered += history.graded is not None
            group.conditions = _with(group.conditions, attempt.condition)
    return tuple(sorted(groups.values(), key=lambda g: (-g.tries, g.culprit, g.message)))


def gist(message: str) -> str:
    """A message's first line, long hexadecimal names blanked, so that like faults are counted."""
    first = next((line for line in message.splitlines() if line.strip()), "(no message)")
    return re.sub(r"\b(?=[0-9a-f-]*\d)[0-9a-f-]{12,}\b", "...", first.strip())


def _with(names: list[str], name: str) -> list[str]:
    return names if name in names else [*names, name]
