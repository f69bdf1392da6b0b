"""A part of a task set in place of the whole: drawn by difficulty, and what it says of the rest.

A probability sample within strata of like difficulty, and the difference estimator with the
correction for a finite population (Cochran 1977, chapters 5 and 7). On real runs it is worth 1.6
times as many issues drawn blindly, not more; anchors chosen by clustering have no error bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from results.stats.distributions import t_ppf
from results.stats.scores import Array

LEAST = 2
"""Tasks drawn of a stratum: with one its spread could not be known."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """What is drawn of tasks of like difficulty, and what was measured on it."""

    tasks: int
    """In the whole set."""
    expected: float
    """The mean over all of them of the rate that was expected of each."""
    measured: Array
    """Of those drawn and measured, the share solved."""
    foreseen: Array
    """Of the same, the rate that was expected."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The score on the whole set; None with the reason. The interval is for this one pass of it."""

    value: float | None
    low: float | None
    high: float | None
    drawn: int
    """How many tasks it rests on."""
    of: int
    worth: float | None = None
    """As many tasks drawn blindly, for each one drawn, would give as narrow an interval."""
    level: float = 0.95
    reason: str = ""


def strata(expected: npt.ArrayLike, count: int) -> npt.NDArray[np.intp]:
    """Which of `count` strata each task is in: equal shares in the order of what is expected of
    them, the hardest first. Tasks of which the same is expected keep their order."""
    values = np.asarray(expected, dtype=np.float64)
    place = np.empty(len(values), dtype=np.intp)
    place[np.argsort(values, kind="stable")] = np.arange(len(values))
    return place * count // max(1, len(values))


def shares(sizes: Sequence[int], size: int) -> list[int]:
    """How many to draw of each stratum: in proportion, by largest remainders, two or more of each.

    ValueError where so few are to be drawn that this cannot be.
    """
    least = [min(LEAST, n) for n in sizes]
    if not sum(least) <= size <= sum(sizes):
        raise ValueError(f"{size} of {sum(sizes)} tasks cannot be drawn from {len(sizes)} strata")
    wanted = [size * n / sum(sizes) for n in sizes]
    taken = [max(floor, int(w)) for floor, w in zip(least, wanted, strict=True)]
    while sum(taken) != size:
        step = 1 if sum(taken) < size else -1
        room = [
            k
            for k in range(len(sizes))
            if (taken[k] < sizes[k] if step > 0 else taken[k] > least[k])
        ]
        taken[max(room, key=lambda k: step * (wanted[k] - taken[k]))] += step
    return taken


def whole(parts: Sequence[Stratum], *, level: float = 0.95) -> Whole:
    """The difference estimator: what was expected of all, plus how far those drawn were from it.

    Right on average whatever was expected; the better that was, the narrower the interval. With
    t on Satterthwaite's degrees of freedom. None where a stratum has fewer than two measurements.
    """
    drawn, of = sum(len(part.measured) for part in parts), sum(part.tasks for part in parts)
    if any(len(part.measured) < min(LEAST, part.tasks) for part in parts):
        reason = "a stratum of the subset has fewer than two measured tasks"
        return Whole(None, None, None, drawn, of, level=level, reason=reason)
    value = sum(_share(p, of) * (p.expected + float(np.mean(_gaps(p)))) for p in parts)
    pieces = [_share(p, of) ** 2 * _variance(p) for p in parts]
    variance = sum(pieces)
    held = min(1.0, max(0.0, value))
    if variance == 0:
        reason = "nothing is left of the set" if drawn == of else "nothing varied"
        return Whole(held, None, None, drawn, of, level=level, reason=f"{reason}: no interval")
    freedom = sum(
        piece**2 / (len(p.measured) - 1) for piece, p in zip(pieces, parts, strict=True) if piece
    )
    reach = t_ppf((1 + level) / 2, variance**2 / freedom) * float(np.sqrt(variance))
    low, high = max(0.0, value - reach), min(1.0, value + reach)
    blind = _blind(parts, drawn, of)
    return Whole(held, low, high, drawn, of, blind / variance if blind else None, level)


def _gaps(part: Stratum) -> Array:
    return part.measured - part.foreseen


def _share(part: Stratum, of: int) -> float:
    return part.tasks / of


def _variance(part: Stratum) -> float:
    """Of the mean gap, less for the part of the stratum that has been seen."""
    n = len(part.measured)
    if n == part.tasks:
        return 0.0
    return (1 - n / part.tasks) * float(_gaps(part).var(ddof=1)) / n


def _blind(parts: Sequence[Stratum], drawn: int, of: int) -> float:
    """The variance that as many tasks drawn from the whole set at random would have left."""
    each = np.concatenate([np.full(len(p.measured), p.tasks / len(p.measured)) for p in parts]) / of
    scores = np.concatenate([p.measured for p in parts])
    mean = float(np.sum(each * scores))
    return (1 - drawn / of) * float(np.sum(each * (scores - mean) ** 2)) / max(1, drawn - 1)
