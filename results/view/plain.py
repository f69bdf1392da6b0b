"""What the pages show, as plain JSON types: `harness-view/1`, told in results/view/README.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.codec import dump
from harness.types import Attempt
from results.view.asked import Asked
from results.view.auditor import Found, Survey
from results.view.evidence import Sight, tests
from results.view.grid import listing, standings
from results.view.index import Reading
from results.view.live import Underway
from results.view.steps import Outline, Step

SCHEMA = "harness-view/1"


def run(reading: Reading, going: Sequence[Underway]) -> dict[str, Any]:
    manifest = reading.manifest
    return {
        "schema": SCHEMA,
        "name": reading.name,
        "version": reading.version,
        "tasks": len(manifest.tasks),
        "conditions": [
            {
                "digest": one.digest,
                "label": one.label,
                "repeats": manifest.conditions[one.digest].repeats,
                "planned": one.score.planned,
                "graded": one.score.graded,
                "resolved": one.score.resolved,
                "faulted": one.faulted,
                "owed": one.owed,
                "rate": dump(one.score.rate),
                "usd": one.usd,
                "usd_spent": one.spent,
                "seconds": one.seconds,
                "calls": one.calls,
            }
            for one in standings(reading)
        ],
        "underway": [{"attempt": one.attempt.id, "try": one.number} for one in going],
        "left_out": dict(manifest.left_out),
        "quarantined": dict(reading.fenced),
        "troubles": list(reading.troubles),
    }


def attempts(reading: Reading, asked: Asked) -> dict[str, Any]:
    """A page of what the filters leave."""
    part = listing(reading, asked)
    return {
        "schema": SCHEMA,
        "name": reading.name,
        "found": part.found,
        "of": part.of,
        "page": part.page,
        "pages": part.pages,
        "attempts": [_row(reading, one) for one in part.attempts],
    }


def _row(reading: Reading, attempt: Attempt) -> dict[str, Any]:
    row = asdict(reading.row(attempt))
    del row["lines"]
    return {"attempt": attempt.id, **dump(attempt), "declared": reading.declares(attempt), **row}


def attempt(sight: Sight, outlines: Mapping[int, Outline], found: Found | None) -> dict[str, Any]:
    """One attempt with all its records; of its tests how each came out, of its tries the length."""
    told = tests(sight.store, sight.last)
    marked, unread = found or ((), ())
    return {
        "schema": SCHEMA,
        **_row(sight.reading, sight.attempt),
        "label": sight.label,
        "records": list(sight.records),
        "tries": [
            {
                "try": number,
                "steps": outline.steps,
                "bytes": outline.end,
                "torn": outline.torn,
                "unreadable": outline.unreadable,
            }
            for number, outline in outlines.items()
        ],
        "tests": None if told is None else {k or "others": dict(v) for k, v in told.lists.items()},
        "tests_named": told is not None and told.named,
        "audited": found is not None,
        "marks": dump(list(marked)),
        "unread": list(unread),
    }


def trajectory(sight: Sight, number: int, outline: Outline, part: Sequence[Step]) -> dict[str, Any]:
    """A page of steps: each in figures, with the events of the trace that it is made of."""
    return {
        "schema": SCHEMA,
        "attempt": sight.attempt.id,
        "try": number,
        "steps": outline.steps,
        "torn": outline.torn,
        "unreadable": outline.unreadable,
        "part": [
            {
                **asdict(one.beat),
                "events": [{"line": line, **event} for line, event in one.events],
            }
            for one in part
        ],
    }


def audit(reading: Reading, survey: Survey) -> dict[str, Any]:
    """How far the audit of a run has come, and its marks so far."""
    return {
        "schema": SCHEMA,
        "name": reading.name,
        "version": str(survey.done),
        "written": not survey.over,
        "done": survey.done,
        "total": survey.total,
        "marked": sorted(survey.marked),
        "marks": dump(list(survey.marks)),
        "unread": list(survey.unread),
    }
