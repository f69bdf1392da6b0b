"""A try's trajectory: a picture of all of it, and a page of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from urllib.parse import quote, urlencode

from results.report.page.markup import Html, joined, tag
from results.view.asked import number
from results.view.evidence import Sight
from results.view.pages.bits import chip, link, run_url, text
from results.view.pages.strip import strip
from results.view.pages.trajectory import step
from results.view.steps import Outline, a_map, steps
from results.view.steps import found as found_in

STEPS = 40
"""Steps of a trajectory on one page."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which part of an attempt an address asks for."""

    number: int
    """The try."""
    first: int
    """A step of the page to show, from 1."""
    find: str
    line: int
    """The line of the trace that somebody points at; 0 for none."""


def place(sight: Sight, query: dict[str, str]) -> Place:
    """Out of an address; the last try where none is named."""
    last = sight.traces[-1] if sight.traces else max(1, sight.row.tried)
    return Place(
        number=number(query.get("try", ""), last, most=10_000),
        first=number(query.get("from", ""), 1),
        find=query.get("find", "")[:200],
        line=number(query.get("line", ""), 0) if query.get("line", "").isdecimal() else 0,
    )


def walk(sight: Sight, outline: Outline | None, at: Place, stem: str) -> Html:
    """A page of a try's steps, under a picture of all of them."""
    if outline is None:
        return _without_trace(sight, at)
    hits = found_in(sight.trace(at.number), outline, at.find) if at.find else []
    pointed = _pointed(outline, at.line)
    first = _first(outline, at, hits, pointed)
    raw = run_url(
        sight.reading.name, f"/trace/{quote(sight.attempt.id, safe='~+')}/{at.number}?line="
    )
    shown = steps(sight.trace(at.number), outline, first, STEPS + (first == 0))
    cards = [
        step(one, raw, here=one.beat.number == pointed or one.beat.number in hits) for one in shown
    ]
    head = f"{outline.steps:,} step{'s' * (outline.steps != 1)}"
    query: dict[str, object] = {"try": at.number} | ({"find": at.find} if at.find else {})
    return tag(
        "section",
        tag(
            "h2",
            "Trajectory ",
            tag("small", head + (f", try {at.number}" if at.number > 1 else "")),
        ),
        _find(at, hits),
        strip(outline, first, STEPS, set(hits), stem, query),
        _ways(outline, first, stem, query),
        *cards,
        _ways(outline, first, stem, query),
        _remarks(outline, raw),
        id="trajectory",
    )


def _first(outline: Outline, at: Place, hits: Sequence[int], pointed: int | None) -> int:
    """The first step of the page on which what was asked for stands."""
    wanted = at.first
    if pointed is not None:
        wanted = pointed
    elif hits and at.first == 1:
        wanted = hits[0]
    wanted = min(wanted, outline.steps)
    return 0 if wanted <= STEPS else (wanted - 1) // STEPS * STEPS + 1


def _pointed(outline: Outline, line: int) -> int | None:
    """The step to which a line of the trace belongs."""
    if not line:
        return None
    return max((b.number for b in outline.beats if b.line <= line), default=0)


def _without_trace(sight: Sight, at: Place) -> Html:
    facts_ = a_map(sight.last.get("facts"))
    if sight.row.state == "owed":
        why = "No try of it has begun."
    elif "format" in facts_ or "imported" in sight.label:
        why = "This result was imported: what the agent did is not in it."
    else:
        why = f"There is no trace of try {at.number}."
    return tag("section", tag("h2", "Trajectory"), tag("p", why, class_="why"), id="trajectory")


def _find(at: Place, hits: Sequence[int]) -> Html:
    said = "" if not at.find else f"in {len(hits)} steps"
    query: dict[str, object] = {"try": at.number, "find": at.find}
    links = [
        tag("a", str(hit), href=f"?{_spelt(query | {'from': max(1, hit)})}#s{hit}")
        for hit in hits[:60]
    ]
    return tag(
        "form",
        tag("input", type="hidden", name="try", value=str(at.number)),
        tag(
            "input",
            type="search",
            name="find",
            value=at.find,
            placeholder="find in the trajectory",
            aria_label="find in the trajectory",
        ),
        tag("button", "Find"),
        tag("output", joined([said, *links], " ")),
        method="get",
        action="#trajectory",
        class_="find",
    )


def _ways(outline: Outline, first: int, stem: str, query: dict[str, object]) -> Html:
    """To the steps before and after these."""
    if outline.steps <= STEPS:
        return Html("")
    pages = ceil(outline.steps / STEPS)
    here = max(0, first - 1) // STEPS
    parts = []
    for at in range(pages):
        if at not in (0, pages - 1) and abs(at - here) > 2:
            if abs(at - here) == 3:
                parts.append(tag("span", ".."))
            continue
        words = f"{at * STEPS + 1}\N{EN DASH}{min(outline.steps, (at + 1) * STEPS)}"
        if at == here:
            parts.append(tag("b", words))
        else:
            asked = _spelt(query | {"from": at * STEPS + 1})
            class_ = {here - 1: "steps-before", here + 1: "steps-after"}.get(at)
            parts.append(tag("a", words, href=f"{stem}?{asked}#trajectory", class_=class_))
    return tag("nav", *parts, class_="pager", aria_label="steps")


def _remarks(outline: Outline, raw: str) -> Html:
    """How the trace ends, and what of it cannot be read."""
    said = list(_ends(outline))
    whole = link("the trace as it is", raw.removesuffix("?line="))
    lines = [tag("li", one) for one in said]
    lines += [tag("li", "not readable: ", text(line)) for line in outline.unreadable]
    if outline.torn:
        torn = "its last line is torn: it is being written, or its writer died"
        lines.append(tag("li", torn))
    return tag("div", tag("ul", *lines), tag("p", whole, class_="fine"), class_="trace-end")


def _ends(outline: Outline) -> Iterator[Html]:
    if ending := outline.said.get("ending"):
        yield joined(["the scaffold ended: ", chip(text(str(ending.get("ending"))))])
    if fault := outline.said.get("fault"):
        told = f"fault of the {fault.get('culprit')}: {fault.get('message')}"
        yield joined([chip("fault", "faulted"), " ", text(told[:2000])])
    if told_verdict := outline.said.get("verdict"):
        yield joined(["the grader said: ", chip(text(str(told_verdict.get("reason"))))])
    if not outline.said.keys() & {"ending", "fault", "verdict"}:
        yield Html("the trace has no end: the try is under way, or it died")


def _spelt(query: Mapping[str, object]) -> str:
    return urlencode(query, errors="surrogatepass")
