"""What missing verdicts leave of a score, in words: the bounds, and what each assumption makes."""

from __future__ import annotations

from results.report.layout import percent, span
from results.stats.estimate import Estimate
from results.stats.missing import with_missing
from results.stats.proportion import Interval
from results.table import Score


def sentence(score: Score, adjusted: Estimate) -> str:
    """Nothing where none is missing, or nothing is measured."""
    missing = score.planned - score.graded
    if not missing or not score.graded or score.bounds is None:
        return ""
    said = [
        f"{percent(score.bounds[0])}% as unsolved",
        f"{span(score.bounds)} whatever they are{_sure(score, adjusted.level)}",
        _adjusted(adjusted),
    ]
    measured = f"{percent(score.rate.value)}% of what was measured"
    return f"{missing} of {score.planned} attempts are missing: {measured}; {'; '.join(said)}"


def around(score: Score, level: float) -> Interval | None:
    """Imbens and Manski's interval around the bounds; None with repeats, which are not independent.

    None too where nothing was declared.
    """
    if score.planned != score.tasks:
        return None
    failed, missing = score.graded - score.resolved, score.planned - score.graded
    found = with_missing(score.resolved, failed, missing, level=level)
    return None if found is None else found.interval


def _sure(score: Score, level: float) -> str:
    found = around(score, level)
    return "" if found is None else f", at {level:.0%} {span(found)} (Imbens-Manski)"


def _adjusted(found: Estimate) -> str:
    if found.value is None:
        return f"not adjusted for difficulty: {found.reason}"
    left = f" ({found.reason})" if found.reason else ""
    ends = span((found.low, found.high))
    return f"{percent(found.value)}% {ends} if they go as others found tasks as hard{left}"
