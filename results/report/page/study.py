"""All conditions of the page side by side, on the tasks that they share: values, not yet drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from results.comparison import Compared, Comparison
from results.crossing import Crossed
from results.report.page.findings import ALIKE, ASSUMED_NOISE, Card
from results.stats.cost import on_frontier
from results.stats.many import RankSet, Simultaneous
from results.stats.power import Gap, repeats_needed, runs_needed
from results.stats.scores import Array, as_scores, task_means
from results.stats.seeded import generator
from results.systems import System


@dataclass(frozen=True, slots=True)
class Priced:
    """A condition's mean cost and score over shared tasks, and how they vary together."""

    system: int
    usd: float
    """Of one attempt."""
    solved: float
    region: tuple[tuple[float, float], ...]
    """The outline of the joint 95% region: costs and scores."""
    on_frontier: float
    """The chance that no other costs less and solves as much."""
    best: bool
    """Whether it is on the frontier as measured."""


@dataclass(frozen=True, slots=True)
class Study:
    compared: Compared
    together: Simultaneous
    """Every difference, with intervals that all hold at once."""
    ranks: tuple[RankSet, ...]
    shared: int
    """Tasks that all conditions have measured."""
    priced: tuple[Priced, ...]
    unpriced: str
    """Why there is no picture of costs, where there is none."""
    crossed: Crossed | None
    """How much is model and how much scaffold, where conditions are crossed."""

    def rival(self, system: int) -> Comparison | None:
        """The nearest other condition that cannot be told from this one."""
        near = [
            pair
            for pair in self.compared.pairs
            if system in (pair.first, pair.second) and pair.word in ("undecided", "equivalent")
        ]
        return min(near, key=lambda pair: abs(_difference(pair)), default=None)


def study(compared: Compared, cards: Sequence[Card]) -> Study:
    tasks = list(dict.fromkeys(task for system in compared.systems for task in system.tasks))
    means = np.stack([_means(system, tasks, costs=False) for system in compared.systems], axis=1)
    shared = ~np.isnan(means).any(axis=1)
    costs = np.stack([_means(system, tasks, costs=True) for system in compared.systems], axis=1)
    priced, unpriced = _priced(costs[shared], means[shared], compared.seed)
    return Study(
        compared=compared,
        together=compared.together,
        ranks=compared.ranks,
        shared=int(shared.sum()),
        priced=priced,
        unpriced=unpriced,
        crossed=compared.crossed,
    )


@dataclass(frozen=True, slots=True)
class Needed:
    """Repeats of each of two conditions that would tell them apart, 8 times of 10."""

    gap: float
    reruns: float
    """For the same issues, run again."""
    new_issues: float
    """For new issues of the same repositories; infinite where no number does."""
    assumed: bool
    """Whether the run noise was assumed, not measured."""


def needed(pair: Comparison, cards: Sequence[Card]) -> Needed | None:
    """What it would take to tell two conditions apart if they differ as they seem to."""
    both = cards[pair.first], cards[pair.second]
    rates = [card.summary.raw.rate.value for card in both]
    difference = _difference(pair)
    if rates[1] is None or difference == 0 or pair.shared < 2:
        return None
    known = [card.precision.noise.share for card in both if card.precision.noise]
    share = min(1.0, max(0.0, sum(known) / len(known))) if known else ASSUMED_NOISE
    second = rates[1] if 0 <= rates[1] + difference <= 1 else 1.0 - abs(difference)
    first = min(1.0, max(0.0, second + difference))
    gap = Gap(first, second, share, ALIKE)
    return Needed(
        abs(difference),
        runs_needed(gap, pair.shared),
        repeats_needed(gap, pair.shared),
        not known,
    )


def _difference(pair: Comparison) -> float:
    return pair.difference.new_issues.value or 0.0


def _means(system: System, tasks: Sequence[str], *, costs: bool) -> Array:
    """Of each task, over repeats that have a verdict."""
    table = system.usd if costs else system.verdicts
    blank = [nan] * system.repeats
    return task_means(as_scores([list(table.get(task, blank)) for task in tasks]))


def _priced(costs: Array, means: Array, seed: int) -> tuple[tuple[Priced, ...], str]:
    if len(means) < 2:
        return (), "it takes two tasks that every condition has measured"
    if np.isnan(costs).any():
        return (), "a graded attempt made a call that has no price"
    if not costs.any():
        return (), "nothing here has cost anything"
    chances = on_frontier(costs, means, rng=generator(seed))
    usd, solved = costs.mean(axis=0), means.mean(axis=0)
    return tuple(
        Priced(
            system=i,
            usd=float(usd[i]),
            solved=float(solved[i]),
            region=_region(costs[:, i], means[:, i]),
            on_frontier=chances[i],
            best=not _beaten(usd, solved, i),
        )
        for i in range(len(usd))
    ), ""


def _beaten(usd: Array, solved: Array, i: int) -> bool:
    as_good = (usd <= usd[i]) & (solved >= solved[i])
    return bool((as_good & ((usd < usd[i]) | (solved > solved[i]))).any())


def _region(cost: Array, solved: Array) -> tuple[tuple[float, float], ...]:
    """Where both means lie together with 95%, by the normal approximation; 36 points."""
    table = np.cov(cost, solved) / len(cost)
    values, vectors = np.linalg.eigh(table)
    # The 95% quantile of chi-square with two degrees of freedom.
    reach = np.sqrt(5.991 * np.maximum(values, 0.0))
    turn = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    x, y = vectors @ (reach[:, None] * circle)
    return tuple(zip((x + cost.mean()).tolist(), (y + solved.mean()).tolist(), strict=True))


def ordered(priced: Sequence[Priced]) -> list[Priced]:
    """The frontier as measured, cheapest first."""
    return sorted((one for one in priced if one.best), key=lambda one: one.usd)
