"""A crossed study: how much of its scores is model or scaffold, and what each factor does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import nan

import numpy as np

from harness.types import Condition
from results.regrades import regraded
from results.stats.components import (
    Component,
    components,
    score_share_errors,
    score_shares,
    verdict_shares,
)
from results.stats.factorial import Effect, effects
from results.stats.reliability import Design, Reliability, cheapest, reliability
from results.stats.scores import Array, as_scores
from results.stats.seeded import generator

MARGIN = 0.02
SCAFFOLDS = (1, 2, 3, 4, 6, 8)
REPEATS = (1, 2, 3, 5)


@dataclass(frozen=True, slots=True)
class Variance:
    """The components of a study of models x scaffolds, and both ways to share them out."""

    models: tuple[str, ...]
    scaffolds: tuple[str, ...]
    parts: Mapping[str, Component]
    score: Mapping[str, float | None]
    """Of the differences between scores: model, scaffold, their pairing. Run noise is not in it."""
    score_se: Mapping[str, float]
    """Jackknife errors of `score`; `all_scaffold` is scaffold and pairing together."""
    verdict: Mapping[str, float | None]
    """Of the variance of one verdict."""
    designs: tuple[Reliability, ...]
    """How reliably designs on as many tasks rank models: repeats and scaffolds varied."""
    cheapest: Reliability | None
    """The design of fewest attempts that reaches 0.9."""

    @property
    def all_scaffold(self) -> float | None:
        model = self.score.get("model")
        return None if model is None else 1 - model


@dataclass(frozen=True, slots=True)
class Crossed:
    factors: Mapping[str, tuple[str, ...]]
    """What was varied, each with its levels; `model` and `scaffold` are factors as well."""
    effects: tuple[Effect, ...]
    variance: Variance | None
    """None unless each of two models or more was run with each of two scaffolds or more."""
    reason: str
    """Why there is no `variance`."""
    seed: int


@dataclass(frozen=True, slots=True)
class Arm:
    """One condition with its verdicts, tasks x repeats, over the tasks of the study."""

    condition: Condition
    verdicts: Sequence[Sequence[float]]


def crossing(
    arms: Sequence[Arm], repos: Sequence[str], *, seed: int = 0, level: float = 0.95
) -> Crossed | None:
    """None where the conditions differ in nothing but the model, or in more than it and the
    scaffold, or are not crossed at all: pairs are then all that can be compared."""
    arms = [arm for arm in arms if not regraded(arm.condition)]
    shared = {(str(arm.condition.sandbox), arm.condition.limits) for arm in arms}
    if len(arms) < 2 or len(shared) > 1 or not repos:
        return None
    factors, at = _coordinates([arm.condition for arm in arms])
    if len({tuple(cell.values()) for cell in at}) < len(arms) or not factors.keys() - {"model"}:
        return None
    tables = [as_scores([list(row) for row in arm.verdicts]) for arm in arms]
    names = list(repos) if all(repos) else None
    found = effects(tables, at, names, margin=MARGIN, level=level)
    several = names if names and len(set(names)) > 1 else None
    variance, reason = _variance([arm.condition for arm in arms], tables, several, seed)
    if variance is None and not any(effect.new_issues.value is not None for effect in found):
        return None
    return Crossed(factors, found, variance, reason, seed)


def _coordinates(
    conditions: Sequence[Condition],
) -> tuple[dict[str, tuple[str, ...]], list[dict[str, str]]]:
    """The factors that vary, and where each condition stands. A knob that is not said is that of
    the scaffold itself."""
    rows = [
        {"model": str(c.model), "scaffold": c.scaffold.name}
        | {name: str(value) for name, value in c.scaffold.knobs.items()}
        for c in conditions
    ]
    names = list(dict.fromkeys(name for row in rows for name in row))
    whole = [{name: row.get(name, "(as preset)") for name in names} for row in rows]
    levels = {name: tuple(dict.fromkeys(row[name] for row in whole)) for name in names}
    varied = {name: of for name, of in levels.items() if len(of) > 1}
    return varied, [{name: row[name] for name in varied} for row in whole]


def _variance(
    conditions: Sequence[Condition], tables: Sequence[Array], repos: list[str] | None, seed: int
) -> tuple[Variance | None, str]:
    """The study as a full table of models and scaffolds; None, and why, where it is none."""
    models = list(dict.fromkeys(str(c.model) for c in conditions))
    scaffolds = list(dict.fromkeys(str(c.scaffold) for c in conditions))
    cells = {(str(c.model), str(c.scaffold)): i for i, c in enumerate(conditions)}
    if min(len(models), len(scaffolds)) < 2 or len(cells) < len(models) * len(scaffolds):
        return None, (
            "it takes two models or more, each run with the same two scaffolds or more, "
            "all else equal"
        )
    tasks, runs = len(tables[0]), max(table.shape[1] for table in tables)
    whole = np.full((tasks, len(models), len(scaffolds), runs), nan)
    for (m, model), (s, scaffold) in product(enumerate(models), enumerate(scaffolds)):
        table = tables[cells[model, scaffold]]
        whole[:, m, s, : table.shape[1]] = table
    if np.isnan(whole).all():
        return None, "nothing has been measured"
    parts = components(whole, repos, rng=generator(seed))
    sizes = [Design(tasks, r, s) for r, s in product(REPEATS, SCAFFOLDS[:4])]
    return Variance(
        tuple(models),
        tuple(scaffolds),
        parts,
        score_shares(parts),
        score_share_errors(whole, repos, rng=generator(seed)),
        verdict_shares(parts),
        tuple(reliability(parts, size) for size in sizes),
        cheapest(parts, (100, 200, 400, tasks), REPEATS, SCAFFOLDS),
    ), ""
