"""What an earlier try left behind, so that nothing that was paid for is paid for twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from harness import codec
from harness.api import CUT_OFF, Archive, Event
from harness.types import Attempt, Ending, Reply, Usage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told:
    """One reply as it was recorded, and a mark of the request that it answered."""

    request: str
    reply: Reply
    seconds: float
    payload: Any = None
    """The endpoint's whole answer as JSON, where a program in the box was given it as it came."""


@dataclass(frozen=True, slots=True)
class Done:
    """A finished solve that still lacks its grade."""

    patch: str
    """sha256 of the patch among the blobs."""
    ending: Ending
    usage: Usage
    facts: Mapping[str, Any]


@dataclass(slots=True)
class Past:
    """The replies and the command outputs of one earlier try, in their order."""

    number: int = 0
    replies: list[Told] = field(default_factory=list)
    outputs: list[Event] = field(default_factory=list)
    done: Done | None = None

    @property
    def model_seconds(self) -> float:
        return sum(told.seconds for told in self.replies)


def latest(archive: Archive, attempt: Attempt) -> Past:
    """The most that any earlier try has got done: a finished solve, else the longest talk."""
    tries = range(1, archive.tries(attempt) + 1)
    pasts = [read(archive.events(attempt, n), n, attempt.id) for n in tries]
    return max(
        pasts, key=lambda p: (p.done is not None, len(p.replies), len(p.outputs)), default=Past()
    )


def spent(archive: Archive, attempt: Attempt) -> Usage:
    """What all tries so far have paid for, those included that died without a record."""
    total = Usage()
    for number in range(1, archive.tries(attempt) + 1):
        for line, event in enumerate(archive.events(attempt, number), 1):
            if event["kind"] == "reply":
                reply = _load(_Reply, event, f"{attempt.id}.{number} is damaged at line {line}")
                total += reply.reply.usage if reply.live else Usage()
            elif event["kind"] == "note" and event.get("note") == CUT_OFF:
                where = f"{attempt.id}.{number} is damaged at line {line}"
                total += _load(_CutOff, event, where).usage
    return total


def read(events: Iterator[Event], number: int, attempt: str) -> Past:
    """What is to be replayed of a try; UsageError where the trace is not what was written."""
    past = Past(number)
    for line, event in enumerate(events, 1):
        where = f"{attempt}.{number} is damaged at line {line}"
        match event["kind"]:
            case "reply":
                told = _load(_Reply, event, where)
                past.replies.append(Told(told.request, told.reply, told.seconds, told.payload))
            case "exec":
                _load(_Exec, event, where)
                past.outputs.append(event)
            case "read":
                _load(_Read, event, where)
                past.outputs.append(event)
            case "submission":
                past.done = _load(Done, event, where)
            case _:
                pass
    return past


@dataclass(frozen=True, slots=True)
class _Reply:
    request: str
    reply: Reply
    seconds: float
    live: bool
    payload: Any = None


@dataclass(frozen=True, slots=True)
class _CutOff:
    usage: Usage
    seconds: float


@dataclass(frozen=True, slots=True)
class _Exec:
    argv: list[str]
    exit_code: int | None
    output: str
    omitted: int
    ended: Literal["exit", "deadline", "lost"]


@dataclass(frozen=True, slots=True)
class _Data:
    path: str
    data: str


@dataclass(frozen=True, slots=True)
class _Refusal:
    path: str
    error: Literal[
        "FileNotFoundError",
        "IsADirectoryError",
        "PermissionError",
        "NotADirectoryError",
        "ValueError",
    ]


_Read: Any = _Data | _Refusal


def _load(kind: type[T], event: Event, where: str) -> T:
    """What a replay relies on in one event, checked before it is relied on."""
    return codec.load(kind, event, where=f"trace {where}, restore it or cut the file there")


def text_of(data: bytes) -> str:
    """Bytes as JSON-safe text that `bytes_of` turns back exactly."""
    return data.decode(errors="surrogateescape")


def bytes_of(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
