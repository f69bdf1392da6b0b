"""Where a function crosses zero: `scipy.optimize` takes longer to import than a report takes."""

from __future__ import annotations

from collections.abc import Callable

STEPS = 60
"""Halvings: an interval of length 1 is then shorter than a float near it can say."""


def crossing(function: Callable[[float], float], low: float, high: float) -> float:
    """By halving; `function` has different signs at both ends, or is zero at one."""
    rising = function(low) < function(high)
    for _ in range(STEPS):
        middle = (low + high) / 2
        if (function(middle) < 0) == rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2
