"""Whether the comparison that a run is for is decided yet, at the end of a block.

First for new issues (B), over one pass of tasks in their random order: a beta-mixture e-value for
"better", a confidence sequence for "equivalent". A second pass over the same tasks would break
that, so from then on the question is A, a rerun of these tasks, by a confidence sequence at the end
of each pass. Every one of these may be looked at as often as one likes.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import TypeAlias

import numpy as np

from harness.types import Attempt, TaskId
from results.manifest import Stop
from results.stats.proportion import clopper_pearson
from results.stats.scores import within
from results.stats.sequential import confidence_sequence, e_value

FEW = 20
"""Discordant pairs before which nothing is called futile."""
Verdicts: TypeAlias = Mapping[Attempt, bool]


@dataclass(frozen=True, slots=True)
class Question:
    """Two conditions, by their digests, and when what differs between them is known."""

    first: str
    second: str
    margin: float
    alpha: float
    tasks: Sequence[TaskId]
    """Of the first pass, in the order in which they are attempted."""
    repeats: int


def decided(asked: Question, verdicts: Verdicts, faulted: Container[Attempt]) -> Stop | None:
    """What may be said now and need not be taken back; None while nothing may."""
    pairs = list(_in_order(asked, verdicts, faulted))
    if not _first_pass_is_over(asked, verdicts, faulted):
        return _on_new_issues(asked, pairs)
    return _on_new_issues(asked, pairs) or _on_reruns(asked, verdicts)


def _in_order(
    asked: Question, verdicts: Verdicts, faulted: Container[Attempt]
) -> Iterable[tuple[bool, bool]]:
    """Pairs up to the first that is still under way: which are done first must not choose."""
    for task in asked.tasks:
        both = _both(asked, task, 0)
        if all(key in verdicts for key in both):
            yield verdicts[both[0]], verdicts[both[1]]
        elif not any(key in faulted for key in both):
            return


def _both(asked: Question, task: TaskId, repeat: int) -> tuple[Attempt, Attempt]:
    return Attempt(task, asked.first, repeat), Attempt(task, asked.second, repeat)


def _first_pass_is_over(asked: Question, verdicts: Verdicts, faulted: Container[Attempt]) -> bool:
    keys = (key for task in asked.tasks for key in _both(asked, task, 0))
    return all(key in verdicts or key in faulted for key in keys)


def _on_new_issues(asked: Question, pairs: Sequence[tuple[bool, bool]]) -> Stop | None:
    n = len(pairs)
    if n < 2:
        return None
    values = np.array([float(a) - float(b) for a, b in pairs])
    first, second = int((values > 0).sum()), int((values < 0).sum())
    e, mean = e_value(first, second), float(values.mean())
    sd = float(values.std(ddof=1))
    # Where nothing has varied yet, the largest standard deviation that there can be.
    reach = confidence_sequence(sd or 1.0, n, tuned_for=len(asked.tasks), alpha=asked.alpha)
    ends = max(-1.0, mean - reach), min(1.0, mean + reach)
    who, rule = (asked.first, asked.second), (asked.alpha, asked.margin)
    stop = Stop(*who, "futile", "B", mean, *ends, n, first, second, e, *rule)
    if e >= 1 / asked.alpha:
        return replace(stop, word="better" if first > second else "worse")
    if sd > 0 and abs(mean) + reach < asked.margin:
        return replace(stop, word="equivalent")
    if asked.repeats == 1 and _hopeless(asked, first, second, n):
        return stop
    return None


def _hopeless(asked: Question, first: int, second: int, n: int) -> bool:
    """Whether the rest of the pass is not enough, were the leader's share of discordant pairs at
    the favourable end of its interval, and two standard deviations of luck on top."""
    apart, left = first + second, len(asked.tasks) - n
    if apart < FEW or left <= 0:
        return False
    coming = left * apart / n
    for ahead, behind in ((first, second), (second, first)):
        share = clopper_pearson(ahead, apart)[1]
        luck = 2 * sqrt(coming * share * (1 - share))
        more = min(coming, coming * share + luck)
        if e_value(round(ahead + more), round(behind + coming - more)) >= 1 / asked.alpha:
            return False
    return True


def _on_reruns(asked: Question, verdicts: Verdicts) -> Stop | None:
    """At the end of whole passes alone, so that every task weighs the same."""
    passes = 0
    while passes < asked.repeats and _whole(asked, verdicts, passes):
        passes += 1
    kept = [
        task
        for task in asked.tasks
        if all(k in verdicts for r in range(passes) for k in _both(asked, task, r))
    ]
    if passes < 2 or len(kept) < 2:
        return None
    tables = [
        np.array([[float(verdicts[_both(asked, t, r)[side]]) for r in range(passes)] for t in kept])
        for side in (0, 1)
    ]
    variance = sum(float(within(table).mean()) for table in tables)
    if variance == 0:
        return None
    runs, planned = len(kept) * passes, len(kept) * asked.repeats
    mean = float(tables[0].mean() - tables[1].mean())
    reach = confidence_sequence(sqrt(variance), runs, tuned_for=planned, alpha=asked.alpha)
    ends = max(-1.0, mean - reach), min(1.0, mean + reach)
    who, rule = (asked.first, asked.second), (asked.alpha, asked.margin)
    stop = Stop(*who, "futile", "A", mean, *ends, runs, 0, 0, None, *rule)
    if abs(mean) > reach:
        return replace(stop, word="better" if mean > 0 else "worse")
    if abs(mean) + reach < asked.margin:
        return replace(stop, word="equivalent")
    at_end = confidence_sequence(sqrt(variance), planned, tuned_for=planned, alpha=asked.alpha)
    if passes < asked.repeats and abs(mean) + 2 * sqrt(variance / runs) < at_end:
        return stop
    return None


def _whole(asked: Question, verdicts: Verdicts, repeat: int) -> bool:
    """All but a few tasks have both: what faulted for good is left out, as everywhere."""
    both = sum(all(k in verdicts for k in _both(asked, t, repeat)) for t in asked.tasks)
    return both >= 0.9 * len(asked.tasks)
