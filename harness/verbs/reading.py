"""Results of others as they can be read, and what they are said to be out of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.experiment import NO_MODEL, Experiment, part
from harness.registry import Later, build
from harness.types import Part
from harness.verbs.loading import load, tell
from results.exchange import IMPORTS
from results.exchange.imported import (
    UNDECLARED,
    Declaration,
    Imported,
    Taken,
    judged,
    repo,
    taken,
)
from results.exchange.sniff import format_of
from results.manifest import NAME, Declared
from results.provenance import provenance
from results.systems import Source
from tasks import SOURCES
from tasks.swebench_pro import load as pro
from tasks.swebench_pro import row

hub = Later("tasks.hub")  # its client takes a second to import, and pulls half of the world in

SHOWN = 2
AUTO = "auto"
IDS = "ids"
"""A source that only declares: the ids of a list, with no grader."""


def read(path: Path, format_: str = AUTO) -> Imported:
    """A file or folder of results, in the format that is named or that it is in.

    For a source that has patches and no verdicts, the knob `verdicts` names a file that has them.
    """
    wanted = part(format_)
    knobs = {knob: str(value) for knob, value in wanted.knobs.items()}
    verdicts = knobs.pop("verdicts", "")
    wanted = Part(format_of(path) if wanted.name == AUTO else wanted.name, knobs)
    if wanted.name == "inspect" and find_spec("inspect_ai") is None:
        raise UsageError(
            f"{path}: Inspect's logs are read by inspect_ai; pip install 'harness[inspect]'"
        )
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    found: Imported = build("format", wanted, IMPORTS).read(path)
    return judged(found, read(Path(verdicts).expanduser())) if verdicts else found


def declared(text: str) -> Declaration | None:
    """The tasks that results are out of. None where no source is named.

    Of `swebench-pro` every row counts, gradable here or not, since somebody else has graded it;
    so it needs no scripts of the evaluator. `ids,file=F` declares the ids of any list.
    """
    if not text:
        return None
    source = part(text)
    if source.name in ("swebench-pro", IDS):
        return _rows(source)
    loaded = load(Experiment(source, (NO_MODEL,), (Part("nop"),)))
    tasks = {str(task.id): Declared(task.origin, task.facets) for task in loaded.tasks.values()}
    return Declaration(tasks, loaded.left_out)


def sources(paths: Sequence[Path], tasks: str = "") -> list[Source]:
    """Runs as they are, everything else as it can be read."""
    declaration = declared(tasks)
    found: list[Source] = []
    for path in paths:
        if any(path.resolve() == other.resolve() for other in paths if other is not path):
            raise UsageError(f"{path} is named twice; a run is not compared with itself")
        if (path / NAME).is_file():
            found.append(path)
        else:
            run = taken(read(path), declaration, provenance())
            say(run, path)
            found.append(run)
    return found


def _rows(source: Part) -> Declaration:
    file = str(source.knobs.get("file") or "")
    built: Any = None if source.name == IDS else build("task source", source, SOURCES)
    if built is None and not file:
        raise UsageError("--tasks ids,file=FILE takes a list of ids, or rows with an instance_id")
    if file:
        path = Path(file).expanduser()
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
        origin = f"{source.name}@sha256:{hashlib.sha256(data).hexdigest()[:12]}"
        rows = _listed(data) if path.suffix == ".txt" else pro.read_rows(path, data)
    else:
        rows = hub.fetch(pro.DATASET, built.revision, built.split)
        origin = f"{source.name}@{built.revision}"
    tasks: dict[str, Declared] = {}
    for number, raw in enumerate(rows, start=1):
        try:
            tasks[row.row_id(raw)] = Declared(origin, _facets(raw))
        except row.Unfit as why:
            raise UsageError(f"{file or pro.DATASET}: row {number}: {why}") from None
    if not tasks:
        raise UsageError(f"{file or pro.DATASET}: holds no id")
    return Declaration(tasks)


def _listed(data: bytes) -> list[dict[str, str]]:
    lines = data.decode(errors="replace").splitlines()
    return [{"instance_id": line.strip()} for line in lines if line.strip()]


def _facets(raw: Mapping[str, Any]) -> dict[str, str]:
    """What a task is grouped by: as for a task of its source, else what its id says."""
    facets = repo(row.row_id(raw))
    if isinstance(raw.get("repo"), str) and raw["repo"]:
        facets["repo"] = raw["repo"]
    return {**facets, "language": row.language(raw)} if "repo_language" in raw else facets


def say(run: Taken, path: Path) -> None:
    """What a number from this file is out of, and what of the file no number counts."""
    tasks = run.manifest.tasks
    if any(task.origin == UNDECLARED for task in tasks.values()):
        tell(f"{path}: out of the {len(tasks)} ids in it; --tasks says what it should be out of")
    if run.strange:
        named = ", ".join(run.strange[:SHOWN]) + (", ..." if len(run.strange) > SHOWN else "")
        tell(f"{path}: {len(run.strange)} ids are not declared and do not count: {named}")
    silent = len(set(tasks) - {record.attempt.task for record in run.records})
    if silent:
        tell(f"{path}: nothing is known of {silent} of {len(tasks)} declared tasks")
