"""The report as plain JSON types: `harness-report/1`, described key by key in results/README.md."""

from __future__ import annotations

from typing import Any

from harness.codec import dump
from results.report.build import Report

SCHEMA = "harness-report/1"


def as_json(report: Report) -> dict[str, Any]:
    """Keys are added under one schema, never renamed or given another meaning."""
    plain = dump(report)
    for row in plain["rows"]:
        for cell in row["cells"].values():
            cell["owed"] = cell["planned"] - cell["graded"] - cell["faulted"]
    return {"schema": SCHEMA, "attempts": _attempts(report), **plain}


def _attempts(report: Report) -> dict[str, int]:
    """How many attempts of all conditions together are where."""
    scores = [condition.raw for condition in report.conditions]
    return {
        "planned": sum(score.planned for score in scores),
        "graded": sum(score.graded for score in scores),
        "resolved": sum(score.resolved for score in scores),
        "faulted": sum(sum(c.faulted.values()) for c in report.conditions),
        "owed": sum(c.owed for c in report.conditions),
    }
