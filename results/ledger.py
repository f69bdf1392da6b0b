"""The ledger: one line for each settled try, appended and synced, never rewritten.

A line counts once its newline is on disk. A crash can leave an unterminated tail, which the
next writer cuts off. Any other damage is an error, found before anything is written.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Self

from harness.codec import decode, dump, encode
from harness.errors import UsageError
from harness.types import Attempt, Graded, Record, TaskId
from results.lines import Line, append, damage, sealed, sync, sync_folder


class Ledger:
    """One writer at a time, the one that entered it; any number of readers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid_path = path.with_suffix(".pid")
        self._descriptor = -1
        self._graded: set[Attempt] = set()

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o644)
        try:
            self._lock()
            os.ftruncate(self._descriptor, self._sealed_bytes())
            self._pid_path.write_text(f"{os.getpid()}\n")
            sync_folder(self.path.parent)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._pid_path.unlink()
        self._close()

    def append(self, record: Record, /) -> None:
        """Return only once `record` would survive a crash of the machine.

        ValueError, and nothing written, for what readers would refuse later: a second grade of
        one attempt, or a value that does not come back from its line.
        """
        self._add(record, wait=True)

    def extend(self, records: Iterable[Record], /) -> None:
        """The same for many that come at once, with one wait for the disk after the last."""
        for record in records:
            self._add(record, wait=False)
        sync(self._descriptor, self.path)

    def _add(self, record: Record, *, wait: bool) -> None:
        if self._descriptor < 0:
            raise ValueError(f"{self.path} is not open for writing; enter the ledger first")
        if isinstance(record, Graded) and record.attempt in self._graded:
            raise ValueError(f"attempt {record.attempt.id} has been graded already")
        line = _line(record)
        decode(line)
        append(self._descriptor, self.path, line, sync=wait)
        if isinstance(record, Graded):
            self._graded.add(record.attempt)

    def records(self) -> Iterator[Record]:
        for line in sealed(self.path):
            try:
                record = decode(line.data)
            except ValueError as error:
                raise damage(self.path, line, error) from error
            yield record

    @property
    def graded(self) -> Set[Attempt]:
        """Which attempts have their grade, as far as the writer of this ledger knows."""
        return self._graded

    def keys(self) -> Iterator[tuple[Attempt, str]]:
        """Which attempt each line is about, and its `kind`: cheap, for whoever counts."""
        for line in sealed(self.path):
            yield _key(self.path, line)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"{self.path.parent} is being written by {self._writer()}; "
                "wait for it to end, or choose another folder"
            ) from error

    def _writer(self) -> str:
        try:
            return f"process {int(self._pid_path.read_text())}"
        except (OSError, ValueError):
            return "another process"

    def _sealed_bytes(self) -> int:
        """How much of the file is whole lines; on the way, which attempts they grade."""
        end = 0
        self._graded = set()
        for line in sealed(self.path):
            attempt, kind = _key(self.path, line)
            if kind == "graded":
                self._graded.add(attempt)
            end = line.offset + len(line.data) + 1
        return end

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


def _line(record: Record) -> bytes:
    """A record as its line. What UTF-8 cannot hold becomes `?`, since a record is worth more."""
    try:
        return encode(record)
    except ValueError:
        text = json.dumps(dump(record), ensure_ascii=False, allow_nan=False)
        return text.encode(errors="replace")


def _key(path: Path, line: Line) -> tuple[Attempt, str]:
    try:
        raw = json.loads(line.data)
        key = raw["attempt"]
        task, condition = sys.intern(key["task"]), sys.intern(key["condition"])
        attempt = Attempt(TaskId(task), condition, key["repeat"])
        kind = raw["kind"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damage(path, line, f"{type(error).__name__}: {error}") from error
    if type(attempt.repeat) is not int:
        raise damage(path, line, f"no attempt is {key}")
    if kind not in ("graded", "faulted"):
        raise damage(path, line, f"no record is of kind {kind!r}")
    return attempt, kind
