"""What each factor of a crossed study does to the score: main effects and pair interactions.

An effect is a contrast of cells, taken task by task and averaged: a main effect is the mean of the
cells at a level minus the mean of those at the first level; an interaction the mean of the cells
where two factors are both moved or both not, minus that of the cells where one is. Contrasts that
the design does not tell apart are found from the cells themselves, whatever the design was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf

import numpy as np

from results.stats.clusters import clustered, plain
from results.stats.equivalence import Word, word
from results.stats.estimate import Estimate, Spread, estimate, nothing
from results.stats.many import holm
from results.stats.scores import Array, labels, repeats, task_means, within

MOST = 60
"""More contrasts than this are not looked at one by one: interactions are then left out."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A contrast, as a share; `moved` says which factors, from which level to which."""

    moved: tuple[tuple[str, str, str], ...]
    rerun: Estimate
    new_issues: Estimate
    new_repos: Estimate
    p_holm: float | None
    """Paired t for new issues, adjusted for all effects of the study."""
    word: Word | None
    aliases: tuple[str, ...]
    """Effects that this design cannot tell from it."""
    dropped: int
    """Tasks that some cell of it has not measured."""

    @property
    def name(self) -> str:
        return " x ".join(factor for factor, _, _ in self.moved)


Cell = Mapping[str, str]
_Contrast = tuple[tuple[tuple[str, str, str], ...], Array]


def effects(
    cells: Sequence[Array],
    at: Sequence[Cell],
    repos: Sequence[str] | None,
    *,
    margin: float,
    level: float = 0.95,
) -> tuple[Effect, ...]:
    """Of cells (tasks x repeats each, the same tasks) and the level of each factor in each.

    Effects that are mixed with a main effect are None, with the reason: the study did not cross
    their factors.
    """
    contrasts = _contrasts(at)
    found, spreads = [], []
    for moved, weights in contrasts:
        aliases = [
            _spelt(other)
            for other, others in contrasts
            if {f for f, *_ in other} != {f for f, *_ in moved}
            and abs(float(weights @ others)) > 1e-9
        ]
        effect, spread = _effect(cells, moved, weights, repos, level)
        mixed = [name for name in aliases if " x " not in name]
        if mixed:
            reason = f"not crossed with {', '.join(mixed)}; compare the conditions themselves"
            effect, spread = _none(moved, reason), None
        found.append(replace(effect, aliases=tuple(aliases)))
        spreads.append(spread)
    return _judged(found, spreads, margin)


def _contrasts(at: Sequence[Cell]) -> list[_Contrast]:
    factors = {f: list(dict.fromkeys(cell[f] for cell in at)) for f in (at[0] if at else ())}
    moves = [(f, levels[0], other) for f, levels in factors.items() for other in levels[1:]]
    found: list[_Contrast] = [((move,), _main(at, move)) for move in moves]
    pairs = [(one, two) for one, two in combinations(moves, 2) if one[0] != two[0]]
    if len(moves) + len(pairs) <= MOST:
        found += [(pair, w) for pair in pairs if (w := _pair(at, *pair)) is not None]
    return found


def _main(at: Sequence[Cell], move: tuple[str, str, str]) -> Array:
    factor, base, other = move
    up = np.array([cell[factor] == other for cell in at], dtype=np.float64)
    down = np.array([cell[factor] == base for cell in at], dtype=np.float64)
    return np.asarray(up / np.sum(up) - down / np.sum(down))


def _pair(at: Sequence[Cell], one: tuple[str, str, str], two: tuple[str, str, str]) -> Array | None:
    """None where not all four combinations of the levels were run."""
    signs = []
    for cell in at:
        steps = [{base: -1.0, other: 1.0}.get(cell[f], 0.0) for f, base, other in (one, two)]
        signs.append((steps[0], steps[1]))
    if len({pair for pair in signs if 0.0 not in pair}) < 4:
        return None
    sign = np.array([a * b for a, b in signs])
    alike, unlike = (sign > 0).astype(np.float64), (sign < 0).astype(np.float64)
    return np.asarray(alike / np.sum(alike) - unlike / np.sum(unlike))


def _effect(
    cells: Sequence[Array],
    moved: tuple[tuple[str, str, str], ...],
    weights: Array,
    repos: Sequence[str] | None,
    level: float,
) -> tuple[Effect, Spread | None]:
    used = [(w, cells[k]) for k, w in enumerate(weights) if w]
    means = np.stack([task_means(cell) for _, cell in used], axis=1)
    kept = ~np.isnan(means).any(axis=1)
    values = means[kept] @ np.array([w for w, _ in used])
    spread = plain(values)
    if spread is None:
        return _none(moved, "fewer than two tasks were measured in every cell of it"), None
    issues = estimate(spread, "B", "t on contrasts of tasks", level=level)
    if repos is None:
        across = nothing("C", "CR2, Satterthwaite t", "not every task names its repository")
    else:
        groups = labels(np.asarray(repos)[kept])
        clusters = clustered(values, groups)
        across = (
            nothing("C", "CR2, Satterthwaite t", "it needs two repositories")
            if clusters is None
            else replace(
                estimate(clusters, "C", "CR2, Satterthwaite t", level=level),
                n=len(np.unique(groups)),
            )
        )
    again = _rerun([(w, cell[kept]) for w, cell in used], spread, level)
    dropped = int((~kept).sum())
    return Effect(moved, again, issues, across, None, None, (), dropped), spread


def _rerun(used: Sequence[tuple[float, Array]], spread: Spread, level: float) -> Estimate:
    variance, method = 0.0, "within-task variance"
    for weight, cell in used:
        inside = within(cell)
        if len(inside) == 0:
            reason = "run-to-run noise needs two repeats in every cell"
            return Estimate(spread.mean, None, None, "A", method, spread.n, level, reason)
        each = float(inside.mean() * np.sum(1 / repeats(cell))) / len(cell) ** 2
        variance += weight**2 * each
    found = Spread(spread.mean, float(np.sqrt(variance)), inf, spread.n)
    return estimate(found, "A", method, level=level)


def _none(moved: tuple[tuple[str, str, str], ...], reason: str) -> Effect:
    method = "contrast of cells"
    blank = (nothing("A", method, reason), nothing("B", method, reason))
    return Effect(moved, *blank, nothing("C", method, reason), None, None, (), 0)


def _judged(
    found: Sequence[Effect], spreads: Sequence[Spread | None], margin: float
) -> tuple[Effect, ...]:
    """With p-values adjusted for all effects, and the word for each."""
    tested = [i for i, spread in enumerate(spreads) if spread is not None and spread.se > 0]
    adjusted = holm([spread.p() for spread in (spreads[i] for i in tested) if spread])
    p = dict(zip(tested, adjusted, strict=True))
    return tuple(
        effect
        if (spread := spreads[i]) is None or i not in p
        else replace(effect, p_holm=p[i], word=word(spread, margin, p=p[i]))
        for i, effect in enumerate(found)
    )


def _spelt(moved: Sequence[tuple[str, str, str]]) -> str:
    return " x ".join(factor for factor, _, _ in moved)
