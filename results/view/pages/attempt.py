"""One attempt: what became of it, and how it came to that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from harness.types import Attempt
from results.report.layout import duration
from results.report.page.markup import Html, joined, tag
from results.report.page.spelt import usd
from results.view.asked import Asked
from results.view.auditor import Found
from results.view.evidence import Sight
from results.view.grid import neighbours, row_of
from results.view.pages.bits import attempt_url, chip, count, facts, link, run_url, square, text
from results.view.pages.outcome import (
    facts_section,
    marks_section,
    patch_section,
    tests_section,
    verdict,
)
from results.view.pages.shell import page
from results.view.pages.walk import Place, walk
from results.view.steps import Outline, a_list, a_map


def attempt(
    sight: Sight,
    told: tuple[Outline | None, Found | None],
    asked: Asked,
    at: Place,
    crumbs: list[tuple[str, str]],
) -> str:
    """The page of one attempt. `told` is the outline of the try's trace, None where there is none,
    and what the audit has found, None where it is not known yet."""
    outline, found = told
    name, key = sight.reading.name, sight.attempt
    kept = asked.but(view="", sort="").query
    back = run_url(name, kept if kept != "?" else "")
    stem = attempt_url(name, key)
    return page(
        f"{key.task}, {sight.name}",
        [*crumbs, (name, back), (key.task, "")],
        _around(sight, asked),
        tag("h1", text(key.task)),
        _heading(sight),
        _siblings(sight, kept),
        verdict(sight),
        _facts(sight),
        _sections(),
        marks_section(sight, found),
        patch_section(sight),
        tests_section(sight),
        walk(sight, outline, at, stem),
        facts_section(sight),
        watched=f"/api{run_url(name)}/state?{urlencode({'attempt': key.id, 'try': at.number})}",
        seen=version(sight, outline),
    )


def version(sight: Sight, outline: Outline | None) -> str:
    """Changes whenever this page would."""
    written = outline.end if outline else 0
    return f"{len(sight.records)}-{len(sight.traces)}-{written}"


def _around(sight: Sight, asked: Asked) -> Html:
    """The attempts before and after it in the list that one came from."""
    before, after = neighbours(sight.reading, asked, sight.attempt)
    query = asked.but(view="", sort="").query

    def to(one: Attempt | None, words: str, rel: str) -> Html:
        if one is None:
            return tag("span", words, class_="soft")
        return tag("a", words, href=attempt_url(sight.reading.name, one, query), rel=rel)

    return tag(
        "nav",
        to(before, "\N{LEFTWARDS ARROW} previous", "prev"),
        to(after, "next \N{RIGHTWARDS ARROW}", "next"),
        class_="around",
        aria_label="neighbours",
    )


def _heading(sight: Sight) -> Html:
    key, arm = sight.attempt, sight.arm
    of = f" of {arm.repeats}" if arm else ""
    name = joined([tag("b", f"#{_number(sight)} "), text(sight.name)]) if arm else text(sight.label)
    parts = [chip(name, title=sight.label), chip(f"repeat {key.repeat + 1}{of}")]
    if sight.declared and (repo := sight.declared.facets.get("repo")):
        parts.append(chip(text(repo)))
    fenced = sight.reading.fenced.get(key.task)
    if fenced is not None:
        parts.append(chip("quarantined", "faulted", title=fenced))
    return tag("p", joined(parts, " "), class_="heading")


def _number(sight: Sight) -> int:
    """Of its condition, as the run's page numbers them."""
    return list(sight.reading.manifest.conditions).index(sight.attempt.condition) + 1


def _siblings(sight: Sight, query: str) -> Html:
    """Every attempt of the task, this one marked, each with a way to see both side by side."""
    reading, key = sight.reading, sight.attempt
    if sight.declared is None:
        return Html("")
    rows = []
    for at, (digest, arm) in enumerate(reading.manifest.conditions.items(), start=1):
        squares = [
            square(attempt_url(reading.name, one, query), row, class_="this" if one == key else "")
            for one, row in row_of(reading, key.task, digest)
        ]
        head = tag("span", f"#{at}", class_="no", title=arm.label)
        rows.append(tag("span", head, Html("".join(squares)), class_="arm"))
    others = [
        (one, row)
        for digest in reading.manifest.conditions
        for one, row in row_of(reading, key.task, digest)
        if one != key and row.state != "owed"
    ]
    compare = _compare_form(sight, [one for one, _ in others]) if others else Html("")
    return tag("div", *rows, compare, class_="siblings")


def _compare_form(sight: Sight, others: Sequence[Attempt]) -> Html:
    """Choose another attempt of the task, to see both side by side."""
    name = sight.reading.name
    arms = sight.reading.manifest.conditions
    numbers = {digest: i for i, digest in enumerate(arms, start=1)}
    first = next((one for one in others if one.condition == sight.attempt.condition), others[0])
    options = [
        tag(
            "option",
            f"#{numbers[one.condition]} repeat {one.repeat + 1}",
            value=f"{name}/{one.id}",
            selected="" if one == first else None,
        )
        for one in others
    ]
    return tag(
        "form",
        tag("input", type="hidden", name="a", value=f"{name}/{sight.attempt.id}"),
        tag("label", "beside ", tag("select", *options, name="b", aria_label="other attempt")),
        tag("button", "compare"),
        method="get",
        action="/compare",
        class_="beside",
    )


def _facts(sight: Sight) -> Html:
    """What it took, and where the seconds went."""
    last = sight.last
    if not last:
        return Html("")
    usage, clocks, told = (a_map(last.get(key)) for key in ("usage", "clocks", "facts"))
    fresh, cached = usage.get("fresh") or 0, usage.get("cache_read") or 0
    tokens = (
        f"{count(fresh)} fresh, {count(cached)} cached in; {count(usage.get('output') or 0)} out"
    )
    if usage.get("reasoning"):
        tokens += f" ({count(usage['reasoning'])} reasoning)"
    calls = int(usage.get("calls") or 0)
    served = told.get("model_model") or told.get("served")
    took = tag(
        "div",
        facts(
            [
                ("ended", text(str(last.get("ending") or "")) or None),
                ("settled", str(last.get("at") or "").replace("T", " ")[:16]),
                ("calls", f"{calls:,}" if calls else None),
                ("tokens", tokens if calls else None),
                ("cost", _cost(sight, usage)),
                ("served", text(str(served)) if served else None),
                ("box", _box(told)),
                ("tries", _tries(sight)),
                ("agent", _agent(told)),
                ("asked for", _asked_for(told)),
                ("grade", _REUSED if told.get("grade_reused") else None),
            ]
        ),
        _clocks(clocks),
        class_="took",
    )
    return joined([took, _unequal(told)])


def _cost(sight: Sight, usage: Mapping[str, Any]) -> str | None:
    each = usage.get("usd")
    if each is None:
        return "no price"
    spent = sight.row.spent
    more = spent is not None and abs(spent - each) > 1e-9
    return usd(each) + (f"; all tries paid {usd(spent)}" if more else "")


def _box(told: Mapping[str, Any]) -> Html | None:
    if not told.get("sandbox"):
        return None
    image = str(told.get("image_digest") or told.get("image") or "")
    return joined([text(str(told["sandbox"])), " ", tag("code", text(image[:19]), title=image)])


_REUSED = "taken over: the same patch had been graded before"


def _agent(told: Mapping[str, Any]) -> Html | None:
    """The program that solved it, where that was somebody else's."""
    if not told.get("agent"):
        return None
    wire = told.get("agent_wire")
    said = f"{told['agent']} {told.get('agent_version') or ''}"
    return text(said + (f", {wire} wire" if wire else ""))


def _asked_for(told: Mapping[str, Any]) -> Html | None:
    """The names by which a program asked for its model, each with its calls."""
    names = [f"{name} ({calls})" for name, calls in a_map(told.get("agent_models")).items()]
    aside = told.get("agent_calls_aside")
    more = f"; {aside} without tools" if aside else ""
    return text(", ".join(names) + more) if names else None


def _unequal(told: Mapping[str, Any]) -> Html:
    """What a comparison with a scaffold of ours has to bear with."""
    said = [str(one) for one in a_list(told.get("agent_unequal"))]
    settings = a_map(told.get("agent_settings"))
    if settings:
        values = (f"{k} = {' or '.join(map(str, a_list(v)))}" for k, v in settings.items())
        said.append(f"set of the model: {', '.join(values)}")
    if not said:
        return Html("")
    return tag("p", text(f"Not on equal footing: it {'; it '.join(said)}."), class_="fine")


def _tries(sight: Sight) -> Html | None:
    """Every try, by what came of it; one that left no record died on the way."""
    numbers = sorted({*sight.traces, *(int(r.get("tried") or 1) for r in sight.records)})
    if len(numbers) < 2:
        return None
    parts = []
    for each in numbers:
        record = sight.record(each)
        word = str(record.get("kind") or "no record")
        if record.get("kind") == "faulted":
            word = f"fault of the {record.get('culprit')}"
        here = attempt_url(sight.reading.name, sight.attempt, f"?try={each}")
        parts.append(link(text(f"{each}: {word}"), here))
    return joined(parts, ", ")


_CLOCKS = (
    ("model", "b"),
    ("tool", "o"),
    ("grade", "v"),
    ("box", "g"),
    ("prepare", "w"),
)


def _clocks(clocks: Mapping[str, Any]) -> Html:
    """Seconds by what they went on, as one bar."""
    total = float(clocks.get("total") or 0)
    if not total:
        return Html("")
    told = [(name, float(clocks.get(name) or 0), class_) for name, class_ in _CLOCKS]
    other = max(0.0, total - sum(amount for _, amount, _ in told))
    x, bars = 0.0, []
    for name, amount, class_ in told:
        wide = 1000 * amount / total
        bars.append(
            tag("rect", tag("title", name), x=x, y=0.0, width=wide, height=10.0, class_=class_)
        )
        x += wide
    words = [
        tag("span", tag("i", "", class_=f"swatch {class_}"), f"{name} {duration(amount)}")
        for name, amount, class_ in told
        if amount >= 0.05
    ]
    if other >= 0.05:
        words.append(tag("span", f"other {duration(other)}"))
    svg = tag("svg", *bars, viewBox="0 0 1000 10", preserveAspectRatio="none", class_="clocks")
    return tag(
        "div", svg, tag("p", tag("b", duration(total)), " ", joined(words, " ")), class_="time"
    )


def _sections() -> Html:
    names = (
        ("audit", "Audit"),
        ("diff", "Patch"),
        ("tests", "Tests"),
        ("trajectory", "Trajectory"),
        ("evidence", "Evidence"),
    )
    return tag("nav", *(tag("a", said, href=f"#{id_}") for id_, said in names), class_="sections")
