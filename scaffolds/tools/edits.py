"""Edits of a file's text that leave every byte outside of the edit as it was.

The text is UTF-8 with `surrogateescape`, so that bytes which are not UTF-8 survive; lines end
where "\\n" stands and nowhere else, so that form feeds and the like do not shift their numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

BOM = "\ufeff"
AROUND_LINES = 4
LISTED = 10


class Refused(Exception):
    """An edit that cannot be made; the message is for the model."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A file's new text, and which of its lines are new."""

    text: str
    first: int
    last: int


def decode(data: bytes) -> str:
    if b"\0" in data:
        raise Refused("it is not a text file")
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def lines(text: str) -> list[str]:
    """Lines with their ends; the last may have none."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def replace_once(text: str, old: str, new: str) -> Edit:
    """Put `new` where `old` stands, which must be in one place. Line ends are the file's."""
    if not old:
        raise Refused("old must not be empty; to add lines use insert, for a new file create")
    if old == new:
        raise Refused("old and new are the same")
    crlf = _ends_crlf(text)
    spellings = (_crlf(old), old) if crlf else (old, _crlf(old))
    for spelling in spellings:
        places = list(islice(_occurrences(text, spelling), LISTED + 1))
        if places:
            break
    else:
        raise Refused(f"old does not occur in the file{_near(text, old)}")
    if len(places) > 1:
        where = ", ".join(str(text.count("\n", 0, place) + 1) for place in places[:LISTED])
        more = " ..." if len(places) > LISTED else ""
        count = len(places) if len(places) <= LISTED else f"more than {LISTED}"
        often = f"old occurs {count} times, at lines {where}{more}"
        raise Refused(f"{often}; give more of what is around the one that is meant")
    put = _crlf(new) if crlf else new
    start = places[0]
    first = text.count("\n", 0, start) + 1
    changed = text[:start] + put + text[start + len(spelling) :]
    return Edit(changed, first, first + put.rstrip("\n").count("\n"))


def insert_after(text: str, line: int, added: str) -> Edit:
    """Put whole lines after a line, 0 being the top. A last line without an end keeps it so."""
    mark, body = (BOM, text[1:]) if text.startswith(BOM) else ("", text)
    there = lines(body)
    if not 0 <= line <= len(there):
        raise Refused(f"line must be from 0 to {len(there)}, the number of lines in the file")
    if not added:
        raise Refused("text must not be empty")
    end = "\r\n" if _ends_crlf(body) else "\n"
    put = _crlf(added) if end == "\r\n" else added
    before, after = "".join(there[:line]), "".join(there[line:])
    if before and not before.endswith("\n"):
        put = end + put
    elif not put.endswith("\n"):
        put += end
    return Edit(mark + before + put + after, line + 1, line + len(lines(put.lstrip("\r\n")) or "x"))


def numbered(text: str, first: int, last: int) -> str:
    """Lines `first` to `last` as a model is shown them: without marks and ends, with numbers."""
    chosen = lines(text.removeprefix(BOM))[first - 1 : last]
    shown = "".join(
        f"{number:6}\t{line.rstrip(chr(10)).removesuffix(chr(13))}\n"
        for number, line in enumerate(chosen, first)
    )
    return legal(shown.rstrip("\n"))


def around(edit: Edit) -> str:
    return numbered(edit.text, max(1, edit.first - AROUND_LINES), edit.last + AROUND_LINES)


def legal(text: str) -> str:
    """Text that can be sent: bytes that are not UTF-8 are shown as the replacement character."""
    return encode(text).decode(errors="replace")


def oddities(text: str) -> str:
    """What a numbered view does not show of a file."""
    odd = []
    if text.startswith(BOM):
        odd.append("byte order mark")
    if _ends_crlf(text):
        odd.append("CRLF line ends")
    if text and not text.endswith("\n"):
        odd.append("no newline at the end")
    return "".join(f", {name}" for name in odd)


def _ends_crlf(text: str) -> bool:
    return 2 * text.count("\r\n") > text.count("\n")


def _crlf(text: str) -> str:
    return re.sub(r"\r?\n", "\r\n", text)


def _occurrences(text: str, part: str) -> Iterator[int]:
    """Overlapping ones too: `aa` is ambiguous in `aaa`."""
    place = text.find(part)
    while place >= 0:
        yield place
        place = text.find(part, place + 1)


def _near(text: str, old: str) -> str:
    """Where `old` would be found if it were not for white space at the ends of its lines."""
    wanted = "".join(f"\n{line.strip()}" for line in old.strip().split("\n"))
    there = "".join(f"\n{line.strip()}" for line in text.split("\n"))
    place = f"{there}\n".find(f"{wanted}\n")
    if place < 0:
        return ""
    number = there.count("\n", 0, place) + 1
    return f"; line {number} differs from it in indentation or white space only"
