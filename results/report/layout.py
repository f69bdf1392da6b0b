"""Text in columns, for terminals of any width."""

from __future__ import annotations

from collections.abc import Sequence

FIRST = 30
"""How narrow the first column may be cut before other columns move to a block below."""


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> list[str]:
    """Lines of a table: first column to the left, the others to the right. No line is wider.

    A head may have several lines. Columns stand two spaces apart where that fits, else one; then
    the first column is cut; columns that still do not fit follow in a block of their own.
    """
    heads = [text.split("\n") for text in head]
    depth = max(len(lines) for lines in heads)
    top = [[*([""] * (depth - len(lines))), *lines] for lines in heads]
    table = [*([column[i] for column in top] for i in range(depth)), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    gap = 2 if sum(widths) + 2 * (len(widths) - 1) <= width else 1
    over = sum(widths) + gap * (len(widths) - 1) - width
    if over > 0:
        widths[0] = min(widths[0], max(FIRST, widths[0] - over))
        names = distinct([row[0] for row in rows], widths[0])
        table[depth:] = [[name, *row[1:]] for name, row in zip(names, rows, strict=True)]
    lines: list[str] = []
    for block in _blocks(widths, gap, width):
        body = [_line([row[i] for i in block], [widths[i] for i in block], gap) for row in table]
        rule = "-" * max(len(line) for line in body)
        lines += [*body[:depth], rule, *body[depth:]]
    return lines


def _blocks(widths: Sequence[int], gap: int, width: int) -> list[list[int]]:
    """Column numbers, the first in each block, and at least one other."""
    blocks, room = [[0]], width - widths[0]
    for column in range(1, len(widths)):
        if len(blocks[-1]) > 1 and room < gap + widths[column]:
            blocks.append([0])
            room = width - widths[0]
        blocks[-1].append(column)
        room -= gap + widths[column]
    return blocks


def distinct(names: Sequence[str], width: int) -> list[str]:
    """Names cut to a width, so that different ones stay different.

    What they all begin with goes first; then their ends, or else their middles.
    """
    if all(len(name) <= width for name in names):
        return list(names)
    start = _shared_start(names)
    bare = [name[start:] for name in names]
    for cutter in (_cut_end, cut):
        short = [cutter(name, width) for name in bare]
        if len(set(short)) == len(set(names)):
            return short
    return [f"{cut(name, width - 6)} {i:5d}" for i, name in enumerate(bare, start=1)]


def _shared_start(names: Sequence[str]) -> int:
    """The length of what all names begin with, back to the last mark between words."""
    first, last = min(names), max(names)
    pairs = enumerate(zip(first, last, strict=False))
    length = next((i for i, (a, b) in pairs if a != b), 0)
    return max(first.rfind(mark, 0, length) for mark in "_-/") + 1


def _cut_end(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 2] + ".."


def cut(text: str, width: int) -> str:
    """At most so many characters, what is left out marked by two dots in the middle."""
    if len(text) <= width:
        return text
    tail = max(0, width - 2) // 2
    return text[: max(0, width - 2) - tail] + ".." + text[len(text) - tail :]


def clean(text: str) -> str:
    """Text that cannot steer a terminal, whoever wrote it."""
    return "".join(c if c.isprintable() else "?" for c in text)


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def span(ends: tuple[float | None, float | None] | None) -> str:
    if ends is None or ends[0] is None or ends[1] is None:
        return "-"
    return f"[{percent(ends[0])}, {percent(ends[1])}]"


def money(usd: float | None) -> str:
    if usd is None:
        return "-"
    if usd >= 10_000:
        return f"${usd:,.0f}"
    return f"${usd:,.2f}" if usd >= 1 or usd == 0 else f"${usd:.3g}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes = round(seconds / 60)
    return f"{seconds / 60:.1f}m" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def _line(row: Sequence[str], widths: Sequence[int], gap: int) -> str:
    first = row[0].ljust(widths[0])
    rest = [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
    return (" " * gap).join([first, *rest]).rstrip()
