"""`check`: do the tasks measure anything? `oracle` must pass and `nop` must fail, every time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.experiment import CONTROLS, NO_MODEL, Experiment
from harness.types import Part, Task
from results import quarantine, reliability
from results.reliability import Source, Subject, Table
from results.store import RunStore
from tasks.local.folder import executable, files_of


def controls(experiment: Experiment, times: int) -> Experiment:
    """The experiment that runs both controls over the same tasks, so many times."""
    return replace(
        experiment,
        models=(NO_MODEL,),
        scaffolds=tuple(Part(name) for name in CONTROLS),
        repeats=times,
    )


def table(experiment: Experiment, tasks: Iterable[Task], store: RunStore) -> Table:
    """The reliability of these tasks, from the records of both controls."""
    names = {c.digest: c.scaffold.name for c in experiment.conditions}
    source = Source(names, str(experiment.sandbox), list(store.records()), store.fetch)
    return reliability.tabulate(map(_subject, tasks), source, experiment.repeats)


def publish(found: Table, folder: Path) -> None:
    """Write the table and the quarantine list beside the ledger.

    Tasks that an earlier check in this folder saw, and this one does not, keep their lines.
    """
    whole = found.over(reliability.read(folder))
    reliability.write(folder, whole)
    quarantine.write(folder, whole.unfit())


def as_json(found: Table, times: int) -> dict[str, Any]:
    return {
        "schema": "harness-check/1",
        "times": times,
        "tasks": {
            task: {
                "oracle": [entry.oracle.resolved, entry.oracle.graded],
                "nop": [entry.nop.resolved, entry.nop.graded],
                "faults": entry.oracle.faults + entry.nop.faults,
                "trouble": entry.trouble,
            }
            for task, entry in found.tasks.items()
        },
        "reliability": reliability.as_json(found),
    }


def _subject(task: Task) -> Subject:
    expected = {name: tuple(task.oracle.get(name, ())) for name in reliability.LISTS}
    return Subject(task.id, task.origin, fingerprint(task), expected)


def fingerprint(task: Task) -> str:
    """The sha256 of a task: what is asked, what it is judged by, and what its box is made from.

    Folders count by what they hold and not by where they lie: it is the same on every machine.
    """
    plain = asdict(task)
    del plain["origin"]
    environment, oracle = plain["brief"]["environment"], plain["oracle"]
    environment["recipe"] = _contents(environment["recipe"])
    for name in ("tests", "scripts"):
        if isinstance(oracle.get(name), str):
            oracle[name] = _contents(oracle[name])
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _contents(place: str) -> list[list[Any]]:
    """Names, modes and hashes of the files in a folder; nothing where it is no folder."""
    root = Path(place)
    if not place or not root.is_dir():
        return []
    return [
        [path.relative_to(root).as_posix(), executable(path), _sha256(path)]
        for path in files_of(root)
    ]


def _sha256(path: Path) -> str:
    data = path.read_bytes() if path.is_file() else b""
    return hashlib.sha256(data).hexdigest()
