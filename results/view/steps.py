"""A try's trace, step by step: a reply, what it did in the box, and what the model saw of it.

The outline of a trace (a few numbers and an offset for each step) is made once and grows with the
file; of the steps themselves only those on a page are read.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from harness.api import Event
from results.view.index import stamp
from results.view.visible import one_line

KEPT = 32
MOST_UNREADABLE = 20
TITLE = 100


@dataclass(slots=True)
class Beat:
    """One step in outline. Step 0 is what came before the first reply."""

    number: int
    begin: int
    """Where its first line starts, in bytes."""
    line: int
    """The number of that line, from 1."""
    at: float = 0.0
    """Seconds since the try began."""
    title: str = ""
    model_seconds: float = 0.0
    tool_seconds: float = 0.0
    prompt: int = 0
    output: int = 0
    usd: float | None = 0.0
    live: bool = True
    failed: int = 0
    """Commands of it that did not end with 0."""


@dataclass(slots=True)
class Outline:
    """A whole trace in outline, as far as it had been written."""

    beats: list[Beat] = field(default_factory=lambda: [Beat(0, 0, 1)])
    end: int = 0
    lines: int = 0
    said: dict[str, Event] = field(default_factory=dict)
    """The last of each event that there is one of: try, ending, submission, verdict, fault."""
    unreadable: list[str] = field(default_factory=list)
    torn: bool = False

    @property
    def steps(self) -> int:
        return len(self.beats) - 1


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it was written; `events` are (line of the trace, event)."""

    beat: Beat
    events: Sequence[tuple[int, Event]]

    @property
    def reply(self) -> Mapping[str, Any]:
        return next((a_map(e.get("reply")) for _, e in self.events if e["kind"] == "reply"), {})


_ONCE = ("try", "ending", "submission", "verdict", "fault")


class Outlines:
    """The outlines of the traces that were looked at last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: OrderedDict[Path, tuple[int, Outline]] = OrderedDict()

    def of(self, path: Path) -> Outline | None:
        """The outline of a trace as it is now; None where there is no file."""
        size, _, inode = stamp(path)
        if not inode:
            return None
        with self._lock:
            known = self._known.pop(path, None)
            outline = Outline()
            if known and known[0] == inode and known[1].end <= size:
                outline = known[1]
            grow(outline, path)
            self._known[path] = (inode, outline)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
            return outline


def grow(outline: Outline, path: Path) -> None:
    """Take in what a trace has been given since. A torn last line waits for its end."""
    outline.torn = False
    with path.open("rb") as stream:
        stream.seek(outline.end)
        for data in stream:
            if not data.endswith(b"\n"):
                outline.torn = True
                break
            outline.lines += 1
            _take(outline, data)
            outline.end += len(data)


def _take(outline: Outline, data: bytes) -> None:
    # Most bytes of a trace are outputs: they are not parsed where their kind tells enough.
    if data.startswith((b'{"kind":"message"', b'{"kind":"request"', b'{"kind":"read"')):
        return
    try:
        event = _event(data)
    except (ValueError, RecursionError) as error:
        if len(outline.unreadable) < MOST_UNREADABLE:
            outline.unreadable.append(f"line {outline.lines}, byte {outline.end}: {error}"[:200])
        return
    kind = event["kind"]
    if kind == "reply":
        outline.beats.append(_beat(len(outline.beats), outline, event))
    elif kind == "exec":
        beat = outline.beats[-1]
        beat.tool_seconds += _number(event.get("seconds"))
        beat.failed += event.get("exit_code") != 0
    elif kind in _ONCE:
        outline.said[kind] = event


def _beat(number: int, outline: Outline, event: Event) -> Beat:
    reply = a_map(event.get("reply"))
    usage = a_map(reply.get("usage"))
    usd = usage.get("usd")
    return Beat(
        number=number,
        begin=outline.end,
        line=outline.lines,
        at=_number(event.get("at")),
        title=_title(a_map(reply.get("message"))),
        model_seconds=_number(event.get("seconds")),
        prompt=int(sum(_number(usage.get(k)) for k in ("fresh", "cache_read", "cache_write"))),
        output=int(_number(usage.get("output"))),
        usd=None if usd is None else _number(usd),
        live=event.get("live") is not False,
    )


def _title(message: Mapping[str, Any]) -> str:
    """What a step is about, at a glance: its calls, else its first words."""
    said = []
    for call in a_list(message.get("calls"))[:4]:
        arguments = str(a_map(call).get("arguments") or "")
        said.append(f"{a_map(call).get('name')} {arguments[:TITLE]}")
    return one_line("; ".join(said) or str(message.get("content") or ""), TITLE)


def steps(path: Path, outline: Outline, first: int, count: int) -> Iterator[Step]:
    """The steps `first`, `first + 1`, ... of a trace, read one by one; damaged lines left out."""
    for beat in outline.beats[first : first + count]:
        after = outline.beats[beat.number + 1 : beat.number + 2]
        stop = after[0].begin if after else outline.end
        with path.open("rb") as stream:
            stream.seek(beat.begin)
            data = stream.read(stop - beat.begin)
        yield Step(beat, tuple(_events(data, beat.line)))


def event_at(path: Path, line: int) -> bytes | None:
    """One line of a trace as it stands in the file, without its newline."""
    with path.open("rb") as stream:
        for number, data in enumerate(stream, start=1):
            if number == line:
                return data.removesuffix(b"\n")
    return None


def found(path: Path, outline: Outline, sought: str, most: int = 500) -> list[int]:
    """The steps in which a text stands, letters of either case; the first `most` of them."""
    # Traces are ASCII with escapes, so what is sought is looked for as JSON would spell it.
    needles = {json.dumps(text)[1:-1].encode() for text in (sought, sought.lower())}
    wanted = [needle.lower() for needle in needles]
    numbers = []
    with path.open("rb") as stream:
        for beat, after in zip(outline.beats, [*outline.beats[1:], None], strict=True):
            stream.seek(beat.begin)
            size = (after.begin if after else outline.end) - beat.begin
            text = stream.read(size).lower()
            if any(needle in text for needle in wanted):
                numbers.append(beat.number)
                if len(numbers) >= most:
                    break
    return numbers


def _events(data: bytes, line: int) -> Iterator[tuple[int, Event]]:
    for number, text in enumerate(data.split(b"\n"), start=line):
        if text:
            try:
                yield number, _event(text)
            except (ValueError, RecursionError):
                continue


def _event(data: bytes) -> Event:
    event = json.loads(data)
    if not isinstance(event, dict) or not isinstance(event.get("kind"), str):
        raise ValueError("no event with a kind")  # noqa: TRY004
    return event


def a_map(value: object) -> Mapping[str, Any]:
    """A value that should be a map: damage is shown as nothing, not as an error."""
    return value if isinstance(value, Mapping) else {}


def a_list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
