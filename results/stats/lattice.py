"""Exact permutation tests: the distribution of a sum of independent whole numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from results.stats.scores import Array

FLOOR = 1e-12
"""Below this a p-value is the rounding of the transform, and is given as this."""


def tail(steps: Iterable[tuple[Mapping[int, float], int]], observed: int) -> float:
    """The chance that a sum is at least as far from zero as `observed`.

    Each step is a distribution over whole numbers, and how many terms have it. By the fast Fourier
    transform: every one of the permutations is counted, none is drawn.
    """
    parts = list(steps)
    reach = sum(times * max(map(abs, chances)) for chances, times in parts)
    size = 1 << (2 * reach + 1).bit_length()
    spectrum = np.ones(size // 2 + 1, dtype=np.complex128)
    for chances, times in parts:
        one = np.zeros(size)
        for value, chance in chances.items():
            one[value % size] += chance
        spectrum *= np.fft.rfft(one) ** times
    mass: Array = np.clip(np.fft.irfft(spectrum, size), 0.0, None)
    sums = np.arange(size)
    sums[sums > size // 2] -= size
    p = float(mass[np.abs(sums) >= abs(observed)].sum())
    return min(1.0, max(FLOOR, p))
