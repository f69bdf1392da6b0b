"""`check`: do the tasks measure anything? `oracle` must pass and `nop` must fail, every time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.experiment import Experiment
from harness.types import Faulted, Graded, Part, Record
from harness.verbs.assemble import CONTROLS, NO_MODEL
from results.quarantine import write


@dataclass(slots=True)
class Line:
    """One task's controls: how often each was measured, and how often it resolved."""

    task: str
    resolved: dict[str, int]
    graded: dict[str, int]
    faults: int = 0

    def trouble(self, times: int) -> str:
        """Why this task cannot be trusted, or nothing."""
        if self.resolved["nop"]:
            return f"solved by doing nothing, {self.resolved['nop']} of {self.graded['nop']}"
        if self.graded["oracle"] < times or self.graded["nop"] < times:
            return f"not measured {times} times: {self.faults} faults"
        if self.resolved["oracle"] < times:
            return f"not solved by its reference patch, {self.resolved['oracle']} of {times}"
        return ""


def controls(experiment: Experiment, times: int) -> Experiment:
    """The experiment that runs both controls over the same tasks, so many times."""
    return replace(
        experiment,
        models=(NO_MODEL,),
        scaffolds=tuple(Part(name) for name in CONTROLS),
        repeats=times,
    )


def reliability(tasks: list[str], names: dict[str, str], records: list[Record]) -> list[Line]:
    """A line for each task, from the records of both controls; `names` is by condition digest."""
    lines = {
        task: Line(task, dict.fromkeys(CONTROLS, 0), dict.fromkeys(CONTROLS, 0)) for task in tasks
    }
    for record in records:
        line, name = lines.get(record.attempt.task), names.get(record.attempt.condition)
        if line is None or name is None:
            continue
        match record:
            case Graded(verdict=verdict):
                line.graded[name] += 1
                line.resolved[name] += verdict.resolved
            case Faulted():
                line.faults += 1
    return list(lines.values())


def quarantine(lines: list[Line], times: int, folder: Path) -> None:
    """Write down beside the ledger which tasks failed their controls, and why."""
    write(folder, {line.task: why for line in lines if (why := line.trouble(times))})


def as_json(lines: list[Line], times: int) -> dict[str, Any]:
    return {
        "schema": "harness-check/1",
        "times": times,
        "tasks": {
            line.task: {
                "oracle": [line.resolved["oracle"], line.graded["oracle"]],
                "nop": [line.resolved["nop"], line.graded["nop"]],
                "faults": line.faults,
                "trouble": line.trouble(times) or None,
            }
            for line in lines
        },
    }


def as_text(lines: list[Line], times: int) -> str:
    """A table: task, oracle, nop, and what is wrong."""
    width = max((len(line.task) for line in lines), default=4)
    width = min(width, 60)
    out = [f"{'task':{width}}  oracle    nop  faults"]
    for line in lines:
        oracle = f"{line.resolved['oracle']}/{line.graded['oracle']}"
        nop = f"{line.resolved['nop']}/{line.graded['nop']}"
        row = f"{line.task[:width]:{width}}  {oracle:>6}  {nop:>5}  {line.faults:>6}"
        out.append(f"{row}  {line.trouble(times)}".rstrip())
    bad = sum(bool(line.trouble(times)) for line in lines)
    out.append(
        f"{len(lines)} tasks, {bad} in quarantine; oracle must be {times}/{times}, nop 0/{times}"
    )
    return "\n".join(out)


def names(experiment: Experiment) -> dict[str, str]:
    return {c.digest: c.scaffold.name for c in experiment.conditions}
