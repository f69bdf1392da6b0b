"""A run that owes nothing and is asked for again: what its report said is said again.

The report of a settled run is kept beside the ledger, with the hash of all that it was made from:
the ledger, the manifest, the quarantine list, which traces there are, and our own code. It is
derived, and may be deleted.
Nothing here imports what only a run that owes something needs.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from harness.verbs.loading import Asked
from results.blobs import publish
from results.provenance import source_digest

NAME = "settled.json"
_MADE_FROM = ("run.json", "ledger.jsonl", "quarantine.json")
_REPORT = "report.json"


def state(folder: Path) -> str:
    """The hash of all that a run's report is made from."""
    whole = hashlib.sha256(source_digest().encode())
    for name in _MADE_FROM:
        path = folder / name
        whole.update(_sha256(path).encode() if path.exists() else b"-")
    traces = folder / "traces"
    for name in sorted(os.listdir(traces)) if traces.exists() else ():  # noqa: PTH208
        whole.update(os.fsencode(name) + b"/")
    return whole.hexdigest()


def keep(folder: Path, of: str, text: str) -> None:
    """Keep a settled run's report in words, made from the state `of`, as long as that lasts."""
    kept = {"of": of, "report": _sha256(folder / _REPORT), "text": text}
    publish(folder / NAME, json.dumps(kept).encode())


def told(asked: Asked, folder: Path, *, as_json: bool) -> bool:
    """Print the report of a run that has settled all that is asked; False where none is kept."""
    kept, report = _read(folder / NAME), folder / _REPORT
    if not kept or kept["of"] != state(folder) or not _declared(asked, folder):
        return False
    if not report.exists() or kept["report"] != _sha256(report):
        return False
    sys.stdout.write(report.read_text() if as_json else f"{kept['text']}\n")
    return True


def _declared(asked: Asked, folder: Path) -> bool:
    """Whether a run's manifest has all that is asked, so that it would not grow."""
    manifest, loaded = _read(folder / "run.json"), asked.loaded
    arms, tasks, left_out = manifest["conditions"], manifest["tasks"], manifest["left_out"]
    wanted = [condition.digest for condition in asked.experiment.conditions]
    return (
        all(d in arms and arms[d]["repeats"] >= asked.experiment.repeats for d in wanted)
        and all(t.id in tasks and tasks[t.id]["origin"] == t.origin for t in loaded.tasks.values())
        and all(id_ in tasks or left_out.get(id_) == why for id_, why in loaded.left_out.items())
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
