"""Traces: one file for each try of an attempt, written as it happens, never reopened."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.api import Event
from harness.types import Attempt
from results.lines import append, damage, sealed, sync, sync_folder

_RESERVED = ("kind", "at")


class Traces:
    """The folder of every try's events, `<attempt.id>.<number>.jsonl`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, attempt: Attempt, number: int) -> Path:
        return self.folder / f"{attempt.id}.{number}.jsonl"

    def tries(self, attempt: Attempt, /) -> int:
        """How many tries of this attempt have left a trace; they are numbered without gaps."""
        number = 0
        while self.path(attempt, number + 1).exists():
            number += 1
        return number

    def names(self) -> set[str]:
        """`<attempt.id>.<number>` of every try that has left a trace."""
        try:
            with os.scandir(self.folder) as found:
                return {f.name.removesuffix(".jsonl") for f in found if f.name.endswith(".jsonl")}
        except FileNotFoundError:
            return set()

    def events(self, attempt: Attempt, number: int, /) -> Iterator[Event]:
        """What a try wrote, without a torn last line; nothing where it left no trace."""
        path = self.path(attempt, number)
        for line in sealed(path):
            try:
                event = json.loads(line.data)
            except (ValueError, RecursionError) as error:
                raise damage(path, line, error) from error
            if not isinstance(event, dict) or not event.keys() >= set(_RESERVED):
                raise damage(path, line, "no event with a kind and a time")
            yield event

    @contextmanager
    def trace(self, attempt: Attempt, number: int, /) -> Iterator[TraceFile]:
        """A new trace. FileExistsError where a try of that number has written one already."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(attempt, number)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o644)
        try:
            sync_folder(self.folder)
            trace = TraceFile(path, descriptor)
            try:
                yield trace
            finally:
                trace.sync()
        finally:
            os.close(descriptor)


class TraceFile:
    """The trace of the try that is under way."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._clock = Clock()
        self._due = self._synced = 0

    def emit(self, kind: str, data: Mapping[str, Any], /, *, sync: bool = False) -> None:
        """Append one event, which survives our death; with `sync`, the machine's too, once it is
        `settled` or the trace is closed."""
        self.append(event_line(kind, self._clock.seconds, data), sync=False)
        self._due += sync

    async def settled(self) -> None:
        """Return once what has to survive the machine's death would.

        In a thread: a busy disk takes its time, and a thousand other attempts need not wait.
        """
        if self._synced < self._due:
            await asyncio.to_thread(self.sync)

    def sync(self) -> None:
        """Wait for the disk, if there is anything to wait for."""
        due = self._due
        if self._synced < due:
            sync(self._descriptor, self.path)
            self._synced = due

    def append(self, line: bytes, /, *, sync: bool) -> None:
        """Append an event whose line somebody else has made."""
        append(self._descriptor, self.path, line, sync=sync)


class Clock:
    """How long a try has been under way."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began


def event_line(kind: str, at: float, data: Mapping[str, Any]) -> bytes:
    """One event as its line.

    Bytes become text whose undecodable bytes are lone surrogates, so `bytes_of` has them back;
    ValueError for a value that JSON does not know, and for the reserved keys.
    """
    if taken := [key for key in _RESERVED if key in data]:
        raise ValueError(f"an event sets its own {taken[0]!r}; choose another key")
    return _line({"kind": kind, "at": round(at, 6), **data})


def bytes_of(text: str) -> bytes:
    """The bytes that an event was given where it now holds text."""
    return text.encode(errors="surrogateescape")


def _line(event: Mapping[str, Any]) -> bytes:
    # ASCII, since a lone surrogate of a model or a program cannot be written as UTF-8.
    try:
        return _ENCODER.encode(event).encode("ascii")
    except TypeError as error:
        raise ValueError(f"event {event['kind']!r}: {error}") from error


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value; give text, numbers, lists or maps")


_ENCODER = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=_plain
)
"""To make one takes as long as to write an event with it."""
