"""`plan`: what a study takes and what it can tell, said before anything starts."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from math import inf, isfinite
from pathlib import Path

from harness import design
from harness.errors import UsageError
from harness.experiment import Experiment
from harness.verbs.assemble import scaffold
from harness.verbs.loading import load
from results.detecting import known, needed, smallest
from results.planning import Given, Pilot, Prior, Study, costs, pilot
from results.report.planned import Plan, as_text
from results.report.planned import as_json as plain
from results.simulating import Machines, simulated

ISSUES = 731
"""As many as SWE-Bench Pro's public set has: what a gap is asked of without an experiment."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person says beside the experiment, as typed."""

    pilot: Path | None = None
    usd_per_attempt: str = ""
    seconds_per_attempt: str = ""
    rate: float | None = None
    gap: float | None = None
    runs_correlation: float | None = None
    systems_correlation: float | None = None
    issues: int | None = None
    nodes: int | None = None
    boxes: int | None = None
    rpm: float | None = None
    tpm: float | None = None

    def machines(self, width: int) -> Machines | None:
        """What a simulation is asked of; None where none is."""
        asked = (self.nodes, self.boxes, self.rpm, self.tpm)
        if all(number is None for number in asked):
            return None
        for flag, limit in (("--rpm", self.rpm), ("--tpm", self.tpm)):
            if limit is not None and not 0 < limit < inf:
                raise UsageError(f"{flag} {limit:g}: it is above 0, or left out")
        return Machines(self.nodes or 1, self.boxes or width, self.rpm, self.tpm)

    def given(self) -> Given:
        """The same as values; UsageError for what can be nothing of the kind."""
        for flag, share in (
            ("--rate", self.rate),
            ("--runs-correlation", self.runs_correlation),
            ("--systems-correlation", self.systems_correlation),
        ):
            if share is not None and not 0 <= share <= 1:
                raise UsageError(f"{flag} {share:g}: it lies between 0 and 1, as in 0.67")
        return Given(
            _prior("--usd-per-attempt", self.usd_per_attempt),
            _prior("--seconds-per-attempt", self.seconds_per_attempt),
            self.rate,
            self.runs_correlation,
            self.systems_correlation,
        )

    def difference(self) -> float | None:
        """The gap as a share."""
        if self.gap is None:
            return None
        if not 0 < self.gap < 100:
            raise UsageError(f"--gap {self.gap:g}: it is in points, above 0 and below 100")
        if self.rate is not None and self.rate < self.gap / 100:
            raise UsageError(
                f"--gap {self.gap:g}: it is more than the better system solves; "
                f"--rate {self.rate:g} leaves at most {100 * self.rate:g}"
            )
        return self.gap / 100


def plan(experiment: Experiment | None, asked: Asked, *, as_json: bool) -> None:
    """Print what an experiment takes and can tell; without one, what a gap takes."""
    given, difference = asked.given(), asked.difference()
    if experiment is None and difference is None:
        raise UsageError(
            "say what is planned: an experiment file, --tasks --model --scaffold, or --gap POINTS"
        )
    if experiment is None and asked.pilot:
        raise UsageError("--pilot is for an experiment: name its file, or --tasks and the rest")
    if asked.issues is not None and (experiment or difference is None):
        raise UsageError("--issues goes with --gap alone; an experiment has its own tasks")
    made = pilot(asked.pilot) if asked.pilot else None
    machines = asked.machines(experiment.width if experiment else 1)
    if machines and not experiment:
        raise UsageError("--nodes, --boxes, --rpm and --tpm are for an experiment: name it too")
    study = _study(experiment) if experiment else None
    found = _made(study, made, given, difference, asked.issues or ISSUES)
    if study and machines:
        found = replace(found, timing=simulated(study, made, machines))
    _print(found, as_json=as_json)


def _made(
    study: Study | None, made: Pilot | None, given: Given, difference: float | None, issues: int
) -> Plan:
    what = known(study, made, given)
    if study is None:
        return Plan(what, needed=needed(difference, issues, (), what) if difference else None)
    tasks = len(study.tasks)
    return Plan(
        known=what,
        study=study,
        costs=costs(study, made, given),
        detectable=smallest(study, what),
        needed=needed(difference, tasks, (study.repeats,), what) if difference else None,
    )


def _study(experiment: Experiment) -> Study:
    """The experiment with its tasks loaded and its scaffolds tried; no box, no endpoint."""
    for condition in experiment.conditions:
        scaffold(condition.scaffold)
    tasks = list(load(experiment).tasks.values())
    if not tasks:
        raise UsageError("no task is left to plan for; see harness tasks list")
    return Study(
        tasks,
        experiment.conditions,
        experiment.repeats,
        experiment.width,
        experiment.usd_run,
        design.explained(experiment.factors, experiment.design),
    )


def _print(made: Plan, *, as_json: bool) -> None:
    print(json.dumps(plain(made), indent=1) if as_json else as_text(made))


def _prior(flag: str, text: str) -> Prior | None:
    """`LOW,MID,HIGH` as a person types it."""
    if not text:
        return None
    try:
        low, mid, high = map(float, text.split(","))
    except ValueError:
        raise UsageError(f"{flag} {text}: give LOW,MID,HIGH of the mean, as in 0.5,1,2") from None
    if not (0 <= low <= mid <= high and isfinite(high)):
        raise UsageError(f"{flag} {text}: LOW, MID and HIGH rise from 0, as in 0.5,1,2")
    return Prior(low, mid, high)
