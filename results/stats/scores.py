"""Verdicts as arrays, and the two variances that everything else is made of."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
Scores: TypeAlias = npt.NDArray[np.float64]
"""tasks x repeats: 1, 0, and NaN where there is no measurement. A single repeat is one column."""
Labels: TypeAlias = npt.NDArray[np.intp]
"""Which repository each task is of, as numbers from 0 without gaps."""


def as_scores(values: npt.ArrayLike) -> Scores:
    """Anything like a table of numbers, as tasks x repeats. ValueError for another shape."""
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim == 1:
        scores = scores[:, None]
    if scores.ndim != 2:
        raise ValueError(f"scores are tasks x repeats, not of shape {scores.shape}")
    return scores


def labels(names: npt.ArrayLike) -> Labels:
    """Names of repositories as numbers from 0 without gaps."""
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(np.intp).ravel()


def repeats(scores: Scores) -> npt.NDArray[np.intp]:
    """How often each task was measured."""
    return np.asarray(np.count_nonzero(~np.isnan(scores), axis=1), dtype=np.intp)


def task_means(scores: Scores) -> Array:
    """The share solved of each task; NaN for a task that was never measured."""
    counts = repeats(scores)
    return np.where(counts > 0, np.nansum(scores, axis=1) / np.maximum(counts, 1), np.nan)


def within(scores: Scores) -> Array:
    """The unbiased run variance c(R-c)/(R(R-1)) of each task that was measured twice or more."""
    counts = repeats(scores)
    kept = scores[counts > 1]
    return np.asarray(np.nanvar(kept, axis=1, ddof=1)) if len(kept) else np.empty(0)
