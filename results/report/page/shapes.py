"""The pictures that are no rows: lines over k, stacked bars, and cost against score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from results.report.page.markup import Html, tag
from results.report.page.spelt import points, usd, whole
from results.report.page.study import Priced, ordered
from results.report.page.svg import (
    WIDTH,
    Axis,
    around,
    below,
    beside,
    box,
    dot,
    line,
    path,
    picture,
    text,
)
from results.stats.estimate import Estimate
from results.stats.passk import PassK

_LEFT, _TOP, _HIGH = 34.0, 10.0, 190.0
_SIZE = 15.0
"""The height of a line of labels in the picture of costs."""


def pass_lines(found: Sequence[PassK]) -> Html:
    """pass@k and pass^k over k, each with its band."""
    ks = [one.k for one in found]
    across = Axis(ks[0], ks[-1], _LEFT + 8, WIDTH - 96)
    up = Axis(0.0, 1.0, _TOP + _HIGH, _TOP)
    parts = beside(up, _LEFT, across.end, whole)
    some = [one.at_least_one for one in found]
    every = [one.all_of_them for one in found]
    places = [across.at(k) for k in ks]
    parts += _curve(places, some, up, "b") + _curve(places, every, up, "o")
    parts += _ends(some[-1], every[-1], up, across.end + 10)
    foot = _TOP + _HIGH
    parts.append(line(_LEFT, foot, across.end, foot, "axis"))
    for k in ks:
        parts.append(text(across.at(k), foot + 16, str(k), "tick", "middle"))
    middle = (_LEFT + across.end) / 2
    parts.append(
        text(middle, foot + 33, "k attempts; points, 95% for new issues", "tick", "middle")
    )
    told = "; ".join(
        f"k={k}: pass@k {points(a.value)}, pass^k {points(b.value)}"
        for k, a, b in zip(ks, some, every, strict=True)
    )
    return picture(foot + 40, "pass@k and pass^k", told, *parts)


def _curve(places: Sequence[float], found: Sequence[Estimate], up: Axis, kind: str) -> list[Html]:
    known = [(x, e) for x, e in zip(places, found, strict=True) if e.value is not None]
    highs = [(x, up.at(e.high)) for x, e in known if e.high is not None]
    lows = [(x, up.at(e.low)) for x, e in known if e.low is not None]
    line_ = [(x, up.at(e.value)) for x, e in known if e.value is not None]
    parts = [path([*highs, *reversed(lows)], f"{kind} area", closed=True)] if len(lows) > 1 else []
    parts.append(path(line_, f"{kind} curve"))
    return parts + [dot(x, y, 3, kind) for x, y in line_]


def _ends(some: Estimate, every: Estimate, up: Axis, x: float) -> list[Html]:
    """The names of both lines at their right ends, kept apart."""
    high, low = up.at(some.value or 0.0), up.at(every.value or 0.0)
    if low - high < 32:
        middle = min(max((high + low) / 2, _TOP + 20), _TOP + _HIGH - 14)
        high, low = middle - 16, middle + 16
    high, low = max(high, _TOP + 6), min(low, _TOP + _HIGH - 12)
    return [
        text(x, high, f"any: {points(some.value)}", "name b"),
        text(x, high + 13, "pass@k", "tick"),
        text(x, low, f"all: {points(every.value)}", "name o"),
        text(x, low + 13, "pass^k", "tick"),
    ]


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    share: float
    said: str
    kind: str


def stacked(bars: Sequence[tuple[str, Sequence[Part]]]) -> Html:
    """Bars of shares of a whole, each with what is what beneath it, in words."""
    return tag("div", *(tag("div", _stack(*bar), _key(bar)) for bar in bars))


def _stack(name: str, parts: Sequence[Part]) -> Html:
    drawn, x = [text(8, 14, name, "name")], 8.0
    for part in parts:
        end = x + part.share * (WIDTH - 16)
        if part.share > 0:
            drawn.append(box(x, 22, end - 1, 20, part.kind, f"{part.name}: {part.said}"))
        if end - x > 40:
            words = f"{100 * part.share:.0f}%"
            drawn.append(text((x + end) / 2, 36, words, "in", "middle"))
        x = end
    told = ", ".join(f"{part.name} {part.said}" for part in parts)
    return picture(48.0, name, told, *drawn)


def _key(bar: tuple[str, Sequence[Part]]) -> Html:
    items = [
        tag(
            "li",
            tag("span", "", class_=f"swatch {part.kind}"),
            f"{part.name} ",
            tag("b", part.said),
        )
        for part in bar[1]
    ]
    return tag("ul", *items, class_="key", aria_label=bar[0])


def costs(found: Sequence[Priced], label: Callable[[int], str]) -> Html:
    """Cost of an attempt against score: points with joint regions, and the frontier."""
    bills = [x for one in found for x, _ in one.region if x > 0] + [one.usd for one in found]
    log = min(bills) > 0 and max(bills) / min(bills) > 4
    across = around(bills, _LEFT + 6, WIDTH - 10, (0.0, float("inf")))
    if log:
        across = Axis(min(bills) / 1.15, max(bills) * 1.15, _LEFT + 6, WIDTH - 10, log=True)
    ys = [y for one in found for _, y in one.region] + [one.solved for one in found]
    up = replace(around(ys, 0, 0, (0.0, 1.0)), start=_TOP + 250, end=_TOP)
    parts = beside(up, _LEFT, WIDTH - 8, whole)
    parts += below(across, _TOP + 250, "USD per attempt" + (", log scale" if log else ""), usd)
    edge = [(across.at(one.usd), up.at(one.solved)) for one in ordered(found)]
    parts.append(path(_steps(edge), "frontier"))
    for one in found:
        outline = [(across.at(max(x, across.low)), up.at(y)) for x, y in one.region]
        parts.append(path(outline, ("b" if one.best else "g") + " area", closed=True))
    parts += _labels(found, across, up, label)
    told = "; ".join(
        f"{label(one.system)}: {usd(one.usd)} an attempt, {points(one.solved)} solved, "
        f"on the frontier in {100 * one.on_frontier:.0f}% of resamples"
        for one in found
    )
    return picture(_TOP + 290, "Cost against score", told, *parts)


def _steps(edge: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """From each system on the frontier, level until the next one's cost."""
    if not edge:
        return []
    found = [edge[0]]
    for x, y in edge[1:]:
        found += [(x, found[-1][1]), (x, y)]
    return [*found, (WIDTH - 10, found[-1][1])]


def _labels(
    found: Sequence[Priced], across: Axis, up: Axis, label: Callable[[int], str]
) -> list[Html]:
    """Dots with their names, each name moved until it is free of all others."""
    dots = [(across.at(one.usd), up.at(one.solved)) for one in found]
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in dots]
    parts = []
    for one, (x, y) in zip(found, dots, strict=True):
        name, kind = label(one.system), "b" if one.best else "g"
        wide = 7.5 * len(name)
        place = next(
            (spot for spot in _spots(x, y, wide) if not any(_meet(spot, other) for other in taken)),
            next(_spots(x, y, wide)),
        )
        taken.append(place)
        middle_x, base = (place[0] + place[2]) / 2, place[3] - 3
        if abs(middle_x - x) > wide / 2 + 24 or abs((place[1] + place[3]) / 2 - y) > 24:
            parts.append(line(x, y, middle_x, (place[1] + place[3]) / 2, "grid"))
        parts.append(dot(x, y, 3.5, kind, f"{name}: {usd(one.usd)}, {points(one.solved)}"))
        parts.append(text(middle_x, base, name, "name halo", "middle"))
    return parts


def _spots(x: float, y: float, wide: float) -> Iterator[tuple[float, float, float, float]]:
    """Places for a name, nearest to its dot first, none outside the picture but the last."""
    for step in range(7):
        away = 8.0 + step * _SIZE
        for left, top in (
            (x + 8, y - _SIZE / 2 - step * _SIZE),
            (x - 8 - wide, y - _SIZE / 2 - step * _SIZE),
            (x - wide / 2, y - away - _SIZE),
            (x - wide / 2, y + away - 2),
            (x + 8, y - _SIZE / 2 + step * _SIZE),
            (x - 8 - wide, y - _SIZE / 2 + step * _SIZE),
        ):
            inside = left >= _LEFT and left + wide <= WIDTH and _TOP - 8 <= top <= _TOP + 236
            if inside:
                yield left, top, left + wide, top + _SIZE
    yield x + 8, y - _SIZE / 2, x + 8 + wide, y + _SIZE / 2


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
