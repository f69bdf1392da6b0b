"""A git patch as lines to look at: files, hunks, line numbers, and what changed within a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ALIKE = 0.4
"""Of two lines: from this share on, the part in which they differ is marked in them."""


@dataclass(frozen=True, slots=True)
class Line:
    """`kind` is +, -, space, @ (a hunk's head) or \\ (what git remarks)."""

    kind: str
    text: str
    old: int = 0
    new: int = 0
    """Line numbers; 0 on the side where it is not."""
    begin: int = 0
    end: int = 0
    """The part that differs from the line it replaces; empty where all of it does."""


@dataclass(slots=True)
class File:
    """One file of a patch. `remarks` are git's own: new file, mode, rename, binary."""

    path: str
    remarks: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def added(self) -> int:
        return sum(line.kind == "+" for line in self.lines)

    @property
    def removed(self) -> int:
        return sum(line.kind == "-" for line in self.lines)


def files(patch: str) -> list[File]:
    """Every file of a patch, in its order. What stands before the first is one without a path."""
    found: list[File] = []
    lines = iter(patch.split("\n"))
    for line in lines:
        if line.startswith("diff --git "):
            found.append(File(_path(line)))
        elif hunk := _HUNK.match(line):
            file = found[-1] if found else _first(found)
            file.lines.append(Line("@", line))
            file.lines += _marked(list(_hunk(lines, hunk)))
        elif line.startswith(("+++ ", "--- ")):
            name = line[4:].split("\t")[0]
            if name != "/dev/null" and found:
                found[-1].path = name.removeprefix("a/").removeprefix("b/")
            elif not found:
                _first(found).path = name
        elif line and not line.startswith("index "):
            (found[-1] if found else _first(found)).remarks.append(line)
    return found


def _first(found: list[File]) -> File:
    found.append(File(""))
    return found[0]


def _path(line: str) -> str:
    """The file that `diff --git a/x b/x` names, where it has one name."""
    names = line.removeprefix("diff --git ")
    half = names[2 : len(names) // 2]
    return half if names == f"a/{half} b/{half}" else names


def _hunk(lines: Iterator[str], head: re.Match[str]) -> Iterator[Line]:
    """As many lines as the head of the hunk announces, whatever they look like."""
    old, new = int(head[1]), int(head[3])
    olds, news = (1 if count is None else int(count) for count in (head[2], head[4]))
    while olds > 0 or news > 0:
        line = next(lines, None)
        if line is None:
            return
        kind, text = line[:1] or " ", line[1:]
        if kind == "\\":
            yield Line(kind, line)
            continue
        in_old, in_new = kind != "+", kind != "-"
        yield Line(kind, text, old * in_old, new * in_new)
        old, olds = old + in_old, olds - in_old
        new, news = new + in_new, news - in_new


def _marked(lines: Sequence[Line]) -> Iterator[Line]:
    """As many lines taken away as put in their place: in each pair, what is different."""
    runs = [(kind, list(run)) for kind, run in groupby(lines, lambda line: line.kind)]
    at = 0
    while at < len(runs):
        kind, run = runs[at]
        after = runs[at + 1] if at + 1 < len(runs) else ("", [])
        if kind == "-" and after[0] == "+" and len(run) == len(after[1]):
            pairs = [_pair(a, b) for a, b in zip(run, after[1], strict=True)]
            yield from (a for a, _ in pairs)
            yield from (b for _, b in pairs)
            at += 2
        else:
            yield from run
            at += 1


def _pair(old: Line, new: Line) -> tuple[Line, Line]:
    a, b = old.text, new.text
    most = min(len(a), len(b))
    start = next((i for i in range(most) if a[i] != b[i]), most)
    tail = next((i for i in range(most - start) if a[-1 - i] != b[-1 - i]), most - start)
    if start + tail < _ALIKE * max(len(a), len(b)):
        return old, new
    return (
        Line("-", a, old.old, 0, start, len(a) - tail),
        Line("+", b, 0, new.new, start, len(b) - tail),
    )
