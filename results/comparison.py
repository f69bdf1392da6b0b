"""Systems compared on the tasks that they share: is the difference real, and what does it cost?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, compress
from math import isnan, nan
from typing import Literal, TypeAlias

import numpy as np

from harness.errors import UsageError
from results.crossing import Arm, Crossed, crossing
from results.difficulty import by_difficulty
from results.regrades import of_one_patch
from results.stats import differences
from results.stats.cost import drawn, marginal, per_solved, ratio_of_ratios, spent
from results.stats.differences import Paired, pair
from results.stats.equivalence import Word, equivalence, word
from results.stats.estimate import Estimate, PValue, nothing
from results.stats.many import RankSet, Simultaneous, contrast, holm, max_t, rank_sets
from results.stats.paired import Pairs, mcnemar_exact, mcnemar_midp, pairs, tango
from results.stats.scores import Array, as_scores, task_means
from results.stats.seeded import Random, generator
from results.systems import Source, System, systems

DRAWS = 2_000
"""Resamples behind each bootstrap interval."""
ALPHA = 0.05
ALIKE = 0.85
"""How far two systems' verdicts may correlate before they look like one set of patches."""
_MANY = 100
"""Tasks from which on that may be said."""
_NAMELESS = "not every task names its repository"
_Tables: TypeAlias = Sequence[Sequence[Sequence[float]]]
"""Of each system, over the same tasks, over repeats."""


@dataclass(frozen=True, slots=True)
class Differs:
    """How much two systems differ, first minus second, under each question."""

    rerun: Estimate
    new_issues: Estimate
    new_repos: Estimate
    p: PValue
    """For new issues: McNemar's mid-p with one repeat each, else the paired t test."""
    p_exact: PValue | None
    """McNemar's exact test, its conservative twin; with one repeat each."""
    p_flipped: PValue
    """For new issues without a formula: the signs of the tasks' differences, flipped."""
    p_alike: PValue
    """For reruns: were both equal on every single task, runs could be dealt to either."""
    p_repos: PValue
    """For new repositories: the signs of the repositories' differences, flipped."""
    pairs: Pairs | None
    """How the tasks came out under both, with one repeat each."""


@dataclass(frozen=True, slots=True)
class Costs:
    """On the tasks that both have measured."""

    first: Estimate
    """Per solved issue, failures included."""
    second: Estimate
    ratio: Estimate
    """How many times dearer a solved issue is under the first."""
    per_extra_solve: Estimate
    """What each issue costs that one of them solves beyond the other: the first, unless
    `extra_of` says that it is the second."""
    extra_of: Literal["first", "second"] = "first"


@dataclass(frozen=True, slots=True)
class Comparison:
    first: int
    """Which of the systems, from 0."""
    second: int
    shared: int
    """Tasks that both have measured: the denominator of everything here."""
    dropped: int
    """Tasks that only one of them has measured."""
    agreement: float | None
    """The share of those tasks with the same verdict, with one repeat each."""
    correlation: float | None
    """Of the two systems' verdicts over tasks; None where one of them does not vary."""
    difference: Differs
    together: Estimate
    """The difference with an interval that holds together with those of all other pairs."""
    costs: Costs
    p_holm: float | None
    """The p-value for new issues, adjusted for all comparisons made together."""
    word: Word | None
    """What may be said of the first; None where nothing can be tested."""
    smallest_margin: float | None
    """The least margin within which they would be equivalent; None where nothing varied."""

    @property
    def alike(self) -> bool:
        """Whether they agree more than two runs of one system are known to: one graded twice?"""
        return self.shared >= _MANY and (self.correlation or 0.0) > ALIKE


@dataclass(frozen=True, slots=True)
class Compared:
    systems: tuple[System, ...]
    pairs: tuple[Comparison, ...]
    together: Simultaneous
    """Every difference for new issues, with intervals that all hold at once."""
    ranks: tuple[RankSet, ...]
    """The ranks that these leave open to each system, all at once."""
    crossed: Crossed | None
    """How much is model and how much scaffold, where the systems are crossed."""
    difficulty_adjusted: tuple[Estimate, ...]
    """Of each system, its score had what is missing gone as tasks that the others found as hard."""
    margin: float
    seed: int
    level: float


def compare(
    sources: Sequence[Source], *, margin: float = 0.02, seed: int = 0, level: float = 0.95
) -> Compared:
    """Every pair among the conditions of these runs and files.

    UsageError where there is no pair, or where two runs mean different tasks by one id.
    """
    found = systems(sources, level=level)
    if len(found) < 2:
        raise UsageError("a comparison takes two conditions; name another run's folder as well")
    drafts = [
        _compared(i, j, (found[i], found[j]), seed=seed, level=level)
        for i, j in combinations(range(len(found)), 2)
    ]
    tested = [draft for draft, _ in drafts if draft.difference.p.p is not None]
    adjusted = holm([draft.difference.p.p or 0.0 for draft in tested])
    of = {(c.first, c.second): p for c, p in zip(tested, adjusted, strict=True)}
    tasks = list(dict.fromkeys(task for system in found for task in system.tasks))
    together = max_t(_means(found, tasks), rng=generator(seed), level=level)
    told = tuple(
        _told(_among(c, together, level), paired, of.get((c.first, c.second)), margin)
        for c, paired in drafts
    )
    return Compared(
        tuple(found),
        told,
        together,
        tuple(rank_sets(together, len(found))),
        _crossed(found, tasks, seed, level),
        by_difficulty([system.verdicts for system in found], level=level),
        margin,
        seed,
        level,
    )


def _means(found: Sequence[System], tasks: Sequence[str]) -> Array:
    """Tasks x systems, repeats averaged; NaN where a system did not measure a task."""
    tables = [[s.verdicts.get(task, [nan] * s.repeats) for task in tasks] for s in found]
    return np.stack([task_means(as_scores(table)) for table in tables], axis=1)


def _among(draft: Comparison, together: Simultaneous, level: float) -> Comparison:
    """The comparison with its interval among all of them."""
    held = contrast(together, draft.first, draft.second)
    value, n = draft.difference.new_issues.value, draft.shared
    if held is None:
        reason = "an interval among all pairs takes two shared tasks that do not all say the same"
        return replace(draft, together=Estimate(value, None, None, "B", "max-T", n, level, reason))
    low, high = (max(-1.0, min(1.0, end)) for end in held)
    return replace(draft, together=Estimate(value, low, high, "B", "max-T", n, level))


def _crossed(
    found: Sequence[System], tasks: Sequence[str], seed: int, level: float
) -> Crossed | None:
    arms = [
        Arm(s.condition, [s.verdicts.get(task, [nan] * s.repeats) for task in tasks]) for s in found
    ]
    repos = [
        next((r for s in found if task in s.tasks and (r := _repo(s, task))), "") for task in tasks
    ]
    return crossing(arms, repos, seed=seed, level=level)


def _compared(
    first: int, second: int, both: tuple[System, System], *, seed: int, level: float
) -> tuple[Comparison, Paired]:
    one, other = both
    tasks = [task for task in one.verdicts if task in other.verdicts]
    names = [_repo(one, task) or _repo(other, task) for task in tasks]
    tables = [[system.verdicts[task] for task in tasks] for system in both]
    bills = [[system.usd[task] for task in tasks] for system in both]
    paired = pair(tables[0], tables[1], names)
    once = one.repeats == other.repeats == 1
    differs = _differs(paired, once=once, level=level, rng=generator(seed))
    table = differs.pairs
    if one.regraded or other.regraded:
        differs = replace(differs, rerun=of_one_patch(differs.rerun))
    draft = Comparison(
        first=first,
        second=second,
        shared=len(paired.repos),
        dropped=paired.dropped,
        agreement=None if table is None else (table.both + table.neither) / table.n,
        correlation=differences.correlation(paired) if len(paired.repos) > 1 else None,
        difference=differs if all(names) else _nameless(differs),
        together=nothing("B", "max-T", "the pairs have not been looked at together"),
        costs=_costs(tables, bills, level=level, seed=seed),
        p_holm=None,
        word=None,
        smallest_margin=None,
    )
    return draft, paired


def _repo(system: System, task: str) -> str:
    return system.tasks[task].facets.get("repo", "")


def _differs(paired: Paired, *, once: bool, level: float, rng: Random) -> Differs:
    table = None
    if once and len(paired.repos):
        table = pairs(paired.first[:, 0], paired.second[:, 0])
    return Differs(
        rerun=differences.rerun(paired, level=level),
        new_issues=tango(table, level=level)
        if table
        else differences.new_issues(paired, level=level),
        new_repos=differences.new_repos(paired, level=level),
        p=mcnemar_midp(table) if table else differences.t_test(paired),
        p_exact=mcnemar_exact(table) if table else None,
        p_flipped=differences.flip_tasks(paired),
        p_alike=differences.shuffle_runs(paired),
        p_repos=differences.flip_repos(paired, rng=rng),
        pairs=table,
    )


def _nameless(found: Differs) -> Differs:
    """The same where tasks do not say which repository they are of: nothing can be said of C."""
    return replace(
        found,
        new_repos=nothing("C", "paired CR2", _NAMELESS),
        p_repos=PValue(None, "C", "repository sign-flip", 0, _NAMELESS),
    )


def _costs(tables: _Tables, bills: _Tables, *, level: float, seed: int) -> Costs:
    """On the tasks that both have measured; nothing where an attempt has no price."""
    if any(_unpriced(table, bill) for table, bill in zip(tables, bills, strict=True)):
        unpriced = nothing("B", "paired bootstrap", "an attempt made a call that has no price")
        return Costs(unpriced, unpriced, unpriced, unpriced)
    kept = [all(map(_measured, rows)) for rows in zip(*tables, strict=True)]
    one, other = (
        spent(list(compress(bill, kept)), list(compress(table, kept)))
        for table, bill in zip(tables, bills, strict=True)
    )
    rng, draws = generator(seed), drawn(one, other, seed=seed, draws=DRAWS)
    extra = marginal(other, one, rng=rng, draws=draws[::-1], level=level)
    swap = extra.value is not None
    return Costs(
        per_solved(one, level=level),
        per_solved(other, level=level),
        ratio_of_ratios(one, other, rng=rng, draws=draws, level=level),
        extra if swap else marginal(one, other, rng=rng, draws=draws, level=level),
        "second" if swap else "first",
    )


def _measured(repeats: Sequence[float]) -> bool:
    return not all(map(isnan, repeats))


def _unpriced(table: Sequence[Sequence[float]], bill: Sequence[Sequence[float]]) -> bool:
    """Whether some measurement has no cost."""
    cells = zip(chain.from_iterable(table), chain.from_iterable(bill), strict=True)
    return any(isnan(usd) and not isnan(verdict) for verdict, usd in cells)


def _told(draft: Comparison, paired: Paired, p_holm: float | None, margin: float) -> Comparison:
    """The comparison with the word for it, once all p-values are known."""
    spread = differences.spread(paired)
    if spread is None or p_holm is None:
        return draft
    if spread.se == 0:
        # Every task says the same: nothing shows how far the next may be from it.
        side: Word = "better" if spread.mean > 0 else "worse"
        return replace(draft, p_holm=p_holm, word=side if p_holm < ALPHA else "undecided")
    return replace(
        draft,
        p_holm=p_holm,
        word=word(spread, margin, p=p_holm),
        smallest_margin=equivalence(spread, margin).smallest_margin,
    )
