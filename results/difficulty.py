"""Scores with missing verdicts, adjusted by what the other conditions say of the missing tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import TypeAlias

import numpy as np

from results.stats.difficulty import METHOD, NOBODY, adjusted, difficulty
from results.stats.estimate import Estimate, nothing
from results.stats.scores import Array, as_scores, task_means

_Verdicts: TypeAlias = Mapping[str, Sequence[float]]
"""Over repeats, by task."""


def by_difficulty(tables: Sequence[_Verdicts], *, level: float = 0.95) -> tuple[Estimate, ...]:
    """Of each condition, over all that it declares."""
    return tuple(
        _adjusted(own, [*tables[:i], *tables[i + 1 :]], level) for i, own in enumerate(tables)
    )


def _adjusted(own: _Verdicts, others: Sequence[_Verdicts], level: float) -> Estimate:
    if not own or not others:
        return nothing("B", METHOD, NOBODY)
    found = np.stack([_means(other, list(own)) for other in others], axis=1)
    return adjusted(_means(own, list(own)), difficulty(found), level=level)


def _means(table: _Verdicts, tasks: Sequence[str]) -> Array:
    rows = [table.get(task, (nan,)) for task in tasks]
    width = max(map(len, rows))
    padded = [[*row, *[nan] * (width - len(row))] for row in rows]
    return task_means(as_scores(padded))
