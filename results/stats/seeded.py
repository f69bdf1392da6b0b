"""Chance, from a seed that is printed beside what it made."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np

from results.stats.scores import Array

Random: TypeAlias = np.random.Generator


def generator(seed: int) -> Random:
    return np.random.default_rng(seed)


@lru_cache(maxsize=4)
def weights(n: int, draws: int, seed: int) -> Array:
    """The share of each of `n` tasks in each bootstrap sample: draws x tasks, made once for all
    pairs of systems that have as many tasks in common."""
    return resampled(n, draws, generator(seed)) / n


def resampled(n: int, draws: int, rng: Random) -> Array:
    """How often each of `n` tasks is in each bootstrap sample: draws x tasks."""
    # Counting drawn numbers is five times as fast as drawing the counts.
    picked = rng.integers(n, size=(draws, n)) + n * np.arange(draws)[:, None]
    counts = np.bincount(picked.ravel(), minlength=draws * n)
    return counts.reshape(draws, n).astype(np.float64)
