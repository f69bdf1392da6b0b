"""CSV with a row for each attempt: one's own spreadsheet, or what `export --format csv` writes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from harness.errors import UsageError
from harness.types import Clocks, Culprit, Ending, Reason, Usage
from results.exchange.imported import Batch, Imported, Outcome
from results.exchange.reading import Reading, shown

FORMAT = "csv"
_COLUMNS: Mapping[str, Sequence[str]] = {
    "task": ("task", "instance_id", "task_id", "issue", "id"),
    "resolved": ("resolved", "solved", "passed", "verdict"),
    "model": ("model", "run", "system"),
    "scaffold": ("scaffold", "agent"),
    "repeat": ("repeat", "epoch", "attempt", "trial"),
    "reason": ("reason",),
    "submitted": ("submitted",),
    "ending": ("ending",),
    "culprit": ("culprit",),
    "message": ("message",),
    "usd": ("usd", "cost_usd", "cost", "instance_cost"),
    "calls": ("calls", "api_calls"),
    "fresh": ("fresh", "tokens_sent", "input_tokens", "prompt_tokens"),
    "cache_read": ("cache_read", "cached_tokens"),
    "cache_write": ("cache_write",),
    "output": ("output", "tokens_received", "output_tokens", "completion_tokens"),
    "reasoning": ("reasoning", "reasoning_tokens"),
    "seconds": ("seconds", "total_seconds"),
    "tool_seconds": ("tool_seconds",),
}
"""What is read, and the headings by which it goes; the first that a file has is taken."""
_YES = ("true", "1", "1.0", "yes", "pass", "passed", "resolved", "solved")
_NO = ("false", "0", "0.0", "no", "fail", "failed", "unresolved", "unsolved")
_CULPRITS: tuple[Culprit, ...] = get_args(Culprit)
_REASONS: tuple[Reason, ...] = get_args(Reason)
_LONGEST_FIELD = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`task`, `resolved`, `model`, `scaffold` and `repeat` name columns that have other headings.

    Each model and scaffold is a system. No verdict is a fault where a culprit stands there, else
    no record. A task twice for one system needs a column that counts repeats.
    """

    task: str = ""
    resolved: str = ""
    model: str = ""
    scaffold: str = ""
    repeat: str = ""

    def read(self, path: Path) -> Imported:
        reading = Reading(path)
        rows = _rows(path, reading.text(path))
        columns = self._columns(path, rows[0])
        systems: dict[tuple[str, str], dict[tuple[str, int], Outcome]] = {}
        ids: dict[str, None] = {}
        for line, row in enumerate(rows[1:], start=2):
            cells = _Cells(f"{path}:{line}", {k: row[i].strip() for k, i in columns.items()})
            outcome = cells.outcome()
            system = cells.text.get("model") or path.stem, cells.text.get("scaffold", "")
            known = systems.setdefault(system, {})
            ids[cells.text["task"]] = None
            if outcome and known.setdefault((outcome.task, outcome.repeat), outcome) is not outcome:
                raise UsageError(
                    f"{path}:{line}: {shown(outcome.task)} stands there twice for {system[0]}; "
                    "number its repeats from 0 in a column `repeat`"
                )
        batches = (Batch(*name, _from_0(list(found.values()))) for name, found in systems.items())
        return Imported(path.stem, FORMAT, reading.digest, tuple(batches), tuple(ids))

    def _columns(self, path: Path, head: Sequence[str]) -> dict[str, int]:
        """Where each thing stands that is read."""
        places = {name.strip(): i for i, name in enumerate(head)}
        found: dict[str, int] = {}
        for what, headings in _COLUMNS.items():
            asked = getattr(self, what, "")
            if asked and asked not in places:
                raise UsageError(f"{path}: has no column {asked!r}; it has {', '.join(places)}")
            for name in (asked,) if asked else headings:
                if name in places:
                    found.setdefault(what, places[name])
        for what in ("task", "resolved"):
            if what not in found:
                raise UsageError(
                    f"{path}: has no column for {what}; it has {', '.join(places)[:200]}; "
                    f"say which with --format csv,{what}=COLUMN"
                )
        return found


def headed(text: str) -> bool:
    """Whether a first line has the headings that are needed."""
    head = {name.strip() for name in next(csv.reader([text]), [])}
    return all(head & set(_COLUMNS[what]) for what in ("task", "resolved"))


def _rows(path: Path, text: str) -> list[list[str]]:
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise UsageError(f"{path}: is not CSV: {error}") from None
    if len(rows) < 2:
        raise UsageError(f"{path}: has no row below its headings")
    for line, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            wanted = len(rows[0])
            raise UsageError(f"{path}:{line}: has {len(row)} columns, not {wanted} (cut short?)")
    return rows


def _from_0(outcomes: list[Outcome]) -> tuple[Outcome, ...]:
    """Some count repeats from 1; this program counts from 0."""
    least = min((outcome.repeat for outcome in outcomes), default=0)
    return tuple(replace(outcome, repeat=outcome.repeat - least) for outcome in outcomes)


@dataclass(frozen=True, slots=True)
class _Cells:
    """One row: what stands in the columns that are read."""

    where: str
    text: Mapping[str, str]

    def outcome(self) -> Outcome | None:
        """What the row says of an attempt; None where it has neither a verdict nor a culprit."""
        task = self.text["task"]
        if not task:
            raise UsageError(f"{self.where}: names no task")
        known = Outcome(
            task,
            None,
            self._count("repeat"),
            ending=self._ending(),
            usage=self._usage(),
            clocks=Clocks(total=self._number("seconds"), tool=self._number("tool_seconds")),
        )
        solved, culprit = self._flag("resolved"), self.text.get("culprit", "")
        if solved is not None:
            return replace(known, reason=self._reason(solved))
        if not culprit:
            return None
        if culprit not in _CULPRITS:
            raise UsageError(f"{self.where}: culprit {shown(culprit)}; {', '.join(_CULPRITS)}")
        return replace(known, culprit=culprit, message=self.text.get("message") or "not told")

    def _reason(self, solved: bool) -> Reason:
        said = self.text.get("reason", "")
        if said:
            for reason in _REASONS:
                if reason == said and (reason == "resolved") == solved:
                    return reason
            raise UsageError(f"{self.where}: reason {shown(said)} with resolved {solved}")
        if solved:
            return "resolved"
        return "not_submitted" if self._flag("submitted") is False else "tests_failed"

    def _ending(self) -> Ending:
        said = self.text.get("ending") or Ending.SUBMITTED.value
        try:
            return Ending(said)
        except ValueError:
            known = ", ".join(ending.value for ending in Ending)
            raise UsageError(f"{self.where}: ending {shown(said)}; known are {known}") from None

    def _usage(self) -> Usage:
        kinds = ("calls", "fresh", "cache_read", "cache_write", "output", "reasoning")
        usd = self._number("usd") if self.text.get("usd") else None
        return Usage(**{kind: self._count(kind) for kind in kinds}, usd=usd)

    def _flag(self, column: str) -> bool | None:
        said = self.text.get(column, "").lower()
        if said in _YES or said in _NO:
            return said in _YES
        if said:
            raise UsageError(f"{self.where}: {column} is {shown(said)}, not true, false or nothing")
        return None

    def _number(self, column: str) -> float:
        said = self.text.get(column) or "0"
        try:
            value = float(said)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise UsageError(f"{self.where}: {column} is {shown(said)}, not a number from 0 up")
        return value

    def _count(self, column: str) -> int:
        return int(self._number(column))
