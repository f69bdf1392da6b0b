"""A run as a grid of tasks x conditions x repeats, or as a list of attempts: what was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from harness.types import Attempt, TaskId
from results.table import Cell, Score, score
from results.view.asked import Asked
from results.view.index import STATES, Reading, Row
from results.view.runs import KEPT

CELLS, FEWEST, MOST = 1500, 10, 100
"""Squares on one page of a grid, whatever the run; and the rows that this may come to."""
LINES = 200
"""Attempts on one page of a list."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of what was asked for: keys of tasks or attempts, and where the part stands."""

    tasks: Sequence[str]
    attempts: Sequence[Attempt]
    found: int
    """How many there are on all pages."""
    of: int
    page: int
    pages: int
    size: int = 0


@lru_cache(maxsize=KEPT)
def reasons(reading: Reading) -> Mapping[str, Sequence[tuple[str, int]]]:
    """How often each: `why` of what was not solved or not measured, `ending` of what was graded."""
    rows = [row for _, row in attempts(reading)]
    why = Counter(row.why for row in rows if row.state in ("unsolved", "faulted"))
    ending = Counter(row.ending for row in rows if row.ending)
    return {"why": why.most_common(), "ending": ending.most_common()}


@dataclass(frozen=True, slots=True)
class Standing:
    """One condition in figures: those of the report, from the rows of the index."""

    digest: str
    label: str
    score: Score
    faulted: int
    owed: int
    usd: float | None
    """Of graded attempts; None where one has no price."""
    spent: float | None
    """Of all recorded tries: the bill."""
    seconds: float
    """Of graded attempts."""
    calls: int


def grid(reading: Reading, asked: Asked) -> Page:
    """The tasks that fit, and a page of them."""
    arms = _arms(reading, asked)
    matching = _matcher(reading, asked)
    fits = [t for t in reading.manifest.tasks if _task_fits(reading, t, asked, arms, matching)]
    fits = _ordered(reading, fits, asked.sort, arms)
    width = sum(arm.repeats for arm in reading.manifest.conditions.values())
    size = max(FEWEST, min(MOST, CELLS // max(1, width)))
    pages = max(1, ceil(len(fits) / size))
    page = min(asked.page, pages)
    shown = fits[(page - 1) * size : page * size]
    return Page(shown, (), len(fits), len(reading.manifest.tasks), page, pages, size)


def listing(reading: Reading, asked: Asked) -> Page:
    """The attempts that fit, and a page of them."""
    fits = list(fitting(reading, asked))
    if key := _KEYS.get(asked.sort):
        fits.sort(key=lambda attempt: key(reading.row(attempt)), reverse=True)
    pages = max(1, ceil(len(fits) / LINES))
    page = min(asked.page, pages)
    shown = fits[(page - 1) * LINES : page * LINES]
    return Page((), shown, len(fits), len(attempts(reading)), page, pages, LINES)


_KEYS: Mapping[str, Callable[[Row], float | str]] = {
    "usd": lambda row: -1.0 if row.spent is None else row.spent,
    "seconds": lambda row: row.seconds,
    "calls": lambda row: row.calls,
    "recent": lambda row: row.at,
}


@lru_cache(maxsize=2)
def attempts(reading: Reading) -> Sequence[tuple[Attempt, Row]]:
    """All that is declared, task by task, then what is recorded without being declared."""
    declared = [(attempt, reading.row(attempt)) for attempt in reading.manifest.planned()]
    return [*declared, *((attempt, reading.row(attempt)) for attempt in strays(reading))]


@lru_cache(maxsize=KEPT)
def strays(reading: Reading) -> Sequence[Attempt]:
    """Recorded, and not declared: no number counts them."""
    return [attempt for attempt in reading.rows if not reading.declares(attempt)]


@lru_cache(maxsize=2)
def by_task(reading: Reading) -> Mapping[str, Sequence[tuple[Attempt, Row]]]:
    """The same in groups."""
    groups: dict[str, list[tuple[Attempt, Row]]] = {task: [] for task in reading.manifest.tasks}
    for one in attempts(reading):
        groups.setdefault(one[0].task, []).append(one)
    return groups


def fitting(reading: Reading, asked: Asked) -> Iterator[Attempt]:
    """The attempts that a list with these filters has."""
    arms = frozenset(_arms(reading, asked))
    matching = _matcher(reading, asked)
    of_task = asked.o in ("mixed", "differs")
    tasks = reading.manifest.tasks
    whole = {task for task in tasks if of_task and _of_task(reading, task, asked.o, list(arms))}
    for attempt, row in attempts(reading):
        fits = attempt.condition in arms and (not of_task or attempt.task in whole)
        if fits and matching(attempt, row):
            yield attempt


def row_of(reading: Reading, task: str, digest: str) -> list[tuple[Attempt, Row]]:
    """A task's attempts under one condition, repeat by repeat."""
    repeats = range(reading.manifest.conditions[digest].repeats)
    keys = [Attempt(TaskId(task), digest, repeat) for repeat in repeats]
    return [(key, reading.row(key)) for key in keys]


def neighbours(
    reading: Reading, asked: Asked, of: Attempt
) -> tuple[Attempt | None, Attempt | None]:
    """The attempts before and after one in the list that these filters make."""
    before: Attempt | None = None
    found = False
    for attempt in fitting(reading, asked):
        if found:
            return before, attempt
        if attempt == of:
            found = True
        else:
            before = attempt
    return (before, None) if found else (None, None)


@lru_cache(maxsize=KEPT)
def standings(reading: Reading) -> Sequence[Standing]:
    """Every condition, in the order in which they were asked for."""
    return [_standing(reading, digest) for digest in reading.manifest.conditions]


def cell(rows: Sequence[Row]) -> Cell:
    states = [row.state for row in rows]
    solved = states.count("solved")
    graded = solved + states.count("unsolved")
    return Cell(len(rows), graded, solved, states.count("faulted"))


def _standing(reading: Reading, digest: str) -> Standing:
    arm = reading.manifest.conditions[digest]
    table, rows = [], []
    for task in reading.manifest.tasks:
        of_task = [row for _, row in row_of(reading, task, digest)]
        table.append(cell(of_task))
        rows += of_task
    grades = [row for row in rows if row.state in ("solved", "unsolved")]
    return Standing(
        digest=digest,
        label=arm.label,
        score=score(table),
        faulted=sum(c.faulted for c in table),
        owed=sum(c.owed for c in table),
        usd=_sum(row.usd for row in grades),
        spent=_sum(row.spent for row in rows),
        seconds=sum(row.seconds for row in grades),
        calls=sum(row.calls for row in grades),
    )


def _sum(amounts: Iterator[float | None]) -> float | None:
    total = 0.0
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def _arms(reading: Reading, asked: Asked) -> Sequence[str]:
    conditions = reading.manifest.conditions
    if asked.c in conditions:
        return [asked.c]
    return list(dict.fromkeys([*conditions, *(a.condition for a in strays(reading))]))


def _matcher(reading: Reading, asked: Asked) -> Callable[[Attempt, Row], bool]:
    """Whether an attempt fits the filters that are of attempts."""
    state = asked.o if asked.o in STATES else ""
    sought = asked.q.casefold()
    if not (state or sought or asked.task or asked.why or asked.ending):
        return lambda attempt, row: True
    named = {
        task
        for task, declared in reading.manifest.tasks.items()
        if sought in f"{task} {declared.facets.get('repo', '')}".casefold()
    }

    def said(attempt: Attempt, row: Row) -> bool:
        if not sought or attempt.task in named or sought in row.why or sought in row.ending:
            return True
        return bool(row.message) and sought in row.message.casefold()

    def fits(attempt: Attempt, row: Row) -> bool:
        return (
            (not state or row.state == state)
            and (not asked.why or row.why == asked.why)
            and (not asked.ending or row.ending == asked.ending)
            and (not asked.task or attempt.task == asked.task)
            and said(attempt, row)
        )

    return fits


def _task_fits(
    reading: Reading,
    task: str,
    asked: Asked,
    arms: Sequence[str],
    matching: Callable[[Attempt, Row], bool],
) -> bool:
    """Whether one of a task's attempts fits, and the task as a whole."""
    if asked.o in ("mixed", "differs"):
        known = [digest for digest in arms if digest in reading.manifest.conditions]
        if not _of_task(reading, task, asked.o, known):
            return False
    return any(matching(*one) for one in by_task(reading)[task] if one[0].condition in arms)


def _of_task(reading: Reading, task: str, outcome: str, arms: Sequence[str]) -> bool:
    """`mixed`: repeats of one condition disagree. `differs`: conditions do."""
    if task not in reading.manifest.tasks:
        return False
    known = [digest for digest in arms if digest in reading.manifest.conditions]
    shares = []
    for digest in known:
        found = cell([row for _, row in row_of(reading, task, digest)])
        if not found.graded:
            continue
        if outcome == "mixed" and 0 < found.resolved < found.graded:
            return True
        shares.append(found.resolved / found.graded)
    return outcome == "differs" and len(set(shares)) > 1


def _ordered(reading: Reading, tasks: list[str], sort: str, arms: Sequence[str]) -> list[str]:
    known = [digest for digest in arms if digest in reading.manifest.conditions]

    def rows(task: str) -> list[Row]:
        return [row for digest in known for _, row in row_of(reading, task, digest)]

    if sort in ("hard", "easy"):
        graded = {task: cell(rows(task)) for task in tasks}
        kept = [task for task in tasks if graded[task].graded]
        kept.sort(key=lambda t: graded[t].resolved / graded[t].graded, reverse=sort == "easy")
        return [*kept, *(task for task in tasks if not graded[task].graded)]
    if sort == "recent":
        return sorted(tasks, key=lambda t: max((r.at for r in rows(t)), default=""), reverse=True)
    if key := _KEYS.get(sort):
        totals = {task: sum(float(key(row)) for row in rows(task)) for task in tasks}
        return sorted(tasks, key=lambda task: -totals[task])
    return tasks
