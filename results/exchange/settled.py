"""What an export is made from: every declared attempt of a run, with its last word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.types import Attempt, Faulted, Graded, Record
from results.manifest import Arm, Declared, Manifest
from results.store import RunStore
from results.table import histories


@dataclass(frozen=True, slots=True)
class Written:
    """What an export has left on disk."""

    files: tuple[Path, ...]
    attempts: int
    """How many attempts are in them."""
    without: int = 0
    """Declared attempts that are not, as `why` says."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """A declared attempt; its record is None where it is owed."""

    attempt: Attempt
    arm: Arm
    task: Declared
    record: Record | None

    @property
    def patch(self) -> str | None:
        """The digest of its patch, where it came so far."""
        return self.record.blobs.get("patch") if self.record else None


def settled(store: RunStore) -> Iterator[Settled]:
    """Task by task: the grade of each attempt, else its last fault, else nothing."""
    manifest = store.manifest()
    found = histories(store.records(), where=str(store.ledger.path))
    for attempt in manifest.planned():
        history = found.get(attempt)
        record: Graded | Faulted | None = None
        if history is not None:
            record = history.graded or history.faults[-1]
        arm = manifest.conditions[attempt.condition]
        yield Settled(attempt, arm, manifest.tasks[attempt.task], record)


def names(manifest: Manifest) -> dict[str, str]:
    """What each condition goes by in other people's files: its label, told apart where need be."""
    labels = [arm.label for arm in manifest.conditions.values()]
    return {
        digest: arm.label if labels.count(arm.label) == 1 else f"{arm.label} [{digest}]"
        for digest, arm in manifest.conditions.items()
    }


def file_name(name: str) -> str:
    """A name as a file's: SWE-bench writes `/` as two underscores."""
    return re.sub(r"[^A-Za-z0-9._=+-]+", "_", name.replace("/", "__")).strip("_.")[:120]


def one_file(into: Path) -> Path:
    """A place for a single file, its folder made; UsageError where a folder is in the way."""
    if into.is_dir():
        raise UsageError(f"{into} is a folder; this format is one file: name it in full")
    into.parent.mkdir(parents=True, exist_ok=True)
    return into


def folder(into: Path) -> Path:
    if into.exists() and not into.is_dir():
        raise UsageError(f"{into} is a file; this export is several: name a folder")
    into.mkdir(parents=True, exist_ok=True)
    return into
