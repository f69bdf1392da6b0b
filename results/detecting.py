"""What a design can tell, before it starts: the smallest difference, and what a gap takes.

Both systems are run equally often on the same tasks, two-sided at 5%, found 8 times of 10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import ceil, exp, inf, isinf, nan, sqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from results.planning import Forecast, From, Given, Pilot, Study
from results.stats.clusters import likeness, satterthwaite
from results.stats.differences import Paired, pair
from results.stats.estimate import Question, Spread
from results.stats.noise import run_noise
from results.stats.power import (
    Gap,
    detectable,
    power_new_issues,
    power_rerun,
    repeats_needed,
    runs_for_precision,
    runs_needed,
    tasks_needed,
)
from results.stats.scores import Array, task_means
from results.table import solved

Names: TypeAlias = npt.NDArray[np.str_]

LIKENESSES = (0.8, 0.9, 0.95)
"""How alike two systems' true rates may be, where nothing is known: each is shown."""
HARDEST = 0.5
"""The pass rate that takes most: where none is known, what it gives is enough for any."""
REPEATS = (1, 3, 5)
ENOUGH = 30
"""Tasks that a pilot must have measured under two systems to say how alike their true rates are."""
FOLDS = 40
"""Groups of the pilot's tasks that the jackknife leaves out in turn."""
ALPHA, POWER = 0.05, 0.8
STEADY = 0.005
"""The standard error of a score, under reruns, that a design is asked to reach."""
_NO_NOISE = (
    "how alike two runs of one system are is not known: give --runs-correlation, or a --pilot "
    "with repeats"
)
_NO_LIKENESS = (
    "how alike the two systems' true rates are is not known: give --systems-correlation, or a "
    f"--pilot of both with repeats on {ENOUGH} tasks or more"
)
_NO_REPOS = (
    "how much the difference varies between repositories is known only from a --pilot of both "
    f"systems on {ENOUGH} tasks or more of two or more repositories"
)
_NO_ENDS = "the pilot is too small for an interval"
_SAME = "the pilot cannot tell the two systems' true rates apart, so this is the least it can be"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of two systems that are to be told apart; None where nothing is."""

    rate: float | None = None
    noise: float | None = None
    """f, the run-noise share: 1 - the correlation of two runs."""
    likeness: float | None = None
    """The correlation of the two systems' true rates over tasks."""
    icc: float | None = None
    """How alike differences are within a repository."""
    given: tuple[str, ...] = ()
    """Which of these a person has said; the others are the pilot's."""
    without: tuple[Known, ...] = ()
    """The same without one group of the pilot's tasks after another: how sure the pilot is."""

    def source(self, name: str) -> From:
        if getattr(self, name) is None:
            return "nothing"
        return "given" if name in self.given else "pilot"

    def gap(self, difference: float, noise: float, likeness: float) -> Gap:
        """Two systems that differ so; around the hardest rate where none is known that has room."""
        if self.rate is None or self.rate < difference:
            return Gap(HARDEST + difference / 2, HARDEST - difference / 2, noise, likeness)
        return Gap(self.rate, self.rate - difference, noise, likeness)


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest true difference that comes out significant 8 times of 10, as a share."""

    rerun: Forecast
    new_issues: Forecast
    new_repos: Forecast
    if_alike: tuple[tuple[float, float], ...]
    """For B: likeness and difference, where the likeness is not known."""


@dataclass(frozen=True, slots=True)
class OnNew:
    """What a gap takes for new issues (B), if the systems are so alike."""

    likeness: float
    power: tuple[tuple[int, float], ...]
    """Repeats of each system on as many issues as there are, and the chance to find the gap."""
    issues: tuple[tuple[int, int], ...]
    """Repeats of each system, and the issues that they take."""
    repeats: int | None
    """On as many issues as there are; None: no number of repeats is enough."""


@dataclass(frozen=True, slots=True)
class Needed:
    gap: float
    issues: int
    reruns: Forecast
    """Repeats of each system on these issues (A)."""
    power: tuple[tuple[int, float], ...]
    """For A: repeats of each system, and the chance that the gap is found on these issues."""
    steady: int | None
    """Repeats after which one score repeats itself to within half a point (A, standard error)."""
    new_issues: tuple[OnNew, ...]
    reason: str
    """Why `new_issues` is empty."""
    issues_at_most: int
    """For B with one run of each, whatever else is true of two systems that are not opposed."""


def known(study: Study | None, pilot: Pilot | None, given: Given) -> Known:
    """What is given, or else what the pilot has measured of the planned conditions."""
    noise = None if given.runs_correlation is None else 1 - given.runs_correlation
    said = {"rate": given.rate, "noise": noise, "likeness": given.systems_correlation}
    names = tuple(name for name, number in said.items() if number is not None)
    found = Known(given.rate, noise, given.systems_correlation, given=names)
    if study is None or pilot is None:
        return found
    digests = [d for d in dict.fromkeys(map(pilot.like, study.conditions)) if d]
    tables = [pilot.values(digest, solved) for digest in digests]
    if not tables:
        return found
    names_of = [task.facets.get("repo", "") for task in pilot.manifest.tasks.values()]
    repos = np.asarray(names_of) if all(names_of) else None
    tasks = np.arange(len(names_of)) % FOLDS
    rest = [
        _with_pilot(
            found, [t[tasks != k] for t in tables], None if repos is None else repos[tasks != k]
        )
        for k in range(min(FOLDS, len(names_of)))
    ]
    return replace(_with_pilot(found, tables, repos), without=tuple(rest))


def _with_pilot(said: Known, tables: Sequence[Array], repos: Names | None) -> Known:
    """What is said, filled up with what verdicts tell, means over the pilot's conditions."""
    seen = [table for table in tables if not np.isnan(table).all()]
    noises = [min(1.0, max(0.0, n.share)) for n in map(run_noise, seen) if n]
    groups = np.zeros(len(tables[0])) if repos is None else repos
    pairs = [pair(one, other, groups) for one, other in combinations(seen, 2)]
    pairs = [one for one in pairs if len(one.repos) >= ENOUGH]
    alike = [r for r in map(_alike, pairs) if r is not None]
    icc = [i for i in map(_icc, pairs) if i is not None]
    return replace(
        said,
        rate=_first(said.rate, [float(np.nanmean(task_means(table))) for table in seen]),
        noise=_first(said.noise, noises),
        likeness=_first(said.likeness, alike),
        icc=None if repos is None else _first(None, icc),
    )


def smallest(study: Study, what: Known) -> Detectable:
    """What this design finds between two of its conditions, or one of them and a rival like it."""
    rerun = _judged("A", lambda one: _rerun(study, one), what, "noise")
    new = _judged("B", lambda one: _new_issues(study, one), what, "likeness")
    repos = _judged("C", lambda one: _new_repos(study, one), what, "icc")
    alike: tuple[tuple[float, float], ...] = ()
    if rerun.value is None:
        rerun = replace(rerun, reason=_NO_NOISE, at_most=_found(study, what, 1.0, 1.0))
        new = replace(new, reason=_NO_NOISE, at_most=_found(study, what, 0.0, 0.0))
    elif what.noise is not None and new.value is None:
        most = _found(study, what, what.noise, 0.0)
        new = replace(new, reason=_NO_LIKENESS, at_most=most)
        alike = tuple((r, _found(study, what, what.noise, r)) for r in LIKENESSES)
    if repos.value is None:
        repos = replace(repos, reason=_why_no_repos(study, what, new))
    return Detectable(rerun, new, repos, alike)


def _judged(
    question: Question, value: Callable[[Known], float | None], what: Known, rests_on: str
) -> Forecast:
    """A number with the interval that a pilot leaves it: the jackknife, on the logarithm."""
    whole = value(what)
    if whole is None:
        return Forecast(None, question=question)
    source = what.source(rests_on)
    if not what.without or source == "given":
        return Forecast(whole, question=question, source=source)
    if rests_on != "noise" and what.likeness == 1 and what.source("likeness") == "pilot":
        return Forecast(whole, None, None, question, source, _SAME)
    rest = np.array([nan if each is None else each for each in map(value, what.without)])
    n = len(rest)
    if n < 3 or whole == 0 or not np.all(rest > 0):
        return Forecast(whole, None, None, question, source, _NO_ENDS)
    logs = np.log(rest)
    se = sqrt((n - 1) / n * float(np.sum((logs - logs.mean()) ** 2)))
    reach = exp(Spread(0.0, se, inf, n).interval()[1])
    return Forecast(whole, whole / reach, whole * reach, question, source)


def _found(study: Study, what: Known, noise: float, likeness: float) -> float:
    # The same rate for both: what it is matters little, next to f.
    rate = HARDEST if what.rate is None else what.rate
    gap = Gap(rate, rate, noise, likeness)
    return detectable(gap, len(study.tasks), study.repeats, alpha=ALPHA, power=POWER)


def _rerun(study: Study, what: Known) -> float | None:
    # Of the same tasks, alike to 1 leaves run noise alone.
    return None if what.noise is None else _found(study, what, what.noise, 1.0)


def _new_issues(study: Study, what: Known) -> float | None:
    if what.noise is None or what.likeness is None:
        return None
    return _found(study, what, what.noise, what.likeness)


def _new_repos(study: Study, what: Known) -> float | None:
    """B's variance by the design effect of the planned repositories, and t for their number."""
    names, on_issues = study.repos, _new_issues(study, what)
    if not all(names) or len(set(names)) < 2 or what.icc is None or on_issues is None:
        return None
    sizes = np.unique(np.asarray(names), return_counts=True)[1].astype(np.float64)
    effect = 1 + (float(np.sum(sizes**2) / sizes.sum()) - 1) * what.icc
    few = Spread(0.0, 1.0, satterthwaite(sizes), len(sizes))
    many = Spread(0.0, 1.0, inf, len(sizes))
    return on_issues * sqrt(effect) * _reach(few) / _reach(many)


def _why_no_repos(study: Study, what: Known, new: Forecast) -> str:
    if not all(study.repos) or len(set(study.repos)) < 2:
        return "it takes tasks of two or more repositories, each naming its own"
    return _NO_REPOS if what.icc is None else new.reason


def needed(gap: float, issues: int, repeats: Sequence[int], what: Known) -> Needed:
    """Repeats, or issues, that tell two systems apart which truly differ by `gap` (a share)."""
    times = sorted({*REPEATS, *repeats})
    worst = ceil(tasks_needed(what.gap(gap, 0.0, 0.0), 1, alpha=ALPHA, power=POWER))
    if what.noise is None:
        most = _whole(_runs(replace(what, noise=1.0), gap, issues))
        reruns = Forecast(None, question="A", reason=_NO_NOISE, at_most=most)
        return Needed(gap, issues, reruns, (), None, (), _NO_NOISE, worst)
    noise = what.noise

    def runs(one: Known) -> float | None:
        return None if one.noise is None else _runs(one, gap, issues)

    reruns = _judged("A", runs, what, "noise")
    ends = (_whole(reruns.value), _whole(reruns.low), _whole(reruns.high))
    reruns = Forecast(*ends, "A", reruns.source, reruns.reason)
    alike = LIKENESSES if what.likeness is None else (what.likeness,)
    rows = tuple(_on_new(what.gap(gap, noise, r), issues, times) for r in alike)
    one = what.gap(gap, noise, 1.0)
    power = tuple((n, power_rerun(one, issues, n, alpha=ALPHA)) for n in times)
    steady = max(1, ceil(runs_for_precision(one.first, noise, issues, STEADY)))
    return Needed(gap, issues, reruns, power, steady, rows, "", worst)


def _runs(what: Known, gap: float, issues: int) -> float:
    one = what.gap(gap, what.noise or 0.0, 1.0)
    return runs_needed(one, issues, alpha=ALPHA, power=POWER)


def _whole(count: float | None) -> float | None:
    return None if count is None else float(max(1, ceil(count)))


def _on_new(gap: Gap, issues: int, times: Sequence[int]) -> OnNew:
    found = repeats_needed(gap, issues, alpha=ALPHA, power=POWER)
    takes = [(n, max(2, ceil(tasks_needed(gap, n, alpha=ALPHA, power=POWER)))) for n in times]
    power = tuple((n, power_new_issues(gap, issues, n, alpha=ALPHA)) for n in times)
    return OnNew(
        gap.correlation, power, tuple(takes), None if isinf(found) else max(1, ceil(found))
    )


def _reach(spread: Spread) -> float:
    return spread.quantile(1 - ALPHA / 2) + spread.quantile(POWER)


def _first(given: float | None, measured: Sequence[float]) -> float | None:
    """What is given, or else the mean of what was measured."""
    if given is not None or not measured:
        return given
    return sum(measured) / len(measured)


def _alike(paired: Paired) -> float | None:
    """The correlation of true rates: that of task means, without the run noise in them.

    None with one repeat, and where tasks do not differ by more than luck.
    """
    noises = [run_noise(table) for table in (paired.first, paired.second)]
    spreads = [noise.between for noise in noises if noise]
    if len(spreads) < 2 or min(spreads) <= 0:
        return None
    one, other = task_means(paired.first), task_means(paired.second)
    shared = float(np.cov(one, other)[0, 1])
    return min(1.0, max(-1.0, shared / sqrt(spreads[0] * spreads[1])))


def _icc(paired: Paired) -> float | None:
    found = likeness(paired.differences, paired.repos) if len(paired.repos) else None
    return max(0.0, found.icc) if found else None
