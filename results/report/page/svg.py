"""The few shapes that the pictures are drawn with, and the axes that they are drawn on.

Every picture is 400 units wide and scales with its column, so that twelve-unit text stays legible
on a telephone and on paper. Colours are classes: the style sheet has them for light and for dark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from results.report.page.markup import Html, tag

WIDTH = 400.0
_CHARACTER = 6.6
"""How wide a character of twelve-unit text is at most, as a rule."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to places along a line."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The place of a value, kept on the line."""
        low, high, value = (_log(v) if self.log else v for v in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self) -> list[float]:
        return _decades(self.low, self.high) if self.log else _even(self.low, self.high)


def around(
    values: Iterable[float], start: float, end: float, within: tuple[float, float] | None = None
) -> Axis:
    """An axis with round ends that shows all of the values."""
    known = list(values) or [0.0, 1.0]
    low, high = min(known), max(known)
    if high - low < 1e-9 * max(abs(low), abs(high)):
        high = low  # equal but for rounding: no axis is that short
    room = max((high - low) * 0.04, 1e-9 if high > low else max(abs(high) * 0.1, 0.01))
    step = _step(low - room, high + room)
    low, high = floor((low - room) / step) * step, ceil((high + room) / step) * step
    if within:
        low, high = max(low, within[0]), min(high, within[1])
    return Axis(low, high, start, end)


def picture(height: float, title: str, told: str, *parts: str) -> Html:
    """A picture with its name and, for those who cannot see it, what it shows."""
    return tag(
        "svg",
        tag("title", title),
        tag("desc", told),
        *parts,
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        role="img",
        class_="picture",
    )


def text(x: float, y: float, words: str, class_: str = "", anchor: str | None = None) -> Html:
    return tag("text", words, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def fitted(
    x: float, y: float, words: str, room: float, *, class_: str = "", anchor: str | None = None
) -> Html:
    """Text that is cut where it would run out of its room; its title has it whole."""
    most = max(3, int(room / _CHARACTER))
    if len(words) <= most:
        return text(x, y, words, class_, anchor)
    short = words[: most - 1].rstrip() + "…"
    inside = (tag("title", words), short)
    return tag("text", *inside, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Html:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def box(x1: float, y: float, x2: float, height: float, class_: str, told: str = "") -> Html:
    """A filled rectangle, never so thin that it is not seen; `told` is what hovering says."""
    inside = [tag("title", told)] if told else []
    wide = max(1.5, x2 - x1)
    return tag("rect", *inside, x=x1, y=y, width=wide, height=height, rx=1, class_=class_)


def dot(x: float, y: float, radius: float, class_: str, told: str = "") -> Html:
    inside = [tag("title", told)] if told else []
    return tag("circle", *inside, cx=x, cy=y, r=radius, class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str, *, closed: bool = False) -> Html:
    steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return tag("path", d=f"M{steps}{'Z' if closed else ''}", class_=class_)


def below(
    axis: Axis,
    y: float,
    caption: str,
    spell: Callable[[float], str],
    ticks: Sequence[float] | None = None,
) -> list[Html]:
    """A horizontal axis: its line, ticks, their numbers and what it measures."""
    parts = [line(axis.start, y, axis.end, y, "axis")]
    for tick in axis.ticks() if ticks is None else ticks:
        x = axis.at(tick)
        parts += [line(x, y, x, y + 4, "axis"), text(x, y + 16, spell(tick), "tick", "middle")]
    parts.append(text((axis.start + axis.end) / 2, y + 33, caption, "tick", "middle"))
    return parts


def beside(axis: Axis, x: float, end: float, spell: Callable[[float], str]) -> list[Html]:
    """A vertical axis to the left, with faint lines across up to `end`."""
    parts: list[Html] = []
    for tick in axis.ticks():
        y = axis.at(tick)
        parts += [line(x, y, end, y, "grid"), text(x - 6, y + 4, spell(tick), "tick", "end")]
    return parts


def _step(low: float, high: float) -> float:
    """1, 2 or 5 of some power of ten, for some five steps."""
    rough = (high - low) / 5
    power: float = 10.0 ** floor(log10(rough))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)


def _even(low: float, high: float) -> list[float]:
    if high <= low:
        return [low]
    step = _step(low, high)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    found: list[float] = []
    for power in range(floor(_log(low)), ceil(_log(high)) + 1):
        found += [m * 10.0**power for m in (1, 2, 5) if low <= m * 10.0**power <= high]
    wide = _log(high) - _log(low) > 2.2
    return [tick for tick in found if not wide or f"{tick:e}"[0] == "1"]


def _log(value: float) -> float:
    return log10(max(value, 1e-12))
