"""Whether a run is being written, and which attempts are under way in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.types import Attempt
from results.view.index import Index, Reading, stamp

MOST = 200


@dataclass(frozen=True, slots=True)
class Underway:
    """A try that has a trace and no record yet."""

    attempt: Attempt
    number: int


def is_written(index: Index) -> bool:
    """Whether some process has the run open for writing, as far as its pid file says."""
    try:
        pid = int(index.store.ledger.path.with_suffix(".pid").read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return False
    return True


def underway(index: Index, reading: Reading) -> Sequence[Underway]:
    """The tries that are being made now; none where nobody writes."""
    if not is_written(index):
        return ()
    folder = index.store.traces.folder
    names = _names(str(folder), stamp(folder)[1])
    found = []
    for name in names:
        id_, _, number = name.removesuffix(".jsonl").rpartition(".")
        attempt = index.attempt(id_)
        if attempt is None or not number.isdecimal():
            continue
        row = reading.row(attempt)
        if row.state in ("faulted", "owed") and int(number) > row.tried:
            found.append(Underway(attempt, int(number)))
        if len(found) >= MOST:
            break
    return sorted(found, key=lambda one: one.attempt)


@lru_cache(maxsize=4)
def _names(folder: str, changed: int) -> Sequence[str]:
    """The files of a folder; `changed` is when one came or went."""
    try:
        return tuple(entry.name for entry in os.scandir(folder) if entry.name.endswith(".jsonl"))
    except OSError:
        return ()
