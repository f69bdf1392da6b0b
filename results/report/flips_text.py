"""How likely verdicts are to flip, in words: of all patches, and of those that did."""

from __future__ import annotations

from results.report.layout import clean, percent, span
from results.stats.regrading import Chance, FlipChances, sd_of_score

MOST = 20
"""How many patches that flipped are named."""


def sentence(found: FlipChances, tasks: int) -> str:
    """Of a score of so many tasks; nothing where no patch was graded twice."""
    moved = sd_of_score(found, tasks)
    if found.mean is None or moved is None:
        return ""
    steady = found.steady
    rest = "" if steady is None else f"; of a patch that did not flip {chance(steady)}"
    return (
        f"chance that a grading is not the usual one (beta-binomial): {percent(found.mean)}% "
        f"{span((found.low, found.high))}, which alone moves a score of {tasks} tasks by "
        f"{100 * moved:.1f} points (SD){rest}"
    )


def flipped(found: FlipChances) -> list[str]:
    """Each patch that got both verdicts, the likeliest to do so again first."""
    those = [(name, one) for name, one in found.each.items() if one.at_most is None]
    those.sort(key=lambda pair: -pair[1].value)
    named = [f"{clean(name)} {chance(one)}" for name, one in those[:MOST]]
    return [*named, f"and {len(those) - MOST} more"] if len(those) > MOST else named


def chance(found: Chance) -> str:
    return f"{percent(found.value)}% {span((found.low, found.high))}"
