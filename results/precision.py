"""How far a condition's score can be trusted: the questions beside B, and what one solve costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan

from harness.types import Graded
from results.manifest import Manifest
from results.regrades import ONE_PATCH, of_one_patch, regraded
from results.stats.cost import per_solved, spent
from results.stats.estimate import Estimate, nothing
from results.stats.noise import RunNoise, batch_ratio, cochran, run_noise
from results.stats.passk import PassK, pass_k
from results.stats.score import new_repos, rerun, rerun_totals
from results.table import History, Rows, measured, solved

MOST_K = 5
"""Up to which k pass@k is reported; and for all repeats."""

_NO_TOTALS = nothing("A", "t on run totals", ONE_PATCH)


@dataclass(frozen=True, slots=True)
class Precision:
    rerun: Estimate
    """A: would the same issues, run again, give this?"""
    rerun_totals: Estimate
    """A where whole repeats differ: wide, from their totals. None for regrades of one patch."""
    batch_ratio: float | None
    """The variance of the repeats' totals over what luck alone makes it."""
    new_repos: Estimate
    """C: would other repositories?"""
    noise: RunNoise | None
    """None with one repeat, or where every verdict is the same, or repeats are regrades."""
    batch_p: float | None
    """Of Cochran's Q: a small value says that whole repeats differed, as from a shared bad day."""
    pass_k: tuple[PassK, ...]
    usd_per_solved: Estimate
    seconds_per_solved: Estimate


def precision(manifest: Manifest, digest: str, entries: Rows, *, level: float = 0.95) -> Precision:
    """Of one condition, from its graded attempts alone.

    Regrades of one patch are no attempts: they say nothing of A, of run noise or of pass@k.
    """
    table = measured(entries, solved)
    of_all: list[History] = [history for row in entries for history in row]
    repeats = manifest.conditions[digest].repeats
    again = regraded(manifest.conditions[digest].condition)
    score = rerun(table, level=level)

    def cost(value: Callable[[Graded], float]) -> Estimate:
        return per_solved(spent(measured(entries, value), table), level=level)

    priced = all(
        history.graded is None or history.graded.usage.usd is not None for history in of_all
    )
    unpriced = nothing("B", "Fieller", "a graded attempt made a call that has no price")
    timed = any(h.graded and h.graded.clocks.total for h in of_all)
    untimed = nothing("B", "Fieller", "no graded attempt counts a second")
    return Precision(
        rerun=of_one_patch(score) if again else score,
        rerun_totals=_NO_TOTALS if again else rerun_totals(table, level=level),
        batch_ratio=None if again or not manifest.tasks else batch_ratio(table),
        new_repos=_new_repos(manifest, table, level),
        noise=None if again else run_noise(table),
        batch_p=cochran(table).p if manifest.tasks and not again else None,
        pass_k=tuple(pass_k(table, k, level=level) for k in _ks(1 if again else repeats)),
        usd_per_solved=cost(_usd) if priced else unpriced,
        seconds_per_solved=cost(_seconds) if timed else untimed,
    )


def _seconds(grade: Graded) -> float:
    return grade.clocks.total


def _new_repos(manifest: Manifest, table: list[list[float]], level: float) -> Estimate:
    names = [task.facets.get("repo", "") for task in manifest.tasks.values()]
    if not all(names):
        return nothing("C", "CR2, Satterthwaite t", "not every task names its repository")
    return new_repos(table, names, level=level)


def _usd(grade: Graded) -> float:
    return nan if grade.usage.usd is None else grade.usage.usd


def _ks(repeats: int) -> list[int]:
    if repeats < 2:
        return []
    return sorted({*range(1, min(repeats, MOST_K) + 1), repeats})
