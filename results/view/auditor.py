"""The audit in the background: of one attempt when it is looked at, of a run when it is asked for.

It reads whole trajectories, which takes a while; pages do not wait for it, and say how far it is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import TypeAlias

from harness.types import Attempt
from results.audit.scan import Mark, marks_of
from results.lines import Damaged
from results.view.evidence import Sight, sight
from results.view.grid import attempts
from results.view.index import Index, Reading, stamp

KEPT, MOST_MARKS = 256, 5000
Found: TypeAlias = tuple[Sequence[Mark], Sequence[str]]
"""The marks of an attempt, and sentences about what of it could not be read."""


@dataclass(slots=True)
class Survey:
    """The audit of a whole run, as far as it has come."""

    version: str
    total: int
    done: int = 0
    marks: list[Mark] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    marked: set[str] = field(default_factory=set)
    """The names of attempts with a mark above `mention`."""
    over: bool = False


class _Job:
    """One attempt being read by a thread of its own."""

    def __init__(self, found: Sight) -> None:
        self.found: Found = ((), ())
        self._done = Event()
        Thread(target=self._read, args=(found,), daemon=True).start()

    def wait(self, seconds: float) -> Found | None:
        return self.found if self._done.wait(seconds) else None

    def _read(self, found: Sight) -> None:
        self.found = _marks(found)
        self._done.set()


class Auditor:
    """What has been read so far, of the attempts and runs that were looked at last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._jobs: OrderedDict[object, _Job] = OrderedDict()
        self._surveys: dict[str, Survey] = {}

    def of(self, found: Sight, patience: float) -> Found | None:
        """The marks of an attempt; None where so many seconds are not enough to read it."""
        key = (found.store.folder, found.attempt, _sizes(found), found.row)
        with self._lock:
            job = self._jobs.pop(key, None) or _Job(found)
            self._jobs[key] = job
            while len(self._jobs) > KEPT:
                self._jobs.popitem(last=False)
        return job.wait(patience)

    def known(self, index: Index) -> Survey | None:
        """The last survey of a run, if there was one since this server began."""
        return self._surveys.get(index.name)

    def survey(self, index: Index, reading: Reading) -> Survey:
        """The survey of a run as it is now, begun if it has not been."""
        with self._lock:
            known = self._surveys.get(index.name)
            if known is not None and (known.version == reading.version or not known.over):
                return known
            rows = [(a, row) for a, row in attempts(reading) if row.state != "owed"]
            made = self._surveys[index.name] = Survey(reading.version, len(rows))
            keys = [attempt for attempt, _ in rows]
            Thread(target=_survey, args=(index, keys, made), daemon=True).start()
            return made


def _survey(index: Index, keys: Sequence[Attempt], into: Survey) -> None:
    try:
        for key in keys:
            found = sight(index, key)
            if found.traces:
                marks, unread = _marks(found)
                into.marks += marks[: MOST_MARKS - len(into.marks)]
                into.unread += unread[: MOST_MARKS - len(into.unread)]
                if any(mark.severity != "mention" for mark in marks):
                    into.marked.add(key.id)
            into.done += 1
    finally:
        into.over = True


def _marks(found: Sight) -> Found:
    graded = found.row.state in ("solved", "unsolved")
    resolved = found.row.state == "solved" if graded else None
    facets: Mapping[str, str] = found.declared.facets if found.declared else {}
    try:
        return marks_of(found.store, found.attempt, found.row.tried, resolved, facets)
    except (OSError, Damaged, ValueError) as error:
        return (), (f"{found.attempt.id}: not read: {error}",)


def _sizes(found: Sight) -> tuple[int, ...]:
    return tuple(stamp(found.trace(number))[0] for number in found.traces)
