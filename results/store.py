"""A run's folder as a store of records and an archive of evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from harness.api import Event, Pin, Trace
from harness.types import Attempt, Record
from results import share
from results.blobs import Blobs, publish
from results.ledger import Ledger
from results.manifest import Manifest, Stop, declare, stopped
from results.traces import Traces

VERDICTS = "verdicts"
"""The folder of verdicts by what they depend on, so that nothing is graded twice."""


class RunStore:
    """Implements Store and Archive. Whoever enters it is the one writer of its ledger.

    Reading needs no entering, and works while somebody else writes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.blobs = Blobs(folder / "blobs")
        self.traces = Traces(folder / "traces")

    def __enter__(self) -> Self:
        self.ledger.__enter__()
        return self

    def __exit__(self, *exit_: object) -> None:
        self.ledger.__exit__(*exit_)

    def manifest(self) -> Manifest:
        """What the run declares; UsageError where the folder is no run that can be read."""
        return Manifest.read(self.folder)

    def declare(self, call: Manifest) -> Manifest:
        """Grow the manifest by what a call asks for, and return all that is declared now."""
        return declare(self.folder, call)

    def pin(self, name: str, image: Pin) -> None:
        """Declare which image a name stands for, for as long as this run goes on."""
        self.manifest().pinned(name, image).write(self.folder)

    def stopped(self, stop: Stop) -> None:
        """Note that the run was ended since what it was for was decided."""
        stopped(self.folder, stop)

    def append(self, record: Record, /) -> None:
        self.ledger.append(record)

    def extend(self, records: Iterable[Record], /) -> None:
        self.ledger.extend(records)

    def records(self) -> Iterator[Record]:
        return self.ledger.records()

    @property
    def graded(self) -> Set[Attempt]:
        return self.ledger.graded

    def keys(self) -> Iterator[tuple[Attempt, str]]:
        return self.ledger.keys()

    def keep(self, data: bytes, /) -> str:
        return self.blobs.keep(data)

    def fetch(self, digest: str, /) -> bytes:
        if not self.blobs.has(digest) and (elsewhere := share.named(self.folder)):
            return elsewhere.fetch(digest)
        return self.blobs.fetch(digest)

    def recall(self, key: str, /) -> bytes | None:
        """What was remembered under a key: derived, so that nothing is lost with it."""
        try:
            return (self.folder / VERDICTS / key).read_bytes()
        except FileNotFoundError:
            return None

    def remember(self, key: str, data: bytes, /) -> None:
        (self.folder / VERDICTS).mkdir(exist_ok=True)
        publish(self.folder / VERDICTS / key, data)

    def tries(self, attempt: Attempt, /) -> int:
        return self.traces.tries(attempt)

    def events(self, attempt: Attempt, number: int, /) -> Iterator[Event]:
        return self.traces.events(attempt, number)

    def trace(self, attempt: Attempt, number: int, /) -> AbstractContextManager[Trace]:
        return self.traces.trace(attempt, number)
