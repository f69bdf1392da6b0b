"""All that a run's folder has about one attempt: its records, patch, tests and logs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.types import Attempt
from results.lines import Damaged
from results.manifest import Arm, Declared
from results.report.page.spelt import short
from results.store import RunStore
from results.view.index import Index, Reading, Row
from results.view.live import is_written
from results.view.steps import a_list, a_map

LISTS = {"fail_to_pass": "fail to pass", "pass_to_pass": "pass to pass", "": "others"}
STATUSES = ("failed", "error", "missing", "skipped", "passed")


@dataclass(frozen=True, slots=True)
class Sight:
    """One attempt, as its run's folder has it."""

    index: Index
    reading: Reading
    attempt: Attempt
    row: Row
    records: Sequence[Mapping[str, Any]]
    """Of its tries, in the order in which they were settled, as the ledger has them."""
    traces: Sequence[int]
    """The tries that have left a trace."""

    @property
    def store(self) -> RunStore:
        return self.index.store

    @property
    def arm(self) -> Arm | None:
        return self.reading.manifest.conditions.get(self.attempt.condition)

    @property
    def declared(self) -> Declared | None:
        return self.reading.manifest.tasks.get(self.attempt.task)

    @property
    def is_going(self) -> bool:
        """Whether its last try is being made now."""
        newest = self.traces[-1] if self.traces else 0
        return not self.record(newest) and is_written(self.index)

    @property
    def label(self) -> str:
        return self.arm.label if self.arm else f"undeclared condition {self.attempt.condition}"

    @property
    def name(self) -> str:
        """What tells its condition from the others of the run."""
        arms = self.reading.manifest.conditions
        named = dict(zip(arms, short([arm.condition for arm in arms.values()]), strict=True))
        return named.get(self.attempt.condition, self.label)

    @property
    def last(self) -> Mapping[str, Any]:
        """The record that settles it: the grade, else the last fault; empty where it is owed."""
        grades = [record for record in self.records if record.get("kind") == "graded"]
        return (grades or self.records or [{}])[-1]

    def record(self, number: int) -> Mapping[str, Any]:
        """Of one try; empty where it left none."""
        of_try = (r for r in self.records if r.get("tried") == number)
        return next(of_try, {})

    def trace(self, number: int) -> Path:
        return self.store.traces.path(self.attempt, number)


def sight(index: Index, attempt: Attempt) -> Sight:
    reading = index.read()
    row = reading.row(attempt)
    tries = range(1, max(row.tried, index.store.tries(attempt)) + 1)
    with_trace = [n for n in tries if index.store.traces.path(attempt, n).is_file()]
    return Sight(index, reading, attempt, row, _records(index, row), with_trace)


def _records(index: Index, row: Row) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    if not row.lines:
        return found
    with index.store.ledger.path.open("rb") as stream:
        for offset in row.lines:
            stream.seek(offset)
            found.append(a_map(json.loads(stream.readline())))
    return found


def blob(store: RunStore, record: Mapping[str, Any], name: str) -> bytes | str | None:
    """The bytes of a record's evidence; a sentence where they are gone; None where it has none."""
    digest = a_map(record.get("blobs")).get(name)
    if digest is None:
        return None
    try:
        return store.fetch(str(digest))
    except Damaged as error:
        return str(error)


@dataclass(frozen=True, slots=True)
class Tests:
    """How tests came out, by list: each a name and a status, what did not pass first."""

    lists: Mapping[str, Sequence[tuple[str, str]]]
    named: bool
    """Whether it is known which test is of which list."""
    trouble: str = ""


def tests(store: RunStore, record: Mapping[str, Any]) -> Tests | None:
    """The tests of a graded try; None where nothing about them was kept."""
    told, expected = blob(store, record, "tests"), blob(store, record, "expected")
    if told is None and expected is None:
        return None
    trouble = "; ".join(part for part in (told, expected) if isinstance(part, str))
    statuses = {k: str(v) for k, v in _json_map(told).items()}
    lists = {
        name: [str(one) for one in a_list(_json_map(expected).get(name))]
        for name in ("fail_to_pass", "pass_to_pass")
    }
    known = {one for names in lists.values() for one in names}
    lists[""] = [one for one in statuses if one not in known]
    found = {
        name: sorted(
            ((one, statuses.get(one, "missing")) for one in dict.fromkeys(names)),
            key=lambda pair: (_rank(pair[1]), pair[0]),
        )
        for name, names in lists.items()
        if names
    }
    return Tests(found, isinstance(expected, bytes), trouble)


def _rank(status: str) -> int:
    return STATUSES.index(status) if status in STATUSES else 0


def _json_map(data: bytes | str | None) -> Mapping[str, Any]:
    if not isinstance(data, bytes):
        return {}
    try:
        return a_map(json.loads(data))
    except (ValueError, RecursionError):
        return {}
