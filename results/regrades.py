"""One patch graded again: repeats that say how steady the grader is, and nothing of the agent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.types import Condition
from results.manifest import Manifest
from results.stats.estimate import Estimate, nothing
from results.stats.flips import flip_rate
from results.stats.regrading import FlipChances, flip_chances, untold
from results.table import History, Rows

PREDICTIONS = "predictions"
"""The scaffold of a condition whose patches were made elsewhere: its repeats are regrades."""
ONE_PATCH = "the repeats are regrades of one patch: the system itself was not run again"
_ATTEMPTS = "every repeat is a new attempt with a patch of its own; only `grade --times K` regrades"


@dataclass(frozen=True, slots=True)
class Flip:
    """A task whose one patch was graded both ways."""

    task: str
    resolved: int
    graded: int


@dataclass(frozen=True, slots=True)
class Regrades:
    times: int
    """How often each patch was to be graded; 1 where repeats are attempts."""
    patches: int
    """Patches that were graded twice or more."""
    flipped: tuple[Flip, ...]
    rate: Estimate
    """The share of those patches that flipped; None, with the reason, where there are none."""
    chances: FlipChances
    """That a grading is not the usual one, by beta-binomial: of all, and of each by its task."""


def regraded(condition: Condition) -> bool:
    """Whether the repeats of this condition grade one patch again."""
    return condition.scaffold.name == PREDICTIONS


def regrades(manifest: Manifest, digest: str, entries: Rows, *, level: float = 0.95) -> Regrades:
    """How the gradings of each patch agree. A task without a patch has nothing to be graded."""
    arm = manifest.conditions[digest]
    if not regraded(arm.condition):
        return Regrades(1, 0, (), nothing("A", "wilson", _ATTEMPTS), untold(_ATTEMPTS, level=level))
    rows = [_row(task, row) for task, row in zip(manifest.tasks, entries, strict=True)]
    twice = [row for row in rows if row.graded > 1]
    flipped = tuple(row for row in twice if 0 < row.resolved < row.graded)
    rate = flip_rate(len(flipped), len(twice), level=level)
    chances = flip_chances({row.task: (row.resolved, row.graded) for row in twice}, level=level)
    return Regrades(arm.repeats, len(twice), flipped, rate, chances)


def _row(task: str, row: Sequence[History]) -> Flip:
    grades = [entry.graded for entry in row]
    real = [g.verdict.resolved for g in grades if g and g.verdict.reason != "not_submitted"]
    return Flip(task, sum(real), len(real))


def of_one_patch(rerun: Estimate) -> Estimate:
    """A score without the interval for reruns, which regrades cannot give."""
    return rerun if rerun.value is None else replace(rerun, low=None, high=None, reason=ONE_PATCH)
