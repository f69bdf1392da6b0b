"""Scores corrected for their grader, from how the controls of a check were graded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from results import reliability
from results.quarantine import NAME
from results.reliability import Control, Entry, Table, flips_of
from results.stats.estimate import Estimate, nothing
from results.stats.flips import Errors, at_most, corrected, flip_rate
from results.stats.proportion import wilson
from results.stats.regrading import FlipChances, untold
from results.table import Figure, Score, Summary

METHOD = "Rogan-Gladen, Lang-Reiczigel"
NO_CHECK = "no check of these tasks was given: report DIR --quarantine CHECK"
NO_GRADINGS = "this check graded no control on a declared task"
USELESS = "the controls were graded no better than by chance"


@dataclass(frozen=True, slots=True)
class Grader:
    """What a check says of the grader, and each score without its mistakes."""

    tasks: int
    """Declared tasks of which both controls were graded."""
    false_negative: Estimate
    """The share of its gradings that a reference patch fails, over those tasks."""
    false_positive: Estimate
    """The share that an empty patch passes."""
    flip_rate: Estimate
    """Of controls graded twice or more: those with both verdicts."""
    flips_at_most: Figure
    """The flip chance that so many gradings without a flip leave open."""
    flip_chances: FlipChances
    """That a grading is not the usual one, by beta-binomial: of each control by `task/control`."""
    corrected: dict[str, Estimate] = field(default_factory=dict)
    """The raw score of each condition, by digest, corrected for both."""


def of_a_check(place: Path | None) -> Table | None:
    """The gradings beside a quarantine list, by the list or its folder; None where none was given.

    A list under another name was not written by a check, so nothing beside it belongs to it.
    """
    if place is None:
        return None
    if place.is_dir():
        return reliability.read(place)
    return reliability.read(place.parent) if place.name == NAME else Table({})


def grader(
    checked: Table | None,
    tasks: Iterable[str],
    summaries: Sequence[Summary],
    *,
    level: float = 0.95,
) -> Grader:
    """From the controls of the declared tasks alone. Each task counts once, however often graded.

    The correction takes the controls' mistakes to be those made on any patch of these tasks.
    """
    of = checked.tasks if checked else {}
    known = {t: of[t] for t in tasks if t in of and of[t].oracle.graded and of[t].nop.graded}
    entries = list(known.values())
    errors = _errors(entries)
    why = NO_CHECK if checked is None else NO_GRADINGS
    controls = [c for e in entries for c in (e.oracle, e.nop)]
    twice = [c for c in controls if c.graded > 1]
    flips = flip_rate(sum(c.flips for c in twice), len(twice), level=level)
    return Grader(
        len(entries),
        _rate(errors.good_failed, errors.good, why, level),
        _rate(errors.bad_passed, errors.bad, why, level),
        flips if entries else nothing("A", flips.method, why),
        _unseen(twice, why if not entries else flips.reason, level),
        flips_of(known, level=level) if entries else untold(why, level=level),
        {s.digest: _corrected(s.raw, errors, why, level) for s in summaries},
    )


def _errors(entries: Sequence[Entry]) -> Errors:
    return Errors(
        good_failed=sum(1 - e.oracle.resolved / e.oracle.graded for e in entries),
        good=len(entries),
        bad_passed=sum(e.nop.resolved / e.nop.graded for e in entries),
        bad=len(entries),
    )


def _rate(wrong: float, n: int, why: str, level: float) -> Estimate:
    if not n:
        return nothing("B", "wilson on task means", why)
    return Estimate(
        wrong / n, *wilson(wrong, n, level=level), "B", "wilson on task means", n, level
    )


def _unseen(twice: Sequence[Control], why: str, level: float) -> Figure:
    steady = [control.graded for control in twice if not control.flips]
    if not steady:
        return Figure(None, why or "every control that was graded twice flipped")
    return Figure(at_most(min(steady), level=level))


def _corrected(raw: Score, errors: Errors, why: str, level: float) -> Estimate:
    if raw.rate.value is None:
        return nothing("B", METHOD, raw.rate.reason)
    if not errors.good:
        return nothing("B", METHOD, why)
    n = raw.rate.n
    found = corrected(min(raw.rate.value * n, n), n, errors, level=level)
    if found is None:
        return nothing("B", METHOD, USELESS)
    return Estimate(found.value, *found.interval, "B", METHOD, n, level)
