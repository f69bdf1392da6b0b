"""Many systems on the same tasks: which differences, and which ranks, survive all the looking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from results.stats.scores import Array
from results.stats.seeded import resampled

CHUNK = 500
"""Bootstrap draws that are held in memory at a time."""


def holm(p: Sequence[float]) -> list[float]:
    """P-values adjusted so that a false one among all is rare (Holm 1979), in the given order."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, so_far = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        so_far = max(so_far, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = so_far
    return adjusted


@dataclass(frozen=True, slots=True)
class Contrast:
    """System `first` minus system `second`, on the tasks that both have measured."""

    first: int
    second: int
    value: float
    low: float
    high: float
    p: float
    """Adjusted for all pairs."""
    n: int


@dataclass(frozen=True, slots=True)
class Simultaneous:
    critical: float | None
    """How many standard errors wide every interval is, in place of 1.96; None without any."""
    contrasts: tuple[Contrast, ...]
    left_out: tuple[tuple[int, int], ...]
    """Pairs that share fewer than two tasks, or never differ."""


def max_t(
    means: Array, *, rng: np.random.Generator, draws: int = 10_000, level: float = 0.95
) -> Simultaneous:
    """All pairs at once (Romano and Wolf 2005): B, from resampling whole tasks.

    `means` is tasks x systems, repeats averaged, NaN where a system did not measure a task. With
    probability `level` every interval holds.
    """
    every = list(combinations(range(means.shape[1]), 2))
    columns = np.stack([means[:, i] - means[:, j] for i, j in every], axis=1)
    usable = [k for k in range(len(every)) if _spread(columns[:, k]) > 0]
    left_out = tuple(every[k] for k in range(len(every)) if k not in usable)
    if not usable:
        return Simultaneous(None, (), left_out)
    table = columns[:, usable]
    value, se = np.nanmean(table, axis=0), np.array([_spread(column) for column in table.T])
    largest = _largest(table, value, rng, draws)
    critical = float(np.quantile(largest, level))
    contrasts = tuple(
        Contrast(
            *every[k],
            value=float(value[i]),
            low=float(value[i] - critical * se[i]),
            high=float(value[i] + critical * se[i]),
            p=float((np.sum(largest >= abs(value[i]) / se[i]) + 1) / (len(largest) + 1)),
            n=int(np.sum(~np.isnan(table[:, i]))),
        )
        for i, k in enumerate(usable)
    )
    return Simultaneous(critical, contrasts, left_out)


@dataclass(frozen=True, slots=True)
class RankSet:
    """Every rank that the data leave open to a system; 1 is best."""

    best: int
    worst: int


def rank_sets(found: Simultaneous, systems: int) -> list[RankSet]:
    """Ranks that hold together with the level of `found` (Mogstad et al. 2024).

    Bootstrap percentiles of ranks are no substitute: near ties they almost never cover.
    """
    better, worse = [0] * systems, [0] * systems
    for contrast in found.contrasts:
        if contrast.low > 0:
            better[contrast.second] += 1
            worse[contrast.first] += 1
        elif contrast.high < 0:
            better[contrast.first] += 1
            worse[contrast.second] += 1
    return [RankSet(1 + better[i], systems - worse[i]) for i in range(systems)]


def contrast(found: Simultaneous, first: int, second: int) -> tuple[float, float] | None:
    """The simultaneous interval of a difference, whichever way round it was made."""
    for one in found.contrasts:
        if (one.first, one.second) == (first, second):
            return one.low, one.high
        if (one.second, one.first) == (first, second):
            return -one.high, -one.low
    return None


def _spread(column: Array) -> float:
    kept = column[~np.isnan(column)]
    return float(kept.std(ddof=1) / np.sqrt(len(kept))) if len(kept) > 1 else 0.0


def _largest(table: Array, value: Array, rng: np.random.Generator, draws: int) -> Array:
    """The largest deviation among all pairs in its own draw's standard errors, for each draw."""
    there, n = (~np.isnan(table)).astype(float), len(table)
    filled, found = np.nan_to_num(table), []
    for _ in range(-(-draws // CHUNK)):
        weights = resampled(n, CHUNK, rng)
        counts = np.maximum(weights @ there, 2.0)
        means = (weights @ filled) / counts
        spread = np.maximum((weights @ filled**2) / counts - means**2, 0.0)
        errors = np.sqrt(spread / (counts - 1))
        # A draw in which a pair does not differ anywhere says nothing about that pair.
        apart = np.divide(np.abs(means - value), errors, out=np.zeros_like(means), where=errors > 0)
        found.append(apart.max(axis=1))
    return np.concatenate(found)[:draws]
