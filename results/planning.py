"""What a study will take, before it starts: attempts, dollars, hours and disk.

Every number is from a pilot run, from what a person gives, or a bound that holds whatever is true.
Where none of these is there, it is None with the reason. What the study can tell is `detecting`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from harness.types import Attempt, Condition, Graded, Task
from results.manifest import Manifest
from results.stats.estimate import Question, Spread
from results.stats.scores import Array, as_scores, repeats, task_means, within
from results.store import RunStore
from results.table import History, cost, histories, measured, rows

From: TypeAlias = Literal["pilot", "given", "nothing"]
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """A quantity with its ends, or None and the reason. Never a guess."""

    value: float | None
    low: float | None = None
    high: float | None = None
    question: Question | None = None
    source: From = "nothing"
    reason: str = ""
    """Why `value` or its interval is None."""
    at_most: float | None = None
    """What holds whatever is not known: by arithmetic, or by the limits of the attempts, which
    count neither the making of boxes nor grading. None where nothing does."""

    def times(self, factor: float) -> Forecast:
        """The same in another unit."""
        value, low, high, most = (
            None if number is None else number * factor
            for number in (self.value, self.low, self.high, self.at_most)
        )
        return Forecast(value, low, high, self.question, self.source, self.reason, most)


@dataclass(frozen=True, slots=True)
class Prior:
    """What a person expects of the mean attempt."""

    low: float
    mid: float
    high: float


@dataclass(frozen=True, slots=True)
class Given:
    """What a person says beforehand. It goes over what a pilot says."""

    usd: Prior | None = None
    """Per attempt, like `seconds`."""
    seconds: Prior | None = None
    rate: float | None = None
    runs_correlation: float | None = None
    """Of two runs of one system, over tasks: 1 - f."""
    systems_correlation: float | None = None
    """Of two systems' true rates, over tasks."""


@dataclass(frozen=True, slots=True)
class Study:
    """What is to be run."""

    tasks: Sequence[Task]
    conditions: Sequence[Condition]
    repeats: int
    width: int
    usd_run: float | None = None
    design: Sequence[str] = ()
    """What the crossing of scaffold factors can tell, in sentences."""

    @property
    def attempts_each(self) -> int:
        """Of one condition."""
        return len(self.tasks) * self.repeats

    @property
    def attempts(self) -> int:
        return self.attempts_each * len(self.conditions)

    @property
    def repos(self) -> list[str]:
        """The repository of each task, empty where it names none."""
        return [task.facets.get("repo", "") for task in self.tasks]


@dataclass(frozen=True, slots=True)
class Pilot:
    """A run that has been made, as far as it tells what another will take."""

    name: str
    manifest: Manifest
    found: Mapping[Attempt, History]
    kept_bytes: int
    """Of ledger, traces and blobs."""

    def like(self, condition: Condition) -> str | None:
        """The digest of what it measured of this model and scaffold; None if none, or several.

        The kind of box may differ: `auto` is settled only when a run starts.
        """
        arms = self.manifest.conditions
        if condition.digest in arms:
            return condition.digest
        same = [d for d, arm in arms.items() if _who(arm.condition) == _who(condition)]
        return same[0] if len(same) == 1 else None

    def grades(self, digest: str) -> list[Graded]:
        of = [h for attempt, h in self.found.items() if attempt.condition == digest]
        return [history.graded for history in of if history.graded]

    def values(self, digest: str, value: Callable[[Graded], float]) -> Array:
        """Tasks x repeats of its own, NaN for no measurement."""
        return as_scores(measured(rows(self.manifest, self.found, digest), value))


@dataclass(frozen=True, slots=True)
class Taking:
    """What one condition will take."""

    label: str
    attempts: int
    usd: Forecast
    hours: Forecast
    """All its attempts one after another."""


@dataclass(frozen=True, slots=True)
class Disk:
    images: int
    """Distinct images to pull."""
    recipes: int
    """Distinct images to build."""
    image_bytes: Forecast
    result_bytes: Forecast


@dataclass(frozen=True, slots=True)
class Costs:
    """What the study will take."""

    conditions: tuple[Taking, ...]
    usd: Forecast
    hours: Forecast
    """By the clock on the wall, if as many attempts as the width says are always in flight."""
    disk: Disk
    notes: tuple[str, ...]


def pilot(folder: Path) -> Pilot:
    """A run's folder, read as a pilot; UsageError where it is none."""
    store = RunStore(folder)
    manifest = store.manifest()
    found = histories(store.records(), where=str(folder))
    kept = (folder / "ledger.jsonl", *(folder / "traces").glob("*"), *(folder / "blobs").rglob("*"))
    size = sum(path.stat().st_size for path in kept if path.is_file())
    return Pilot(folder.resolve().name, manifest, found, size)


def costs(study: Study, known: Pilot | None, given: Given) -> Costs:
    """Dollars, hours and bytes. The intervals of a pilot are for question B: its tasks are taken
    as a sample of issues like the planned ones."""
    each = tuple(_taking(study, condition, known, given) for condition in study.conditions)
    usd = _sum([one.usd for one in each], [one.label for one in each])
    hours = _sum([one.hours for one in each], [one.label for one in each])
    return Costs(
        conditions=each,
        usd=usd,
        hours=hours.times(1 / min(study.width, max(1, study.attempts))),
        disk=_disk(study, known),
        notes=tuple(_notes(study, known, usd)),
    )


def _taking(study: Study, condition: Condition, known: Pilot | None, given: Given) -> Taking:
    limits, attempts = condition.limits, study.attempts_each
    digest = known.like(condition) if known else None
    usd = _forecast(study, known, digest, _DOLLARS, given.usd)
    seconds = _forecast(study, known, digest, _SECONDS, given.seconds)
    return Taking(
        condition.label,
        attempts,
        _limited(usd, limits.usd, attempts),
        _limited(seconds, limits.seconds, attempts).times(1 / HOUR),
    )


@dataclass(frozen=True, slots=True)
class _Measure:
    flag: str
    untold: str
    of: Callable[[Graded], float]
    all_tries: Callable[[Sequence[History]], tuple[float | None, float | None]]
    """What every try took, and what the measurements took of it."""


def _usd(grade: Graded) -> float:
    return nan if grade.usage.usd is None else grade.usage.usd


def _seconds(grade: Graded) -> float:
    return grade.clocks.total or nan


def _bill(entries: Sequence[History]) -> tuple[float | None, float | None]:
    found = cost(entries, resolved=0)
    return found.usd_spent.value, found.usd.value


def _clock(entries: Sequence[History]) -> tuple[float | None, float | None]:
    found = cost(entries, resolved=0)
    return found.seconds_of_all_tries, found.clocks.total


_DOLLARS = _Measure("--usd-per-attempt", "made a call that has no price", _usd, _bill)
_SECONDS = _Measure("--seconds-per-attempt", "have no clock", _seconds, _clock)


def _forecast(
    study: Study, known: Pilot | None, digest: str | None, what: _Measure, prior: Prior | None
) -> Forecast:
    attempts = study.attempts_each
    if prior:
        ends = (prior.mid * attempts, prior.low * attempts, prior.high * attempts)
        return Forecast(*ends, source="given")
    if known is None:
        return Forecast(None, reason=f"nothing is known: name a --pilot, or give {what.flag}")
    if digest is None:
        reason = f"the pilot has not measured it, or under several limits; give {what.flag}"
        return Forecast(None, reason=reason)
    grades = known.grades(digest)
    untold = sum(np.isnan(what.of(grade)) for grade in grades)
    if untold:
        said = f"{untold} of {len(grades)} graded attempts of the pilot {what.untold}"
        return Forecast(None, reason=f"{said}; give {what.flag}")
    entries = [h for attempt, h in known.found.items() if attempt.condition == digest]
    spent, used = what.all_tries(entries)
    # Tries that faulted are on the bill too, and the study will have its own.
    grown = max(1.0, spent / used) if spent and used else 1.0
    table = known.values(digest, what.of)
    return predicted(table, len(study.tasks), study.repeats).times(grown)


def predicted(table: Array, tasks: int, times: int, *, level: float = 0.95) -> Forecast:
    """The total over new tasks, each attempted so often, from a pilot's tasks x repeats (B).

    A prediction interval: the pilot's mean is uncertain, and the new tasks are a draw as well.
    t on task means, its low end kept above zero.
    """
    table = table[repeats(table) > 0]
    means, n, size = task_means(table), len(table), tasks * times
    if n == 0:
        return Forecast(None, reason="the pilot has no graded attempt of it")
    mean = float(means.mean())
    if n < 2:
        return Forecast(mean * size, None, None, "B", "pilot", "an interval needs two tasks")
    seen, inside = float(means.var(ddof=1)), within(table)
    each = seen
    if len(inside):
        run = float(inside.mean())
        each = max(0.0, seen - run * float(np.mean(1 / repeats(table)))) + run / times
    se = sqrt(seen / n + each / tasks) if tasks else 0.0
    if se == 0:
        reason = "nothing varied in the pilot, and that makes no interval"
        return Forecast(mean * size, None, None, "B", "pilot", reason)
    low, high = Spread(mean, se, n - 1.0, n).interval(level)
    return Forecast(mean * size, max(0.0, low) * size, high * size, "B", "pilot")


def _limited(found: Forecast, limit: float | None, attempts: int) -> Forecast:
    if limit is None:
        return found
    numbers = (found.value, found.low, found.high, found.question, found.source, found.reason)
    return Forecast(*numbers, at_most=limit * attempts)


def _sum(parts: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
    """All conditions together: ends are added, since conditions share their tasks."""
    mosts = [part.at_most for part in parts]
    most = None if None in mosts else sum(number or 0.0 for number in mosts)
    untold = next((i for i, part in enumerate(parts) if part.value is None), None)
    if untold is not None:
        reason = parts[untold].reason
        if len(parts) > 1:
            reason = f"{labels[untold]}: {reason}"
        return Forecast(None, reason=reason, at_most=most)
    total = sum(part.value or 0.0 for part in parts)
    bare = next((part.reason for part in parts if part.low is None), "")
    first = parts[0]
    if any(part.low is None for part in parts):
        return Forecast(total, None, None, first.question, first.source, bare, most)
    low, high = (sum(getattr(part, end) for part in parts) for end in ("low", "high"))
    return Forecast(total, low, high, first.question, first.source, "", most)


def _disk(study: Study, known: Pilot | None) -> Disk:
    environments = [task.brief.environment for task in study.tasks]
    images = {e.image for e in environments if e.image}
    recipes = {e.recipe for e in environments if not e.image and e.recipe}
    reason = "the size of an image is not known before it is pulled"
    if recipes:
        reason = "the size of an image is not known before it is built"
        if images:
            reason = "the size of an image is not known before it is pulled or built"
    return Disk(len(images), len(recipes), Forecast(None, reason=reason), _kept(study, known))


def _kept(study: Study, known: Pilot | None) -> Forecast:
    if known is None:
        reason = "nothing is known: name a --pilot"
        return Forecast(None, reason=reason)
    if not known.found:
        return Forecast(None, reason="the pilot has no record of an attempt")
    reason = "the pilot's folder as a whole, which makes no interval"
    each = known.kept_bytes / len(known.found)
    return Forecast(each * study.attempts, None, None, None, "pilot", reason)


def _notes(study: Study, known: Pilot | None, usd: Forecast) -> list[str]:
    """What a reader of the numbers has to know."""
    said = []
    if known:
        here = set(filter(None, study.repos))
        there = {task.facets.get("repo", "") for task in known.manifest.tasks.values()}
        if here and len(here & there) < len(here):
            said.append(
                f"the pilot's tasks are of {len(here & there)} of the {len(here)} repositories "
                "planned; what the others take may differ, and no interval here says by how much"
            )
        ran = known.manifest.experiment.get("width")
        if isinstance(ran, int) and ran != study.width:
            said.append(
                f"the pilot ran {ran} attempts at a time, and this will run {study.width}; a "
                "busier machine or endpoint takes longer over each"
            )
        digests = [(c, known.like(c)) for c in study.conditions]
        arms = known.manifest.conditions
        if any(d and arms[d].condition.limits != c.limits for c, d in digests):
            said.append("the pilot had other limits per attempt than are planned")
    if study.usd_run is not None:
        said.append(_budget(study.usd_run, usd))
    return said


def _budget(usd_run: float, usd: Forecast) -> str:
    if usd.value is None:
        return f"whether the run's budget of ${usd_run:g} is enough is not known"
    if (usd.value if usd.high is None else usd.high) <= usd_run:
        return f"the run's budget of ${usd_run:g} is enough"
    if usd.value <= usd_run:
        return f"the run's budget of ${usd_run:g} is more likely enough than not"
    share = usd_run / usd.value
    return f"the run's budget of ${usd_run:g} pays for about {share:.0%} of the attempts"


def _who(condition: Condition) -> tuple[str, str]:
    return str(condition.model), str(condition.scaffold)
