"""Server-sent events out of the bytes of a stream, however it is cut into chunks.

Sans I/O and of our own, since the client and the door read streams of different libraries, and the
door has to pass on each chunk before it knows what is in the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

DONE = "[DONE]"
_LINE = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: what its `data` lines held, and its name where it has one."""

    data: str
    name: str = ""


class Parser:
    """Bytes in, events out. Comments, by which servers keep a connection alive, are no events."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._after_cr = False
        self._data: list[str] = []
        self._name = ""
        self._begun = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes."""
        if self._after_cr and chunk:
            # A line end of two bytes may come in two chunks.
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if b"\n" not in chunk and b"\r" not in chunk:
            self._rest.append(chunk)
            return []
        self._after_cr = chunk.endswith(b"\r")
        *lines, rest = _LINE.split(b"".join([*self._rest, chunk]))
        self._rest = [rest]
        return [event for line in lines if (event := self._line(line))]

    def close(self) -> list[Event]:
        """What was complete but for the empty line that should have followed it."""
        last = b"".join(self._rest)
        self._rest = []
        events = [self._line(last) if last else None, self._line(b"")]
        return [event for event in events if event]

    def _line(self, raw: bytes) -> Event | None:
        line = raw.decode(errors="replace")
        if not self._begun:
            line, self._begun = line.removeprefix("\ufeff"), True
        if not line:
            event = Event("\n".join(self._data), self._name) if self._data else None
            self._data, self._name = [], ""
            return event
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        return None


def events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """The events of a stream that is all there."""
    parser = Parser()
    for chunk in chunks:
        yield from parser.feed(chunk)
    yield from parser.close()
