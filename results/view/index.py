"""What a run's ledger says, read once by byte offsets and then only what it has grown by.

Of a record a row keeps what lists, filters and counts need, and where its line stands; the rest
is read again when somebody looks at that attempt. Damage is told, not fatal: a viewer is where a
person goes to see what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from sys import intern
from threading import Lock
from typing import Any

from harness.errors import UsageError
from harness.types import Attempt, TaskId
from results import quarantine
from results.manifest import NAME, Manifest
from results.store import RunStore
from results.view.visible import one_line

STATES = ("solved", "unsolved", "faulted", "owed")
MOST_TROUBLES = 20


@dataclass(frozen=True, slots=True)
class Row:
    """The last word on one attempt."""

    state: str
    """One of STATES."""
    why: str = ""
    """The grader's reason, or whose fault it was."""
    ending: str = ""
    message: str = ""
    """Of a fault, on one line."""
    tried: int = 0
    calls: int = 0
    tokens: int = 0
    usd: float | None = None
    spent: float | None = 0.0
    """What all its recorded tries paid for; None where one has no price."""
    seconds: float = 0.0
    at: str = ""
    lines: tuple[int, ...] = ()
    """Where the records of its tries begin in the ledger, in bytes."""


OWED = Row("owed")
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,80}")
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A run as it was at one moment."""

    name: str
    manifest: Manifest
    rows: Mapping[Attempt, Row]
    version: str
    """Changes whenever something of the run has changed."""
    troubles: tuple[str, ...] = ()
    fenced: Mapping[str, str] = field(default_factory=dict)

    def row(self, attempt: Attempt) -> Row:
        return self.rows.get(attempt, OWED)

    def declares(self, attempt: Attempt) -> bool:
        arm = self.manifest.conditions.get(attempt.condition)
        known = arm is not None and attempt.task in self.manifest.tasks
        return known and arm is not None and 0 <= attempt.repeat < arm.repeats


class Index:
    """One run. `read` may be called from any thread."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.store = RunStore(folder)
        self._lock = Lock()
        self._manifest: tuple[tuple[int, ...], Manifest] | None = None
        self._ids: dict[str, TaskId] = {}
        self._named: set[str] = set()
        self._last: Reading | None = None
        self._clear()

    def read(self) -> Reading:
        """What is on disk now. UsageError where the folder is no run that can be read."""
        with self._lock:
            version = self.version()
            if self._last is None or self._last.version != version:
                manifest = self._current_manifest()
                self._grow()
                told = (tuple(self._troubles), self._fenced())
                self._last = Reading(self.name, manifest, self._rows, version, *told)
            return self._last

    def version(self) -> str:
        """A mark of everything that pages of the whole run show; it costs a few stats."""
        paths = (
            self.folder / NAME,
            self.folder / quarantine.NAME,
            self.store.ledger.path,
            self.store.traces.folder,
        )
        return "-".join(str(part) for path in paths for part in stamp(path)[:2])

    def attempt(self, id_: str) -> Attempt | None:
        """The attempt of that name, which is also its trace's; None where nothing knows it."""
        name, _, rest = id_.partition("~")
        condition, _, repeat = rest.partition("~")
        # A name becomes a path: whatever a run says of itself, it stays within its folder.
        if not (_PLAIN.fullmatch(condition) and _NUMBER.fullmatch(repeat)):
            return None
        reading = self.read()
        task = self._names(reading).get(name)
        found = task and Attempt(task, condition, int(repeat))
        if not found or not (reading.declares(found) or found in reading.rows):
            return None
        return found

    def _names(self, reading: Reading) -> Mapping[str, TaskId]:
        """Tasks by the first part of their attempts' names."""
        with self._lock:
            for task in (self._tasks | reading.manifest.tasks.keys()) - self._named:
                self._ids[stem(task)] = TaskId(task)
                self._named.add(task)
            return self._ids

    def _clear(self) -> None:
        self._rows: dict[Attempt, Row] = {}
        self._tasks: set[str] = set()
        self._troubles: list[str] = []
        self._end = 0
        self._number = 0
        self._inode = 0

    def _current_manifest(self) -> Manifest:
        mark = stamp(self.folder / NAME)
        if self._manifest is None or self._manifest[0] != mark:
            self._manifest = (mark, self.store.manifest())
        return self._manifest[1]

    def _fenced(self) -> Mapping[str, str]:
        try:
            return quarantine.read(self.folder)
        except UsageError as error:
            self._trouble(str(error))
            return {}

    def _grow(self) -> None:
        """Take in the lines that were not there before. A file that shrank is read anew."""
        size, _, inode = stamp(self.store.ledger.path)
        if size < self._end or (self._inode and inode != self._inode):
            self._clear()
        self._inode = inode
        if size <= self._end:
            return
        self._rows = dict(self._rows)  # readings that are out keep theirs
        with self.store.ledger.path.open("rb") as stream:
            stream.seek(self._end)
            for data in stream:
                if not data.endswith(b"\n"):
                    break  # torn: promised to nobody
                self._number += 1
                self._take(data)
                self._end += len(data)

    def _take(self, data: bytes) -> None:
        try:
            raw = json.loads(data)
            key = raw["attempt"]
            repeat = int(key["repeat"])
            attempt = Attempt(TaskId(intern(str(key["task"]))), intern(key["condition"]), repeat)
            row = _row(raw, self._end)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            why = f"{type(error).__name__}: {error}"
            self._trouble(f"ledger.jsonl, line {self._number}, byte {self._end}: {why}"[:300])
            return
        before = self._rows.get(attempt)
        self._rows[attempt] = row if before is None else _joined(before, row)
        self._tasks.add(attempt.task)

    def _trouble(self, line: str) -> None:
        if line not in self._troubles and len(self._troubles) < MOST_TROUBLES:
            self._troubles.append(line)


def stem(task: str) -> str:
    """What the names of a task's attempts begin with."""
    return Attempt(TaskId(task), "", 0).id[:-3]


def stamp(path: Path) -> tuple[int, ...]:
    """Size, time of change and inode of a file; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_size, found.st_mtime_ns, found.st_ino)


def _joined(before: Row, row: Row) -> Row:
    """A grade is the last word; else the last fault is. All tries are paid for."""
    unpriced = before.spent is None or row.spent is None
    spent = None if unpriced else (before.spent or 0.0) + (row.spent or 0.0)
    lines = (*before.lines, *row.lines)
    last = before if before.state in ("solved", "unsolved") else row
    return replace(last, spent=spent, lines=lines)


def _row(raw: Mapping[str, Any], offset: int) -> Row:
    usage = raw["usage"]
    tokens = sum(usage.get(k, 0) for k in ("fresh", "cache_read", "cache_write", "output"))
    told: dict[str, Any] = {
        "tried": int(raw.get("tried", 1)),
        "calls": int(usage.get("calls", 0)),
        "tokens": int(tokens),
        "usd": _amount(usage.get("usd")),
        "spent": _amount(raw.get("spent", {}).get("usd")),
        "seconds": float(raw["clocks"].get("total", 0.0)),
        "at": str(raw.get("at", "")),
        "lines": (offset,),
    }
    if raw["kind"] == "graded":
        verdict = raw["verdict"]
        state = "solved" if verdict["resolved"] is True else "unsolved"
        return Row(state, intern(verdict["reason"]), intern(raw["ending"]), **told)
    if raw["kind"] == "faulted":
        message = intern(one_line(str(raw["message"])))
        return Row("faulted", intern(raw["culprit"]), message=message, **told)
    raise ValueError(f"no record is of kind {raw['kind']!r}")


def _amount(usd: object) -> float | None:
    return None if usd is None else float(usd)  # type: ignore[arg-type]
