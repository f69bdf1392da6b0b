"""How far a run has come, in blocks: one task under every condition, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from harness.types import Attempt
from results.manifest import Manifest
from results.table import History


@dataclass(frozen=True, slots=True)
class Blocks:
    complete: int
    """Every condition has a measurement."""
    part: int
    """Some conditions have one."""
    none: int


def blocks(manifest: Manifest, found: Mapping[Attempt, History]) -> Blocks:
    """Of the repeats that all conditions are to make."""
    arms = manifest.conditions
    times = min((arm.repeats for arm in arms.values()), default=0)
    graded = Counter(
        (key.task, key.repeat)
        for key, history in found.items()
        if history.graded
        and key.condition in arms
        and key.task in manifest.tasks
        and key.repeat < times
    )
    complete = sum(count == len(arms) for count in graded.values())
    return Blocks(complete, len(graded) - complete, len(manifest.tasks) * times - len(graded))
