"""What the page shows of one condition, beyond the report: as values, before anything is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np

from harness.types import Attempt, Graded
from results.manifest import Manifest
from results.precision import Precision
from results.regrades import Regrades, regraded
from results.report.build import Report
from results.stats.clusters import likeness
from results.stats.estimate import Estimate
from results.stats.missing import WithMissing, with_missing
from results.stats.noise import share_interval
from results.stats.power import Gap, detectable
from results.stats.proportion import wilson
from results.stats.regrading import FlipChances
from results.stats.scores import as_scores, labels, task_means
from results.stats.subsets import Whole
from results.table import History, Summary, measured, rows, solved

ASSUMED_NOISE = 0.33
"""The run-noise share where one repeat tells nothing of it: a bound from runs of such tasks."""
ALIKE = 0.9
"""How alike two rivals' true rates over tasks are taken to be where a design is judged."""


@dataclass(frozen=True, slots=True)
class Steadiness:
    """Tasks by how their graded repeats came out."""

    always: int
    sometimes: int
    never: int
    unmeasured: int


@dataclass(frozen=True, slots=True)
class Repo:
    """One repository: the mean over its tasks, Wilson's interval, and the mean shrunken."""

    name: str
    tasks: int
    rate: float
    low: float
    high: float
    shrunken: float | None
    """Drawn towards the overall mean, the more the fewer tasks there are. None where unknown."""


@dataclass(frozen=True, slots=True)
class Split:
    """The variance of one verdict, as shares."""

    repo: float | None
    task: float
    run: float


@dataclass(frozen=True, slots=True)
class Card:
    """One condition, with all that its reliability card says of it alone."""

    run: str
    summary: Summary
    precision: Precision
    regrades: Regrades
    checked: FlipChances
    """Of the controls of a check of these tasks; None where no check is known."""
    corrected: Estimate
    """For the grader's own errors; None where no check is known."""
    whole_set: Whole | None
    """On all tasks of which these are a drawn subset; None where they are all."""
    missing: WithMissing | None
    """None with repeats, whose attempts are not independent."""
    steadiness: Steadiness
    noise_interval: tuple[float, float] | None
    split: Split | None
    repos: tuple[Repo, ...]
    failures_usd: float | None
    """The share of the cost that went to attempts which did not solve."""
    detectable: float | None
    """The smallest difference from a rival on new issues that this design finds 8 times of 10."""
    facts: Mapping[str, tuple[str, ...]]
    """What the records say of how they were made, each with its distinct values."""
    days: tuple[str, ...]
    """On which days attempts were settled, UTC."""


def card(
    manifest: Manifest,
    found: Mapping[Attempt, History],
    report: Report,
    summary: Summary,
) -> Card:
    """From the records of one condition, and what the report has made of them already."""
    precision = report.precision[summary.digest]
    level = summary.raw.rate.level
    table = measured(rows(manifest, found, summary.digest), solved)
    names = [task.facets.get("repo", "") for task in manifest.tasks.values()]
    grades = _grades(found, summary.digest)
    one_patch = regraded(summary.condition)
    return Card(
        run=report.name,
        summary=summary,
        precision=precision,
        regrades=report.regrades[summary.digest],
        checked=report.grader.flip_chances,
        corrected=report.grader.corrected[summary.digest],
        whole_set=report.whole_set.get(summary.digest),
        missing=_missing(summary, level),
        steadiness=steadiness(table),
        noise_interval=None
        if one_patch or precision.noise is None
        else share_interval(table, level=level),
        split=_split(precision, table, names),
        repos=by_repo(table, names, level=level),
        failures_usd=_failures(grades),
        detectable=_detectable(summary, precision),
        facts=_facts(grades),
        days=tuple(sorted({grade.at[:10] for grade in grades if grade.at})),
    )


def steadiness(table: Sequence[Sequence[float]]) -> Steadiness:
    kept = [[value for value in row if not isnan(value)] for row in table]
    always = sum(bool(row) and all(row) for row in kept)
    never = sum(bool(row) and not any(row) for row in kept)
    unmeasured = sum(not row for row in kept)
    return Steadiness(always, len(kept) - always - never - unmeasured, never, unmeasured)


def by_repo(
    table: Sequence[Sequence[float]], names: Sequence[str], *, level: float = 0.95
) -> tuple[Repo, ...]:
    """Largest repository first; empty where tasks do not name theirs, or there is only one.

    Shrunken by empirical Bayes: the weight of a repository's own mean is its reliability, n tasks
    of intraclass correlation icc having n icc / (1 + (n-1) icc).
    """
    means = task_means(as_scores(list(table)))
    there = ~np.isnan(means)
    means, kept = means[there], [n for n, ok in zip(names, there, strict=True) if ok]
    if not all(names) or len(set(kept)) < 2:
        return ()
    groups = labels(kept)
    alike, overall = likeness(means, groups), float(means.mean())
    found = []
    for group, name in enumerate(sorted(set(kept))):
        own = means[groups == group]
        n, rate = len(own), float(own.mean())
        icc = None if alike is None else min(1.0, max(0.0, alike.icc))
        weight = None if icc is None else n * icc / (1 + (n - 1) * icc)
        near = None if weight is None else overall + weight * (rate - overall)
        # A sum of thirds may be more than it should by a rounding error.
        total = min(float(own.sum()), float(n))
        found.append(Repo(name, n, rate, *wilson(total, n, level=level), near))
    return tuple(sorted(found, key=lambda repo: (-repo.tasks, repo.name)))


def _split(
    precision: Precision, table: Sequence[Sequence[float]], names: Sequence[str]
) -> Split | None:
    """From the run noise, and from how alike tasks of one repository are."""
    noise = precision.noise
    if noise is None:
        return None
    between, total = max(0.0, noise.between), noise.within + max(0.0, noise.between)
    means = task_means(as_scores(list(table)))
    there = ~np.isnan(means)
    kept = [n for n, ok in zip(names, there, strict=True) if ok]
    alike = likeness(means[there], labels(kept)) if all(names) and kept else None
    if alike is None:
        return Split(None, between / total, noise.within / total)
    spread = between + noise.within / noise.repeats
    repo = min(between, max(0.0, alike.icc) * spread)
    return Split(repo / total, (between - repo) / total, noise.within / total)


def _missing(summary: Summary, level: float) -> WithMissing | None:
    raw = summary.raw
    if summary.repeats > 1:
        return None
    failed = raw.graded - raw.resolved
    return with_missing(raw.resolved, failed, raw.planned - raw.graded, level=level)


def _detectable(summary: Summary, precision: Precision) -> float | None:
    rate = summary.raw.rate
    if rate.value is None or rate.n < 2:
        return None
    share = ASSUMED_NOISE if precision.noise is None else min(1.0, max(0.0, precision.noise.share))
    repeats = 1 if regraded(summary.condition) else summary.repeats
    gap = Gap(rate.value, rate.value, share, ALIKE)
    return detectable(gap, rate.n, repeats) or None


def _grades(found: Mapping[Attempt, History], digest: str) -> list[Graded]:
    return [h.graded for key, h in found.items() if h.graded and key.condition == digest]


def _failures(grades: Iterable[Graded]) -> float | None:
    costs = [(grade.verdict.resolved, grade.usage.usd) for grade in grades]
    total = sum(nan if usd is None else usd for _, usd in costs)
    if isnan(total) or total == 0:
        return None
    return sum(usd or 0.0 for resolved, usd in costs if not resolved) / total


def _facts(grades: Iterable[Graded]) -> dict[str, tuple[str, ...]]:
    """Facts that hold for many attempts; those that differ with every task are only counted."""
    found: dict[str, dict[str, None]] = {}
    for grade in grades:
        for key, value in grade.facts.items():
            found.setdefault(key, {})[str(value)] = None
    return {key: tuple(values) for key, values in sorted(found.items())}
