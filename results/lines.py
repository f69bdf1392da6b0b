"""Files of JSON lines that only grow, and what may be wrong with them.

A line counts once its newline is on disk. A crash can leave an unterminated tail; nobody was
told that it had been stored, so readers skip it. Any other damage is named, never repaired.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError


class Damaged(UsageError):
    """A file of a run is not what was written; nothing has been changed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sealed line, without its newline, and where it stands."""

    number: int
    """From 1, as editors count."""
    offset: int
    """In bytes, of its first byte."""
    data: bytes


def sealed(path: Path) -> Iterator[Line]:
    """The lines of a file that end in a newline; none where there is no file."""
    offset = 0
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        for number, data in enumerate(stream, start=1):
            if data.endswith(b"\n"):
                yield Line(number, offset, data[:-1])
            offset += len(data)


def damage(path: Path, line: Line, error: Exception | str) -> Damaged:
    """The error for a line that cannot be read: which file, which line, which byte, and why."""
    why = " ".join(str(error).split())[:300]
    return Damaged(
        f"{path} is damaged at line {line.number}, byte {line.offset}: {why}; "
        "nothing was changed, restore the line or cut the file there"
    )


def append(descriptor: int, path: Path, line: bytes, *, sync: bool) -> None:
    """Add one line with one write. OSError naming the file where it does not fit.

    What reached the disk of a line that failed is taken back, so that the next one does not
    continue it.
    """
    end = os.fstat(descriptor).st_size
    try:
        _write_whole(descriptor, line + b"\n")
        if sync:
            os.fdatasync(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, end)
        reason = error.strerror or str(error)
        raise OSError(error.errno or 0, f"cannot append: {reason}", str(path)) from error


def sync(descriptor: int, path: Path) -> None:
    """Return once what was appended would survive a crash; OSError naming the file."""
    try:
        os.fdatasync(descriptor)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(error.errno or 0, f"cannot append: {reason}", str(path)) from error


def _write_whole(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    if written != len(data):
        raise OSError(f"only {written} of {len(data)} bytes fit; is the disk full?")


def sync_folder(folder: Path) -> None:
    """Make a new name in `folder` survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
