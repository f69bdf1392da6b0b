"""What an earlier try left behind, so that nothing that was paid for is paid for twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness import codec
from harness.api import Archive, Event
from harness.types import Attempt, Ending, Reply, Usage


@dataclass(frozen=True, slots=True)
class Told:
    """One reply as it was recorded, and a mark of the request that it answered."""

    request: str
    reply: Reply
    seconds: float


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
    pasts = [read(archive.events(attempt, n), n) for n in range(1, archive.tries(attempt) + 1)]
    return max(
        pasts, key=lambda p: (p.done is not None, len(p.replies), len(p.outputs)), default=Past()
    )


def spent(archive: Archive, attempt: Attempt) -> Usage:
    """What all tries so far have paid for, those included that died without a record."""
    total = Usage()
    for number in range(1, archive.tries(attempt) + 1):
        for event in archive.events(attempt, number):
            if event["kind"] == "reply" and event["live"]:
                total += codec.load(Usage, event["reply"]["usage"], where="trace")
    return total


def read(events: Iterator[Event], number: int) -> Past:
    past = Past(number)
    for event in events:
        match event["kind"]:
            case "reply":
                reply = codec.load(Reply, event["reply"], where="trace")
                past.replies.append(Told(event["request"], reply, event["seconds"]))
            case "exec" | "read":
                past.outputs.append(event)
            case "submission":
                past.done = Done(
                    event["patch"],
                    Ending(event["ending"]),
                    codec.load(Usage, event["usage"], where="trace"),
                    event["facts"],
                )
            case _:
                pass
    return past


def text_of(data: bytes) -> str:
    """Bytes as JSON-safe text that `bytes_of` turns back exactly."""
    return data.decode(errors="surrogateescape")


def bytes_of(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
