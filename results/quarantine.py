"""The quarantine list of a run: tasks that the controls showed to be unfit, with the evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from harness.errors import UsageError
from results.blobs import publish

NAME = "quarantine.json"


def read(folder: Path) -> dict[str, str]:
    """Task ids with the reason of each; empty where a run has no list. A plain list also will do.

    UsageError for a file that is neither.
    """
    return _listed(folder / NAME) if (folder / NAME).exists() else {}


def of_another(place: Path) -> dict[str, str]:
    """The list that another run made, by its folder or by the file itself."""
    path = place / NAME if place.is_dir() else place
    if not path.exists():
        raise UsageError(f"{path}: no such quarantine list; `harness check` writes one")
    return _listed(path)


def _listed(path: Path) -> dict[str, str]:
    try:
        raw = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}; write it anew") from None
    if isinstance(raw, list) and all(isinstance(id_, str) for id_ in raw):
        return dict.fromkeys(raw, "")
    if isinstance(raw, dict) and all(isinstance(why, str) for why in raw.values()):
        return raw
    raise UsageError(f"{path} must be a list of task ids, or a map from task id to reason")


def write(folder: Path, reasons: Mapping[str, str]) -> None:
    """Publish the list as a whole; reports on this run then print both scores."""
    publish(folder / NAME, json.dumps(dict(reasons), indent=1).encode() + b"\n")
