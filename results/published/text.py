"""Published figures for a terminal, and as plain JSON: `harness-published/1`."""

from __future__ import annotations

import textwrap
from typing import Any

from harness.codec import dump
from results.published.against import DISAGREE, Board, Versus
from results.report.layout import clean, grid, percent, span

SCHEMA = "harness-published/1"


def as_json(found: Board) -> dict[str, Any]:
    """Keys are added under one schema, never renamed or given another meaning."""
    plain: dict[str, Any] = dump(found)
    return {"schema": SCHEMA, **plain}


def as_text(found: Board, *, width: int = 100) -> str:
    title = f"{found.benchmark}: figures published in {found.when}"
    parts = [[title], _figures(found, width), _pairs(found, width)]
    notes = [*found.notes, _COLUMNS, *_sources(found)]
    parts.append([line for note in notes for line in _wrapped(note, width)])
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


_COLUMNS = (
    f"p: McNemar's exact test if the two disagree on {', '.join(percent(s) for s in DISAGREE)}% of "
    "the issues; interval: 95%, new issues of the same repositories (B), at the middle of these. "
    "Rerun: how often a rerun of both would print the other order, were the gap true, with a "
    "run-noise share f of 0.2 to 0.5; runs: of each system on the same issues, to tell such a gap "
    "from luck with 80% power (A). Undecided: p is 0.05 or more however often they disagree, which "
    "is not a tie; depends: on how often they do; differ: as these systems were run"
)


def _figures(found: Board, width: int) -> list[str]:
    head = ["", "%", "issues solved", "95%, B"]
    rows = [
        [
            f"#{i} {clean(each.name)}",
            percent(each.rate),
            f"{each.solved:.4g} of {each.tasks}",
            span((each.low, each.high)),
        ]
        for i, each in enumerate(found.figures, start=1)
    ]
    return grid(head, rows, width=width)


def _pairs(found: Board, width: int) -> list[str]:
    head = ["", "points", "issues", "p", "95%, B", "rerun %", "runs"]
    rows = [
        [
            f"#{each.first + 1} - #{each.second + 1}",
            f"{100 * each.difference:+.1f}",
            "-" if each.issues is None else f"{each.issues:+d}",
            _ps(each),
            f"[{100 * each.low:+.1f}, {100 * each.high:+.1f}]",
            _reruns(each),
            "-" if each.runs is None else f"{each.runs[0]}-{each.runs[1]}",
            each.word,
        ]
        for each in found.pairs
    ]
    return grid([*head, "verdict"], rows, width=width) if rows else []


def _ps(pair: Versus) -> str:
    return " ".join(_p(each.p) for each in pair.disagreements) or "-"


def _p(p: float) -> str:
    return f"{p:.2f}" if p >= 0.01 else f"{p:.0e}" if p < 0.001 else f"{p:.3f}"


def _reruns(pair: Versus) -> str:
    if pair.reversed is None:
        return "-"
    least, most = pair.reversed
    return f"{100 * least:.0f}-{100 * most:.0f}"


def _sources(found: Board) -> list[str]:
    return [
        f"{each.name} {percent(each.rate)}: {clean(each.source)} ({each.date})"
        for each in found.figures
        if each.date
    ]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="- ", subsequent_indent="  ")
