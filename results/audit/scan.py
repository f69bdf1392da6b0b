"""Every trace of a run against every rule: the marks, and how often each condition has them.

A mark says that a line is worth a person's reading, and nothing about why it was written.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.types import Attempt, Graded
from results.audit.reading import Outcome, Reader, Step
from results.audit.rules import SEVERITIES, Known, Rule, Severity
from results.audit.table import RULES
from results.audit.upstream import Upstream, upstream
from results.lines import Damaged
from results.manifest import Manifest
from results.stats.proportion import wilson
from results.store import RunStore

MOST_LINE = 200
MOST_MARKS = 20
"""Different lines kept for one rule in one attempt; more are counted with the last."""
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


@dataclass(frozen=True, slots=True)
class Mark:
    """A line that a rule points at."""

    rule: str
    severity: Severity
    attempt: str
    task: str
    condition: str
    number: int
    """The try."""
    event: int
    """The line of the try's trace, from 1."""
    seconds: float
    """Since the try began."""
    line: str
    outcome: Outcome
    resolved: bool | None
    """None where the attempt has no grade."""
    times: int = 1
    """How often the same line stands in the attempt."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One rule under one condition."""

    rule: str
    severity: Severity
    attempts: int
    """With at least one mark."""
    succeeded: int
    """Of those, how many had a marked command that ended with exit code 0, nothing refused."""
    graded: int
    resolved: int
    """Of the marked ones that have a grade."""
    rate: float | None
    """The mean over tasks of the share of their attempts with a mark; None with none read."""
    low: float | None
    high: float | None
    """Wilson's interval at 95 %, over tasks."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read under one condition."""

    digest: str
    label: str
    planned: int
    attempts: int
    """With a trace that could be read, at least in part."""
    tasks: int
    replies: int
    commands: int
    marked: int
    """Attempts with a mark of any rule above `mention`."""
    tallies: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    name: str
    conditions: tuple[Read, ...]
    marks: tuple[Mark, ...]
    """By severity, then in the order of the rules and of the attempts."""
    rules: Mapping[str, str]
    """What each rule points at."""
    unread: tuple[str, ...]
    """Sentences: traces that are missing, torn or damaged."""


@dataclass(slots=True)
class _Sheet:
    """What one attempt came to."""

    attempt: Attempt
    resolved: bool | None
    tries: int = 0
    replies: int = 0
    commands: int = 0
    marks: list[Mark] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def add(self, mark: Mark) -> None:
        same = [m for m in self.marks if m.rule == mark.rule]
        found = next((m for m in same if m.line == mark.line), None)
        if found is None and len(same) >= MOST_MARKS:
            found = same[-1]
        if found is None:
            self.marks.append(mark)
            return
        better = mark.outcome if mark.outcome == "exit 0" else found.outcome
        self.marks[self.marks.index(found)] = replace(found, times=found.times + 1, outcome=better)


def scan(store: RunStore, rules: Sequence[Rule] = RULES) -> Audit:
    """Read every trace of a run. UsageError where the folder is no run; damage is said, not fatal.

    One event is held at a time, and of each attempt its marks.
    """
    manifest = store.manifest()
    settled: dict[Attempt, tuple[int, bool | None]] = {}
    for record in store.records():
        resolved = record.verdict.resolved if isinstance(record, Graded) else None
        tried, known = settled.get(record.attempt, (0, None))
        settled[record.attempt] = max(tried, record.tried), known if resolved is None else resolved
    sheets: dict[str, list[_Sheet]] = {digest: [] for digest in manifest.conditions}
    for attempt in manifest.planned():
        tried, resolved = settled.get(attempt, (0, None))
        sheet = _Sheet(attempt, resolved)
        _read_attempt(store, sheet, tried, upstream(manifest.tasks[attempt.task].facets), rules)
        sheets[attempt.condition].append(sheet)
    return _audit(store.folder, manifest, sheets, rules)


def marks_of(
    store: RunStore,
    attempt: Attempt,
    tried: int,
    resolved: bool | None,
    facets: Mapping[str, str],
) -> tuple[Sequence[Mark], Sequence[str]]:
    """The marks of one attempt of which the ledger knows so many tries, and what was not read."""
    sheet = _Sheet(attempt, resolved)
    _read_attempt(store, sheet, tried, upstream(facets), RULES)
    order = [rule.name for rule in _by_severity(RULES)]
    return sorted(sheet.marks, key=lambda mark: order.index(mark.rule)), sheet.unread


def _read_attempt(
    store: RunStore, sheet: _Sheet, tried: int, of: Upstream, rules: Sequence[Rule]
) -> None:
    whole: set[int] = set()
    for number in range(1, max(tried, store.tries(sheet.attempt)) + 1):
        path = store.traces.path(sheet.attempt, number)
        if not path.exists():
            sheet.unread.append(f"{sheet.attempt.id}: try {number} left no trace")
            continue
        reader = Reader(Known(of), store.fetch, skips_replay=bool(whole))
        sheet.tries += 1
        try:
            for step in reader.steps(store.events(sheet.attempt, number)):
                _weigh(step, reader, sheet, number, rules)
            whole.add(number)
        except Damaged as error:
            sheet.unread.append(f"{sheet.attempt.id}: try {number} read in part: {error}")
        if _is_torn(path):
            sheet.unread.append(f"{sheet.attempt.id}: try {number} ends in a torn line, not read")
        sheet.replies += reader.replies
        sheet.commands += reader.commands


def _weigh(step: Step, reader: Reader, sheet: _Sheet, number: int, rules: Sequence[Rule]) -> None:
    """Every rule over one step; a rule marks it at most once for each different line."""
    marked = False
    for rule in rules:
        lines = (rule.evidence(action, reader.known) for action in step.actions)
        for line in dict.fromkeys(shown(line) for line in lines if line is not None):
            marked |= rule.name == "history-of-the-future"
            sheet.add(_mark(rule, line, step, sheet, number))
    if not marked and step.shows_commits:
        reader.saw(step.output)


def _mark(rule: Rule, line: str, step: Step, sheet: _Sheet, number: int) -> Mark:
    return Mark(
        rule=rule.name,
        severity=rule.severity,
        attempt=sheet.attempt.id,
        task=sheet.attempt.task,
        condition=sheet.attempt.condition,
        number=number,
        event=step.event,
        seconds=round(step.seconds, 3),
        line=line,
        outcome=step.outcome,
        resolved=sheet.resolved,
    )


def shown(line: str) -> str:
    """A line that cannot steer a terminal, cut to what a person reads at a glance."""
    plain = " ".join(_ESCAPE.sub("", line).split())
    plain = "".join(c if c.isprintable() else "?" for c in plain)
    return plain if len(plain) <= MOST_LINE else plain[: MOST_LINE - 2] + ".."


def _is_torn(path: Path) -> bool:
    with path.open("rb") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return False
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) != b"\n"


def _audit(
    folder: Path, manifest: Manifest, sheets: Mapping[str, list[_Sheet]], rules: Sequence[Rule]
) -> Audit:
    order = {rule.name: at for at, rule in enumerate(_by_severity(rules))}
    everything = [sheet for of_one in sheets.values() for sheet in of_one]
    marks = sorted((m for sheet in everything for m in sheet.marks), key=lambda m: order[m.rule])
    return Audit(
        name=folder.resolve().name,
        conditions=tuple(
            _condition(digest, manifest.conditions[digest].label, of_one, rules)
            for digest, of_one in sheets.items()
        ),
        marks=tuple(marks),
        rules={rule.name: rule.points_at for rule in _by_severity(rules)},
        unread=tuple(line for sheet in everything for line in sheet.unread),
    )


def _condition(digest: str, label: str, sheets: Sequence[_Sheet], rules: Sequence[Rule]) -> Read:
    read = [sheet for sheet in sheets if sheet.tries]
    above = [s for s in read if any(mark.severity != "mention" for mark in s.marks)]
    return Read(
        digest=digest,
        label=label,
        planned=len(sheets),
        attempts=len(read),
        tasks=len({sheet.attempt.task for sheet in read}),
        replies=sum(sheet.replies for sheet in read),
        commands=sum(sheet.commands for sheet in read),
        marked=len(above),
        tallies=tuple(_tally(rule, read) for rule in _by_severity(rules)),
    )


def _tally(rule: Rule, read: Sequence[_Sheet]) -> Tally:
    marks = {s.attempt: [m for m in s.marks if m.rule == rule.name] for s in read}
    marked = [sheet for sheet in read if marks[sheet.attempt]]
    worked = [s for s in marked if any(m.outcome == "exit 0" for m in marks[s.attempt])]
    rate, low, high = _rate((s.attempt.task, bool(marks[s.attempt])) for s in read)
    return Tally(
        rule=rule.name,
        severity=rule.severity,
        attempts=len(marked),
        succeeded=len(worked),
        graded=sum(sheet.resolved is not None for sheet in marked),
        resolved=sum(sheet.resolved is True for sheet in marked),
        rate=rate,
        low=low,
        high=high,
    )


def _rate(
    marked: Iterable[tuple[str, bool]],
) -> tuple[float, float, float] | tuple[None, None, None]:
    """Over tasks, since repeats of one task are not independent."""
    of: Counter[str] = Counter()
    with_mark: dict[str, int] = defaultdict(int)
    for task, is_marked in marked:
        of[task] += 1
        with_mark[task] += is_marked
    if not of:
        return None, None, None
    total = sum(with_mark[task] / count for task, count in of.items())
    total = min(total, float(len(of)))
    return total / len(of), *wilson(total, len(of))


def _by_severity(rules: Sequence[Rule]) -> Iterator[Rule]:
    for severity in SEVERITIES:
        yield from (rule for rule in rules if rule.severity == severity)
