"""What two figures can mean when only the totals of one of them, or of both, are public.

Two systems on the same tasks are told apart by the tasks on which they disagree. How many those
are was not published; so everything is worked out for each share that is plausible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, sqrt
from statistics import NormalDist
from typing import Literal, TypeAlias

from results.exchange.imported import UNDECLARED
from results.published.claims import Claim, Claims
from results.stats.paired import Pairs, mcnemar_exact, tango
from results.stats.power import Gap, runs_needed
from results.stats.proportion import wilson
from results.systems import System

DISAGREE = (0.1, 0.2, 0.3)
"""Shares of tasks that one of two systems solves alone: 10 to 30% among the public runs."""
NOISE = (0.2, 0.5)
"""Run-noise shares between which that of such tasks lies, as far as is known."""
ALPHA = 0.05
Word: TypeAlias = Literal["undecided", "depends", "differ"]
"""Depends: on how many issues the two disagree on. Undecided is not a tie."""
_NEARLY_ALL = 0.95
_ID_STARTS = "instance_"


@dataclass(frozen=True, slots=True)
class Figure:
    """One score by itself, with Wilson's interval for new issues (B)."""

    name: str
    rate: float
    low: float
    high: float
    solved: float
    tasks: int
    source: str
    date: str = ""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What follows if that share of the tasks was solved by one of the two alone."""

    share: float
    p: float
    """McNemar's exact test."""
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Versus:
    """Two figures, first minus second."""

    first: int
    """Which of the figures, from 0."""
    second: int
    difference: float
    issues: int | None
    """The difference in tasks; None where the two were measured on different tasks."""
    disagreements: tuple[Disagreement, ...]
    """Empty where the tasks are not the same."""
    low: float
    high: float
    """The interval at the middle share; where the tasks differ, that of independent samples."""
    reversed: tuple[float, float] | None
    """How often a rerun of both would print them in the other order, were the gap true."""
    runs: tuple[int, int] | None
    """Runs of each, on the same tasks, that would tell such a gap from luck (A; 80% power)."""
    word: Word


@dataclass(frozen=True, slots=True)
class Board:
    benchmark: str
    when: str
    figures: tuple[Figure, ...]
    pairs: tuple[Versus, ...]
    notes: tuple[str, ...]


_UNSEEN = (
    "no verdicts per issue are public for these figures, so no paired test can be made; p and the "
    "intervals are given for each share of issues on which the two may disagree"
)
_SCAFFOLDS = (
    "each maker used its own scaffold, limits and build of the grader: a difference is one of "
    "whole systems, and two builds of the grader alone have moved a score by 0.6 and 1.3 points"
)
_ONCE = "each figure is taken for one run: nothing is published of how far a rerun would be from it"


def board(facts: Claims) -> Board:
    """Every two of the published figures."""
    pairs = [_claimed(facts, i, j) for i, j in combinations(range(len(facts.claims)), 2)]
    figures = tuple(_figure(facts, claim) for claim in facts.claims)
    notes = (_UNSEEN, _SCAFFOLDS, _ONCE)
    return Board(facts.benchmark, facts.when, figures, tuple(pairs), notes)


def against(facts: Claims, own: Sequence[System]) -> Board:
    """Each system of one's own beside each published figure.

    Only a score of one run over (nearly) the same tasks is set against a figure as one over the
    same tasks; else they are two samples, and the wider interval says so.
    """
    measured = [system for system in own if system.score.rate.value is not None]
    figures = [_own(system) for system in measured]
    figures += [_figure(facts, claim) for claim in facts.claims]
    pairs = [
        _beside(facts, system, claim, (i, len(measured) + j))
        for i, system in enumerate(measured)
        for j, claim in enumerate(facts.claims)
        if same_tasks(facts, system)
    ]
    notes = [_UNSEEN, _SCAFFOLDS, _ONCE, *_shortfalls(facts, own)]
    return Board(facts.benchmark, facts.when, tuple(figures), tuple(pairs), tuple(notes))


def same_tasks(facts: Claims, system: System) -> bool:
    """Whether a system was measured on tasks of this benchmark, as far as can be told."""
    return bool(system.tasks) and all(
        task.origin.split("@")[0] == facts.origin
        or (task.origin == UNDECLARED and id_.startswith(_ID_STARTS))
        for id_, task in system.tasks.items()
    )


def _shortfalls(facts: Claims, own: Sequence[System]) -> list[str]:
    found = []
    for system in own:
        name, measured = system.label, system.score.rate.n
        if not measured:
            found.append(f"{name}: nothing of it has been graded")
        elif not same_tasks(facts, system):
            found.append(f"{name}: its tasks are not those of {facts.benchmark}; not compared")
        elif measured < _NEARLY_ALL * facts.tasks:
            found.append(
                f"{name}: measured on {measured} of {facts.tasks} tasks; which ones they are can "
                "move a score further than the interval says"
            )
    return found


def _figure(facts: Claims, claim: Claim) -> Figure:
    solved = facts.solved(claim)
    low, high = wilson(solved, facts.tasks)
    return Figure(claim.model, claim.rate, low, high, solved, facts.tasks, claim.source, claim.date)


def _own(system: System) -> Figure:
    rate = system.score.rate
    value, low, high = rate.value or 0.0, rate.low or 0.0, rate.high or 1.0
    return Figure(system.label, value, low, high, value * rate.n, rate.n, f"run {system.run}")


def _claimed(facts: Claims, i: int, j: int) -> Versus:
    one, other = facts.claims[i], facts.claims[j]
    solved = facts.solved(one), facts.solved(other)
    return _versus((i, j), (one.rate, other.rate), solved, facts.tasks)


def _beside(facts: Claims, system: System, claim: Claim, places: tuple[int, int]) -> Versus:
    score = system.score
    if system.repeats == 1 and score.graded >= _NEARLY_ALL * facts.tasks:
        theirs = round(claim.rate * score.graded)
        rates = score.resolved / score.graded, claim.rate
        return _versus(places, rates, (score.resolved, theirs), score.graded)
    return _apart(places, _own(system), _figure(facts, claim))


def _versus(
    places: tuple[int, int], rates: tuple[float, float], solved: tuple[int, int], tasks: int
) -> Versus:
    gap = solved[0] - solved[1]
    told = tuple(_if(share, gap, tasks) for share in DISAGREE if share * tasks >= abs(gap))
    ps = [each.p for each in told]
    middle = told[len(told) // 2] if told else _if(abs(gap) / tasks, gap, tasks)
    return Versus(
        *places,
        difference=rates[0] - rates[1],
        issues=gap,
        disagreements=told,
        low=middle.low,
        high=middle.high,
        reversed=_reversed(rates, tasks),
        runs=_runs(rates, tasks),
        word=_word(ps),
    )


def _word(ps: Sequence[float]) -> Word:
    if ps and min(ps) >= ALPHA:
        return "undecided"
    return "differ" if not ps or max(ps) < ALPHA else "depends"


def _if(share: float, gap: int, tasks: int) -> Disagreement:
    """With so many tasks solved by one alone, and so many more by the first."""
    alone = max(abs(gap), round(share * tasks))
    first = (alone + gap + 1) // 2
    table = Pairs(tasks - alone, first, first - gap, 0)
    found = tango(table)
    p = mcnemar_exact(table).p
    return Disagreement(share, 1.0 if p is None else p, found.low or 0.0, found.high or 0.0)


def _apart(places: tuple[int, int], one: Figure, other: Figure) -> Versus:
    """Two independent samples: Newcombe's interval from the two of Wilson (1998)."""
    difference = one.rate - other.rate
    low = difference - sqrt((one.rate - one.low) ** 2 + (other.high - other.rate) ** 2)
    high = difference + sqrt((one.high - one.rate) ** 2 + (other.rate - other.low) ** 2)
    word: Word = "differ" if low > 0 or high < 0 else "undecided"
    return Versus(*places, difference, None, (), low, high, None, None, word)


def _reversed(rates: tuple[float, float], tasks: int) -> tuple[float, float] | None:
    if rates[0] == rates[1]:
        return None
    least, most = (
        NormalDist().cdf(-abs(rates[0] - rates[1]) / sqrt(Gap(*rates, f).run_variance / tasks))
        for f in NOISE
    )
    return least, most


def _runs(rates: tuple[float, float], tasks: int) -> tuple[int, int] | None:
    if rates[0] == rates[1]:
        return None
    least, most = (ceil(runs_needed(Gap(*rates, f), tasks)) for f in NOISE)
    return least, most
