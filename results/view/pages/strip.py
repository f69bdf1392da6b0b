"""A whole trajectory as one picture: a bar for each step, as high as it took long."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import log1p
from urllib.parse import urlencode

from results.report.layout import duration
from results.report.page.markup import Html, tag
from results.report.page.spelt import usd
from results.view.pages.bits import count
from results.view.steps import Beat, Outline

MOST = 300
"""Bars; longer trajectories have several steps in one."""
HIGH, WIDEST = 44.0, 30.0


def strip(
    outline: Outline,
    first: int,
    shown: int,
    hits: Collection[int],
    stem: str,
    query: Mapping[str, object],
) -> Html:
    """Every step: seconds of the model below, of its commands on top; a link to each."""
    beats = outline.beats[1:]
    if len(beats) < 2:
        return Html("")
    size = -(-len(beats) // MOST)
    groups = [beats[i : i + size] for i in range(0, len(beats), size)]
    longest = max(_took(group) for group in groups) or 1.0
    wide = min(WIDEST, 1000 / len(groups))
    parts = []
    for at, group in enumerate(groups):
        begin = (group[0].number - 1) // shown * shown + 1
        asked = urlencode({**query, "from": begin}, errors="surrogatepass")
        href = f"{stem}?{asked}#s{group[0].number}"
        here = first <= group[0].number < first + shown + (first == 0)
        classes = ("here" if here else "") + (
            " hit" if any(b.number in hits for b in group) else ""
        )
        parts.append(_bar(group, at * wide, wide, longest, href, classes))
    height = HIGH + 4
    svg = tag(
        "svg",
        *parts,
        viewBox=f"0 0 1000 {height:.0f}",
        preserveAspectRatio="none",
        class_="strip",
        role="img",
        aria_label="seconds of each step",
    )
    return tag("figure", svg, tag("figcaption", _caption(beats), class_="fine"))


def _bar(
    group: Sequence[Beat], x: float, wide: float, longest: float, href: str, classes: str
) -> Html:
    """Heights are logarithms: one slow test run would flatten all the others."""
    model = sum(beat.model_seconds for beat in group)
    tool = sum(beat.tool_seconds for beat in group)
    whole = max(2.0, HIGH * log1p(10 * (model + tool)) / log1p(10 * longest))
    share = model / (model + tool) if model + tool else 0.0
    failed = any(beat.failed for beat in group)
    room = {"x": x + 0.08 * wide, "width": 0.84 * wide}
    base = HIGH + 4
    bars = [
        tag("rect", x=x, width=wide, y=0.0, height=base, class_="space"),
        tag(
            "rect",
            **room,
            y=base - whole,
            height=whole * (1 - share),
            class_="r" if failed else "o",
        ),
        tag("rect", **room, y=base - whole * share, height=whole * share, class_="b"),
    ]
    first, last = group[0], group[-1]
    number = f"{first.number}" if first is last else f"{first.number}-{last.number}"
    said = f"{number}: {first.title}; model {duration(model)}, box {duration(tool)}"
    return tag("a", tag("title", said), *bars, href=href, class_=classes.strip() or None)


def _took(group: Sequence[Beat]) -> float:
    return sum(beat.model_seconds + beat.tool_seconds for beat in group)


def _caption(beats: Sequence[Beat]) -> Html:
    prompt, output = beats[-1].prompt, sum(beat.output for beat in beats)
    costs = [beat.usd for beat in beats if beat.live]
    money = "no price" if None in costs else usd(sum(cost or 0.0 for cost in costs))
    failed = sum(beat.failed for beat in beats)
    swatches = (("b", "model"), ("o", "commands"), ("r", "commands that failed"))
    key = [
        tag("span", tag("i", "", class_=f"swatch {class_}"), said, class_="swatched")
        for class_, said in swatches
    ]
    said = (
        f"last prompt {count(prompt)} tokens, {count(output)} written in all, {money}; "
        f"{failed} commands did not end with 0"
    )
    return tag("span", *key, said)
