"""The picture that most of a card is made of: named rows, each an interval over one axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from results.report.page.markup import Html, tag
from results.report.page.svg import (
    WIDTH,
    Axis,
    around,
    below,
    box,
    dot,
    fitted,
    line,
    picture,
    text,
)

_ABOVE, _BESIDE = 41.0, 20.0
"""Heights of a row whose name stands over it, and of one whose name stands to its left."""
_NAMES, _SAID = 118.0, 92.0
"""How wide the columns beside the bars are."""


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    said: str
    """The numbers, or in a few words why there are none."""
    low: float | None = None
    high: float | None = None
    value: float | None = None
    thin: tuple[float, float] | None = None
    """A wider interval behind the other, as where all comparisons hold at once."""
    hollow: float | None = None
    """A second estimate of the same, as one drawn towards the others."""
    kind: str = "b"
    """The colour's name."""
    href: str = ""
    reason: str = ""
    """Why there is no bar; it stands in its place."""

    @property
    def places(self) -> list[float]:
        ends = [self.low, self.high, self.value, self.hollow, *(self.thin or ())]
        return [end for end in ends if end is not None]


@dataclass(frozen=True, slots=True)
class Frame:
    """What all rows of a picture share."""

    title: str
    caption: str
    spell: Callable[[float], str]
    within: tuple[float, float] | None = None
    """Where the quantity can be at all."""
    band: tuple[float, float] | None = None
    """A shaded stretch, as of differences that count for nothing."""
    zero: bool = False
    """Whether 0 is shown and drawn."""
    ticks: tuple[float, ...] | None = None
    """Where the axis has numbers; None for round ones."""
    beside: bool = False
    """Whether names stand to the left of the bars, for rows that are many and short."""


def rows(found: Sequence[Row], frame: Frame) -> Html:
    """The picture; rows without an interval say so in their place."""
    places = [place for row in found for place in row.places]
    places += [*(frame.band or ()), *(frame.ticks or ()), *([0.0] if frame.zero else [])]
    ends = (_NAMES, WIDTH - _SAID) if frame.beside else (8.0, WIDTH - 8)
    axis = around(places, *ends, frame.within)
    step = _BESIDE if frame.beside else _ABOVE
    foot = step * len(found) + 6
    parts: list[Html] = []
    if frame.band:
        parts.append(box(axis.at(frame.band[0]), 0, axis.at(frame.band[1]), foot, "band"))
    if frame.zero:
        parts.append(line(axis.at(0), 0, axis.at(0), foot, "zero"))
    for i, row in enumerate(found):
        drawn = (_line if frame.beside else _stacked)(row, axis, i * step)
        parts.append(tag("a", *drawn, href=row.href) if row.href else tag("g", *drawn))
    parts += below(axis, foot, frame.caption, frame.spell, frame.ticks)
    told = "; ".join(f"{row.name}: {row.said}" for row in found)
    return picture(foot + 40, frame.title, told, *parts)


def _stacked(row: Row, axis: Axis, top: float) -> list[Html]:
    """The name and the numbers on one line, the bar on the next."""
    taken = 7.2 * len(row.said) + 20
    parts = [
        fitted(8, top + 14, row.name, WIDTH - 16 - taken, class_="name halo"),
        text(WIDTH - 8, top + 14, row.said, "said halo" if row.places else "said none", "end"),
    ]
    return parts + _bar(row, axis, top + 26)


def _line(row: Row, axis: Axis, top: float) -> list[Html]:
    parts = [
        fitted(0, top + 14, row.name, _NAMES - 4, class_="name"),
        text(WIDTH, top + 14, row.said, "said", "end"),
    ]
    return parts + _bar(row, axis, top + 10)


def _bar(row: Row, axis: Axis, y: float) -> list[Html]:
    parts: list[Html] = []
    if row.reason and not row.places:
        parts.append(fitted(8, y + 4, row.reason, WIDTH - 16, class_="tick halo"))
    if row.thin:
        parts.append(line(axis.at(row.thin[0]), y, axis.at(row.thin[1]), y, "thin"))
    if row.low is not None and row.high is not None:
        parts.append(box(axis.at(row.low), y - 4, axis.at(row.high), 8, row.kind, row.said))
    if row.hollow is not None:
        parts.append(dot(axis.at(row.hollow), y, 3.5, "hollow"))
    if row.value is not None:
        x = axis.at(row.value)
        parts.append(line(x, y - 7, x, y + 7, "mark"))
    return parts
