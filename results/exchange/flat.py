"""A run as a flat table: a row for each declared attempt, as CSV or as what Parquet is made of."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from harness.types import Faulted, Graded, Usage
from results.blobs import publish
from results.exchange.settled import Settled, Written, names, one_file, settled
from results.store import RunStore

Value: TypeAlias = str | int | float | bool | None
COLUMNS: Mapping[str, type] = {
    "task": str,
    "repo": str,
    "origin": str,
    "model": str,
    "scaffold": str,
    "condition": str,
    "repeat": int,
    "state": str,
    "resolved": bool,
    "reason": str,
    "mode": str,
    "ending": str,
    "culprit": str,
    "message": str,
    "tried": int,
    "calls": int,
    "fresh": int,
    "cache_read": int,
    "cache_write": int,
    "output": int,
    "reasoning": int,
    "usd": float,
    "spent_usd": float,
    "seconds": float,
    "model_seconds": float,
    "tool_seconds": float,
    "grade_seconds": float,
    "patch": str,
    "at": str,
}
"""What each is: null stands for what is not known, or does not apply."""


def export(store: RunStore, into: Path) -> Written:
    """CSV with a heading; null is an empty cell. `import` reads it again."""
    place = one_file(into)
    rows = table(store)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: _cell(v) for k, v in row.items()} for row in rows)
    publish(place, out.getvalue().encode(errors="replace"))
    return Written((place,), len(rows))


def table(store: RunStore) -> list[dict[str, Value]]:
    """Every declared attempt: graded, faulted or owed. A fault has no `resolved`, never false."""
    called = names(store.manifest())
    return [_row(each, called[each.attempt.condition]) for each in settled(store)]


def _row(each: Settled, called: str) -> dict[str, Value]:
    row: dict[str, Value] = dict.fromkeys(COLUMNS)
    condition = each.arm.condition
    row |= {
        "task": each.attempt.task,
        "repo": each.task.facets.get("repo"),
        "origin": each.task.origin,
        "model": str(condition.model),
        # Two conditions may differ in a limit alone; then the label tells them apart.
        "scaffold": called.removeprefix(f"{condition.model} + "),
        "condition": each.attempt.condition,
        "repeat": each.attempt.repeat,
        "state": each.record.kind if each.record else "owed",
    }
    record = each.record
    if record is None:
        return row
    row |= _usage(record.usage) | {
        "tried": record.tried,
        "spent_usd": record.spent.usd,
        "seconds": record.clocks.total or None,
        "model_seconds": record.clocks.model,
        "tool_seconds": record.clocks.tool,
        "grade_seconds": record.clocks.grade,
        "patch": each.patch,
        "at": record.at or None,
    }
    match record:
        case Graded(verdict=verdict, ending=ending):
            row |= {"resolved": verdict.resolved, "reason": verdict.reason}
            row |= {"mode": verdict.mode, "ending": ending.value}
        case Faulted(culprit=culprit, message=message):
            row |= {"culprit": culprit, "message": message}
    return row


def _usage(usage: Usage) -> dict[str, Value]:
    kinds = ("calls", "fresh", "cache_read", "cache_write", "output", "reasoning", "usd")
    return {kind: getattr(usage, kind) for kind in kinds}


def _cell(value: Value) -> Value:
    return str(value).lower() if isinstance(value, bool) else value
