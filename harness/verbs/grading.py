"""`grade`: anyone's patches, graded like our own and out of the declared tasks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.experiment import PREDICTIONS, Experiment
from harness.types import Part, Submission, TaskId
from harness.verbs.assemble import Address, Assembly
from harness.verbs.loading import load, settle_sandbox, tell
from harness.verbs.running import Job, run_name
from tasks.predictions import Prediction, read

SHOWN = 5


def job(experiment: Experiment, predictions: Path, folder: Path, *, quiet: bool = False) -> Job:
    """The job of grading a file of predictions: a condition for each model (or prefix) in it.

    A declared task without a prediction counts as not resolved: the denominator is the declared
    set. A prediction for a task that is not declared is named, and not counted.
    """
    given = read(predictions)
    loaded = load(experiment)
    strange = sorted({p.instance_id for p in given} - set(loaded.tasks))
    if strange:
        shown = ", ".join(strange[:SHOWN]) + (", ..." if len(strange) > SHOWN else "")
        tell(f"{len(strange)} predictions are for no declared task and are not graded: {shown}")
    by_name: dict[str, dict[str, Prediction]] = {}
    for prediction in given:
        name = prediction.model or prediction.prefix or predictions.stem
        by_name.setdefault(name, {})[prediction.instance_id] = prediction
    missing = {name: set(loaded.tasks) - set(found) for name, found in by_name.items()}
    for name, ids in missing.items():
        if ids:
            tell(f"{name}: {len(ids)} of {len(loaded.tasks)} declared tasks have no prediction")
    settled = settle_sandbox(
        replace(
            experiment,
            models=tuple(Part(name) for name in by_name),
            scaffolds=(Part(PREDICTIONS, {"file": _mark(predictions)}),),
        )
    )
    named = {c.digest: by_name[c.model.name] for c in settled.conditions}
    submissions = {
        (TaskId(task), digest): Submission(prediction.patch)
        for digest, found in named.items()
        for task, prediction in found.items()
    }
    assembly = Assembly(settled, loaded, Address(), run_name(folder))
    return Job(settled, loaded, assembly, folder, quiet, submissions)


def _mark(path: Path) -> str:
    """What tells one file from another: a changed file of predictions is a new condition."""
    digest = hashlib.sha256()
    files: Sequence[Path] = [path] if path.is_file() else sorted(path.rglob("*.pred"))
    for file in files:
        digest.update(file.read_bytes())
    return f"{path.name}@{digest.hexdigest()[:12]}"
