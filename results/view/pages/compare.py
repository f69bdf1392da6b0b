"""Two attempts side by side: outcome, what it took, tests that differ, patches, steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from typing import TypeAlias
from urllib.parse import quote, urlencode

from results.report.layout import duration
from results.report.page.markup import Html, joined, table, tag
from results.report.page.spelt import NONE, usd
from results.view.evidence import Sight, blob, tests
from results.view.pages.bits import attempt_url, chip, count, link, run_url, spaced, text
from results.view.pages.changes import patch, size
from results.view.pages.outcome import verdict
from results.view.pages.shell import page
from results.view.pages.trajectory import step
from results.view.steps import Outline, steps

Side: TypeAlias = tuple[Sight, Outline | None]
STEPS = 20
MOST_TESTS = 300


def compare(a: Side, b: Side, first: int, crumbs: list[tuple[str, str]]) -> str:
    """The page. `first` is the step, from 0, with which both columns begin."""
    one, other = a[0], b[0]
    same = one.attempt.task == other.attempt.task
    title = one.attempt.task if same else f"{one.attempt.task} and {other.attempt.task}"
    there = (
        one.reading.name,
        run_url(one.reading.name, f"?view=list&task={quote(one.attempt.task, errors='replace')}"),
    )
    return page(
        f"{title}: side by side",
        [*crumbs, there, ("side by side", "")],
        tag("h1", text(title)),
        "" if same else tag("p", "These are attempts of two different tasks.", class_="why"),
        _pair(_head(one), _head(other)),
        _pair(verdict(one), verdict(other)),
        _figures(a, b),
        _tests(one, other),
        tag(
            "section",
            tag("h2", "Patches", _same_patch(one, other)),
            _pair(_patch(one), _patch(other)),
            id="diff",
        ),
        _steps(a, b, first),
    )


def _pair(left: Html, right: Html) -> Html:
    return tag("div", tag("div", left), tag("div", right), class_="pair")


def _head(found: Sight) -> Html:
    name = found.reading.name
    said = joined([text(found.name), f", repeat {found.attempt.repeat + 1}"])
    return tag(
        "h3", link(said, attempt_url(name, found.attempt), title=found.label), " ", chip(name)
    )


def _figures(a: Side, b: Side) -> Html:
    """What each took, in one table."""
    rows: list[tuple[str, Callable[[Side], str]]] = [
        ("ended", lambda side: spaced(side[0].row.ending) or NONE),
        ("steps", lambda side: str(side[1].steps) if side[1] else NONE),
        ("calls", lambda side: f"{side[0].row.calls:,}" if side[0].row.calls else NONE),
        ("tokens", lambda side: count(side[0].row.tokens) if side[0].row.tokens else NONE),
        ("cost of all tries", lambda side: usd(side[0].row.spent) if side[0].records else NONE),
        ("time", lambda side: duration(side[0].row.seconds) if side[0].row.seconds else NONE),
        ("tries", lambda side: str(side[0].row.tried or NONE)),
    ]
    told = [[name, tell(a), tell(b)] for name, tell in rows]
    return table(["", "left", "right"], told, class_="figures")


def _tests(one: Sight, other: Sight) -> Html:
    """The tests that came out differently."""
    left, right = _statuses(one), _statuses(other)
    if not left or not right or one.attempt.task != other.attempt.task:
        return Html("")
    names = [n for n in dict.fromkeys([*left, *right]) if left.get(n) != right.get(n)]
    if not names:
        return tag("p", f"Every one of {len(left)} tests came out the same.", class_="fine")
    rows = [
        [tag("code", text(n[:300])), _status(left.get(n)), _status(right.get(n))]
        for n in names[:MOST_TESTS]
    ]
    head = f"{len(names)} came out differently"
    return tag(
        "section", tag("h2", "Tests ", tag("small", head)), table(["test", "left", "right"], rows)
    )


def _statuses(found: Sight) -> Mapping[str, str]:
    told = tests(found.store, found.last)
    return {n: s for rows in told.lists.values() for n, s in rows} if told else {}


def _status(status: str | None) -> Html:
    return chip(status or "not reported", status or "missing")


def _same_patch(one: Sight, other: Sight) -> Html:
    a, b = blob(one.store, one.last, "patch"), blob(other.store, other.last, "patch")
    same = isinstance(a, bytes) and a == b
    return tag("small", " the same, byte for byte") if same else Html("")


def _patch(found: Sight) -> Html:
    kept = blob(found.store, found.last, "patch")
    if not isinstance(kept, bytes):
        return tag("p", text(kept or "This record keeps no patch."), class_="why")
    digest = str(found.last["blobs"]["patch"])
    return joined(
        [tag("p", size(kept)), patch(kept, run_url(found.reading.name, f"/blob/{digest}"))]
    )


def _steps(a: Side, b: Side, first: int) -> Html:
    """Both trajectories, step beside step."""
    longest = max(outline.steps if outline else 0 for _, outline in (a, b))
    first = min(first // STEPS * STEPS, max(0, longest - 1) // STEPS * STEPS)
    begin, size_ = (0, STEPS + 1) if first == 0 else (first + 1, STEPS)
    left, right = (_cards(side, begin, size_) for side in (a, b))
    rows = [
        _pair(left.get(number, Html("")), right.get(number, Html("")))
        for number in range(begin, begin + size_)
        if number in left or number in right
    ]
    ways = _ways(a[0], b[0], first, longest)
    return tag("section", tag("h2", "Step beside step"), ways, *rows, ways, id="trajectory")


def _cards(side: Side, first: int, size_: int) -> dict[int, Html]:
    found, outline = side
    if outline is None:
        return {}
    number = found.traces[-1]
    stem = f"/trace/{quote(found.attempt.id, safe='~+')}/{number}?line="
    raw = run_url(found.reading.name, stem)
    shown = steps(found.trace(number), outline, first, size_)
    return {one.beat.number: step(one, raw) for one in shown}


def _ways(one: Sight, other: Sight, first: int, longest: int) -> Html:
    pages = ceil(longest / STEPS)
    if pages < 2:
        return Html("")
    names = {k: f"{s.reading.name}/{s.attempt.id}" for k, s in (("a", one), ("b", other))}
    parts = []
    for at in range(pages):
        words = f"{at * STEPS + 1}\N{EN DASH}{min(longest, (at + 1) * STEPS)}"
        href = f"/compare?{urlencode(names | {'from': str(at * STEPS + 1)})}#trajectory"
        parts.append(tag("b", words) if at * STEPS == first else tag("a", words, href=href))
    return tag("nav", *parts, class_="pager", aria_label="steps")
