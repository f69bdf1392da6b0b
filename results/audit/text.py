"""The audit for a terminal: rates by condition, then the lines, those to look at first on top."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from results.audit.rules import SEVERITIES
from results.audit.scan import Audit, Mark, Read
from results.report.layout import clean, cut, grid, percent, span

SHOWN = 12
"""Lines of evidence for each rule, and sentences about what could not be read."""


def as_text(audit: Audit, *, width: int = 100, full: bool = False) -> str:
    """Every line of it fits in `width`, except that evidence is wrapped, never cut."""
    read = sum(condition.attempts for condition in audit.conditions)
    commands = sum(condition.commands for condition in audit.conditions)
    lines = [
        cut(f"audit of {clean(audit.name)}: {read} attempts read, {commands} commands", width),
        *_wrapped(
            "A mark points at a line that is worth reading. It does not say why the line was "
            "written, and what no rule knows is not marked.",
            width,
        ),
    ]
    for condition in audit.conditions:
        lines += ["", *_condition(condition, width)]
    for rule in audit.rules:
        marks = [mark for mark in audit.marks if mark.rule == rule]
        if marks:
            lines += ["", *_evidence(rule, audit.rules[rule], marks, width, full)]
    if audit.unread:
        lines += ["", "not read", *_some(audit.unread, width, full)]
    return "\n".join(lines) + "\n"


def _condition(condition: Read, width: int) -> list[str]:
    head = (
        f"{clean(condition.label)}: {condition.attempts} of {condition.planned} attempts read, "
        f"{condition.tasks} tasks, {condition.replies} replies, {condition.commands} commands"
    )
    lines = _wrapped(head, width)
    rows = [
        [
            tally.rule,
            tally.severity,
            str(tally.attempts),
            percent(tally.rate),
            span((tally.low, tally.high)),
            str(tally.succeeded),
            f"{tally.resolved}/{tally.graded}",
        ]
        for tally in condition.tallies
        if tally.attempts
    ]
    if rows:
        columns = ["points at", "", "attempts", "% of\ntasks", "95 %", "exit 0", "resolved"]
        lines += grid(columns, rows, width=width)
    silent = [tally.rule for tally in condition.tallies if not tally.attempts]
    if silent and condition.attempts:
        lines += _wrapped(f"no mark: {', '.join(silent)}", width)
    return lines


def _evidence(
    rule: str, points_at: str, marks: Sequence[Mark], width: int, full: bool
) -> Iterator[str]:
    assert marks[0].severity in SEVERITIES
    yield from _wrapped(f"{rule} ({marks[0].severity}): {points_at}", width)
    for mark in marks if full else marks[:SHOWN]:
        result = {None: "not graded", True: "resolved", False: "not resolved"}[mark.resolved]
        often = f", {mark.times} times" if mark.times > 1 else ""
        where = (
            f"try {mark.number}, event {mark.event}, {mark.seconds:.1f} s, {mark.outcome}{often}, "
            f"{result}"
        )
        yield from _wrapped(f"{mark.attempt}: {where}", width, "  ")
        yield from _wrapped(mark.line, width, "      ")
    if not full and len(marks) > SHOWN:
        yield f"  .. and {len(marks) - SHOWN} more lines"


def _some(sentences: Sequence[str], width: int, full: bool) -> Iterator[str]:
    for sentence in sentences if full else sentences[:SHOWN]:
        yield from _wrapped(clean(sentence), width, "  ")
    if not full and len(sentences) > SHOWN:
        yield f"  .. and {len(sentences) - SHOWN} more"


def _wrapped(text: str, width: int, lead: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=lead, subsequent_indent=lead + "  ", break_on_hyphens=False
    )
