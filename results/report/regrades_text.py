"""How steady the verdicts on patches are, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from results.regrades import Regrades
from results.report.flips_text import chance, sentence
from results.report.layout import clean, grid, percent, span

FLIPS = 20
"""How many tasks that flipped are named."""


def as_lines(found: Mapping[str, Regrades], keys: Mapping[str, str], width: int) -> list[str]:
    """A row for each condition whose patches were graded again, and the tasks that flipped."""
    again = {digest: regrades for digest, regrades in found.items() if regrades.times > 1}
    if not again:
        return []
    rows = [
        [
            keys[digest],
            str(one.times),
            str(one.patches),
            str(len(one.flipped)),
            f"{percent(one.rate.value)} {span((one.rate.low, one.rate.high))}",
        ]
        for digest, one in again.items()
    ]
    head = ["", "gradings of\neach patch", "graded\nagain", "flipped", "flip rate %"]
    lines = grid(head, rows, width=width)
    lines += _wrapped("flipped: one patch, graded again, got both verdicts; no pass@k", width)
    for digest, one in again.items():
        of = one.chances.each
        named = [
            f"{clean(f.task)} {f.resolved}/{f.graded} ({chance(of[f.task])})"
            for f in one.flipped[:FLIPS]
        ]
        more = len(one.flipped) - len(named)
        named += [f"and {more} more in report.json"] if more else []
        lines += _wrapped(f"{keys[digest]} flipped: {', '.join(named)}", width) if named else []
        said = sentence(one.chances, one.patches)
        lines += _wrapped(f"{keys[digest]} {said}", width) if said else []
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=" " * 4)
