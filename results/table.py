"""Records, as counts and rates over what a run declared: pure functions of what is on disk.

Every planned attempt is exactly one of graded, faulted (tried, never measured) and owed (no
record at all). Rates are of the graded; bounds say what the other two could still do to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import nan
from typing import TypeAlias

from harness.types import Attempt, Clocks, Condition, Faulted, Graded, Record, TaskId, Usage
from results.footing import Footing, footing
from results.lines import Damaged
from results.manifest import Arm, Manifest
from results.stats.estimate import Estimate, nothing
from results.stats.proportion import bounds, wilson


@dataclass(slots=True)
class History:
    """What the ledger says of one attempt, and the traces of tries that it does not know."""

    graded: Graded | None = None
    faults: list[Faulted] = field(default_factory=list)
    lost: list[Usage] = field(default_factory=list)
    """What tries paid for that left no record."""

    @property
    def numbers(self) -> set[int]:
        """Of the tries with a record."""
        return {fault.tried for fault in self.faults} | (
            {self.graded.tried} if self.graded else set()
        )


Rows: TypeAlias = Sequence[Sequence[History]]
"""Of one condition: each declared task, over its repeats. An attempt without a record is empty."""
Laid: TypeAlias = Mapping[str, Rows]
"""Of every condition, by digest."""
_EMPTY = History()


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, or None and the reason. None is never 0."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One task under one condition: planned = graded + faulted + owed."""

    planned: int = 0
    graded: int = 0
    resolved: int = 0
    faulted: int = 0

    @property
    def owed(self) -> int:
        return self.planned - self.graded - self.faulted


@dataclass(frozen=True, slots=True)
class Score:
    """A pass rate over some declared tasks, with what is missing from it."""

    rate: Estimate
    bounds: tuple[float, float] | None
    """Had every declared attempt without a measurement failed, and passed."""
    tasks: int
    planned: int
    graded: int
    resolved: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a condition consumed: by the measurements, and by every try that left a record."""

    usage: Usage
    """Of the graded attempts, each counted as though it had never been interrupted."""
    spent: Usage
    """Of all recorded tries, faulted ones included: the bill."""
    clocks: Clocks
    """Of the tries that settled the graded attempts."""
    seconds_of_all_tries: float
    usd: Figure
    usd_spent: Figure
    usd_graded_tries: Figure
    """Of the bill, what the tries cost that settled their attempts."""
    usd_faulted_tries: Figure
    """Of the bill, what the tries cost that measured nothing."""
    lost: Usage
    """Beside the bill: of tries that left a trace and no record, since their process died."""
    usd_lost_tries: Figure
    calls_cut_off: int
    """Calls that the end of their attempts cut off: charged, and by an estimate."""
    usd_per_solved: Figure
    """`usage` of all graded attempts, failures included, by what they solved."""
    tokens_per_solved: Figure
    seconds_per_solved: Figure


@dataclass(frozen=True, slots=True)
class Summary:
    """One condition of a run."""

    digest: str
    label: str
    condition: Condition
    repeats: int
    raw: Score
    adjusted: Score | None
    """Without the quarantined tasks; None where none of the declared ones is quarantined."""
    faulted: Mapping[str, int]
    """Attempts that were tried and never measured, by the culprit of their last fault."""
    owed: int
    cost: Cost
    tries: int
    endings: Mapping[str, int]
    reasons: Mapping[str, int]
    modes: Mapping[str, int]
    unequal: tuple[str, ...]
    """What its agent does that no setting makes equal, in the words of the records."""
    footing: Footing | None
    """All that they say of that agent; None for a scaffold of ours."""


def histories(records: Iterable[Record], *, where: str = "the ledger") -> dict[Attempt, History]:
    """What became of each attempt. Damaged where one has been graded twice."""
    found: dict[Attempt, History] = {}
    for record in records:
        history = found.setdefault(record.attempt, History())
        match record:
            case Graded(attempt=attempt):
                if history.graded is not None:
                    raise Damaged(f"{where} grades attempt {attempt.id} twice; remove one line")
                history.graded = record
            case Faulted():
                history.faults.append(record)
    return found


def laid(manifest: Manifest, found: Mapping[Attempt, History]) -> Laid:
    """The histories of all declared attempts: looked up once, as a study has thousands."""
    return {digest: rows(manifest, found, digest) for digest in manifest.conditions}


def rows(manifest: Manifest, found: Mapping[Attempt, History], digest: str) -> Rows:
    """The histories of one condition's declared attempts."""
    repeats = range(manifest.conditions[digest].repeats)
    return [
        [found.get(Attempt(TaskId(task), digest, repeat), _EMPTY) for repeat in repeats]
        for task in manifest.tasks
    ]


def summarise(
    manifest: Manifest,
    whole: Laid,
    *,
    quarantined: Iterable[str] = (),
    level: float = 0.95,
) -> tuple[Summary, ...]:
    """Every condition of a run, in the order in which they were asked for."""
    excluded = set(quarantined) & manifest.tasks.keys()
    return tuple(
        _summary(digest, arm, (cells(manifest, whole[digest]), whole[digest]), excluded, level)
        for digest, arm in manifest.conditions.items()
    )


def cells(manifest: Manifest, entries: Rows) -> dict[str, Cell]:
    """Each declared task under one condition."""
    return {task: _cell(row) for task, row in zip(manifest.tasks, entries, strict=True)}


def _cell(row: Sequence[History]) -> Cell:
    grades = [entry.graded for entry in row if entry.graded]
    return Cell(
        planned=len(row),
        graded=len(grades),
        resolved=sum(grade.verdict.resolved for grade in grades),
        faulted=sum(entry.graded is None and bool(entry.faults) for entry in row),
    )


def score(table: Iterable[Cell], *, level: float = 0.95) -> Score:
    """The mean over tasks of the share solved, with Wilson's interval for new issues (B).

    With repeats the interval rests on the number of tasks and the mean of their shares, since
    repeats of one task are not independent: wider than it need be, never too narrow.
    """
    rows = list(table)
    measured = [cell for cell in rows if cell.graded]
    planned, graded = sum(cell.planned for cell in rows), sum(cell.graded for cell in rows)
    resolved = sum(cell.resolved for cell in rows)
    repeated = any(cell.graded > 1 for cell in measured)
    method = "wilson on task means" if repeated else "wilson"
    if measured:
        shares = min(sum(cell.resolved / cell.graded for cell in measured), len(measured))
        n = len(measured)
        rate = Estimate(shares / n, *wilson(shares, n, level=level), "B", method, n, level)
    else:
        rate = nothing("B", method, "nothing has been graded")
    return Score(rate, bounds(resolved, graded, planned), len(rows), planned, graded, resolved)


def stray(manifest: Manifest, found: Iterable[Attempt]) -> list[Attempt]:
    """Recorded attempts that the run does not declare, and that no number counts."""
    return [
        attempt
        for attempt in found
        if attempt.task not in manifest.tasks
        or attempt.condition not in manifest.conditions
        or attempt.repeat >= manifest.conditions[attempt.condition].repeats
    ]


def measured(entries: Rows, value: Callable[[Graded], float]) -> list[list[float]]:
    """A value of each grade, as tasks x repeats for `results.stats`; NaN for no measurement."""
    return [[value(entry.graded) if entry.graded else nan for entry in row] for row in entries]


def solved(grade: Graded) -> float:
    return float(grade.verdict.resolved)


def _summary(
    digest: str,
    arm: Arm,
    of_tasks: tuple[Mapping[str, Cell], Rows],
    excluded: set[str],
    level: float,
) -> Summary:
    table, whole = of_tasks
    entries = [entry for row in whole for entry in row if entry is not _EMPTY]
    grades = [entry.graded for entry in entries if entry.graded]
    raw = score(table.values(), level=level)
    kept = [cell for task, cell in table.items() if task not in excluded]
    hosted = footing(grades)
    return Summary(
        digest=digest,
        label=arm.label,
        condition=arm.condition,
        repeats=arm.repeats,
        raw=raw,
        adjusted=score(kept, level=level) if excluded else None,
        faulted=_counts(
            entry.faults[-1].culprit for entry in entries if entry.faults and not entry.graded
        ),
        owed=sum(cell.owed for cell in table.values()),
        cost=cost(entries, resolved=raw.resolved),
        tries=sum(len(entry.faults) + (entry.graded is not None) for entry in entries),
        endings=_counts(str(grade.ending) for grade in grades),
        reasons=_counts(grade.verdict.reason for grade in grades),
        modes=_counts(grade.verdict.mode for grade in grades),
        unequal=hosted.unequal if hosted else (),
        footing=hosted,
    )


def cost(entries: Sequence[History], *, resolved: int) -> Cost:
    """What attempts consumed. Failures are part of what a solved issue costs."""
    grades = [entry.graded for entry in entries if entry.graded]
    faults: list[Record] = [fault for entry in entries for fault in entry.faults]
    tries: list[Record] = [*faults, *grades]
    lost = [usage for entry in entries for usage in entry.lost]
    usage = _total(grade.usage for grade in grades)
    spent = _total(record.spent for record in tries)
    clocks = _sum(grade.clocks for grade in grades)
    usd = _priced(usage.usd, (grade.usage for grade in grades), "graded attempts")
    return Cost(
        usage=usage,
        spent=spent,
        clocks=clocks,
        seconds_of_all_tries=sum(record.clocks.total for record in tries),
        usd=usd,
        usd_spent=_priced(spent.usd, (record.spent for record in tries), "recorded tries"),
        usd_graded_tries=_bill(grades, "graded tries"),
        usd_faulted_tries=_bill(faults, "faulted tries"),
        lost=_total(lost),
        usd_lost_tries=_priced(_total(lost).usd, lost, "tries without a record"),
        calls_cut_off=sum(int(record.facts.get("calls_cut_off", 0)) for record in tries),
        usd_per_solved=_per_solved(usd, resolved, bool(grades)),
        tokens_per_solved=_per_solved(_told(usage.tokens, "token", grades), resolved, bool(grades)),
        seconds_per_solved=_per_solved(
            _told(clocks.total, "second", grades), resolved, bool(grades)
        ),
    )


def _bill(tries: Sequence[Record], what: str) -> Figure:
    spent = _total(record.spent for record in tries)
    return _priced(spent.usd, (record.spent for record in tries), what)


def _total(usages: Iterable[Usage]) -> Usage:
    """Their sum; column by column, since a study has tens of thousands."""
    rows = list(usages)
    counts = {
        f.name: sum(getattr(row, f.name) for row in rows) for f in fields(Usage) if f.name != "usd"
    }
    usd = [row.usd for row in rows]
    return Usage(**counts, usd=None if None in usd else sum(cost or 0.0 for cost in usd))


def _priced(usd: float | None, parts: Iterable[Usage], what: str) -> Figure:
    if usd is not None:
        return Figure(usd)
    each = [part.usd is None for part in parts]
    return Figure(None, f"{sum(each)} of {len(each)} {what} made a call that has no price")


def _told(total: float, unit: str, grades: Sequence[Graded]) -> Figure:
    """No attempt takes no time: a total of zero is what was never counted, as in an import."""
    if grades and not total:
        return Figure(None, f"no graded attempt counts a {unit}")
    return Figure(total)


def _per_solved(total: Figure, resolved: int, measured: bool) -> Figure:
    if total.value is None:
        return total
    if not measured:
        return Figure(None, "nothing has been graded")
    if resolved == 0:
        return Figure(None, "nothing was solved")
    return Figure(total.value / resolved)


def _counts(names: Iterable[str]) -> dict[str, int]:
    """How often each name occurs, most frequent first."""
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _sum(clocks: Iterable[Clocks]) -> Clocks:
    rows = list(clocks)
    return Clocks(**{f.name: sum(getattr(row, f.name) for row in rows) for f in fields(Clocks)})
