"""One run: its conditions in figures, then its attempts as a grid or as a list."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.types import Attempt
from results.report.layout import duration, percent
from results.report.page.markup import Html, joined, table, tag
from results.report.page.spelt import NONE, short, usd
from results.view.asked import Asked
from results.view.grid import (
    Page,
    Standing,
    grid,
    listing,
    reasons,
    row_of,
    standings,
    strays,
)
from results.view.index import Reading, Row
from results.view.live import Underway
from results.view.pages.bits import (
    GLYPHS,
    SPELT,
    attempt_url,
    count,
    filters,
    link,
    run_url,
    spaced,
    square,
    text,
)
from results.view.pages.search import pager, search
from results.view.pages.shell import page

MOST_UNDERWAY = 24


@dataclass(frozen=True, slots=True)
class Seen:
    """A run, and what is known of it besides its files."""

    reading: Reading
    going: Sequence[Underway] = ()
    marked: Collection[str] = ()
    """Names of attempts that the audit points at, as far as it has been asked."""

    def class_(self, attempt: Attempt) -> str:
        """What a square shows besides the outcome."""
        if self.marked and attempt.id in self.marked:
            return "marked"
        return "going" if any(one.attempt == attempt for one in self.going) else ""


def run(seen: Seen, asked: Asked, crumbs: list[tuple[str, str]]) -> str:
    """The page of one run, for what its address asks."""
    reading, going = seen.reading, seen.going
    names = dict(zip(reading.manifest.conditions, _names(reading), strict=True))
    part = listing(reading, asked) if asked.view == "list" else grid(reading, asked)
    body = _list(reading, asked, part, names) if asked.view == "list" else _grid(seen, asked, part)
    return page(
        f"{reading.name}: run",
        [*crumbs, (reading.name, "")],
        tag("h1", reading.name),
        _about(reading),
        _progress(reading),
        _under_way(reading, going, names),
        _conditions(reading, asked, names),
        search(reading, asked, part, names),
        body,
        pager(reading, asked, part),
        _notes(reading),
        watched=f"/api/r/{reading.name}/state",
        seen=reading.version,
    )


def _names(reading: Reading) -> list[str]:
    return short([arm.condition for arm in reading.manifest.conditions.values()])


def _about(reading: Reading) -> Html:
    """What is measured, and since when."""
    manifest = reading.manifest
    origins: dict[str, int] = {}
    for task in manifest.tasks.values():
        origins[task.origin] = origins.get(task.origin, 0) + 1
    said = ", ".join(f"{n:,} tasks of {name}" for name, n in origins.items()) or "no task"
    repeats = sorted({arm.repeats for arm in manifest.conditions.values()})
    times = "-".join(str(number) for number in dict.fromkeys(repeats[:1] + repeats[-1:]))
    parts = [f"{said}; {len(manifest.conditions)} conditions; {times or 0} repeats"]
    if manifest.history:
        first, last = manifest.history[0], manifest.history[-1]
        parts.append(f"begun {first.at[:16].replace('T', ' ')} UTC by harness {last.harness}")
    return tag("p", "; ".join(parts), class_="fine")


def _progress(reading: Reading) -> Html:
    """One bar of everything that is planned."""
    found = standings(reading)
    solved = sum(one.score.resolved for one in found)
    graded = sum(one.score.graded for one in found)
    counts = {
        "solved": solved,
        "unsolved": graded - solved,
        "faulted": sum(one.faulted for one in found),
        "owed": sum(one.owed for one in found),
    }
    total = sum(counts.values()) or 1
    x, bars = 0.0, []
    for state, number in counts.items():
        wide = 1000 * number / total
        bars.append(tag("rect", x=x, y=0.0, width=wide, height=10.0, class_=state))
        x += wide
    words = [
        link(f"{number:,} {SPELT[state]}", Asked(o=state).query, class_=f"count {state}")
        for state, number in counts.items()
        if number
    ]
    svg = tag("svg", *bars, viewBox="0 0 1000 10", preserveAspectRatio="none", class_="progress")
    return tag("div", svg, tag("p", joined(words, " ")), _reasons(reading), class_="standing")


def _reasons(reading: Reading) -> Html:
    """Why attempts were not solved or not measured, and how they ended, each a list of them."""
    parts = []
    for name, counts in reasons(reading).items():
        if len(counts) > (name == "ending"):
            lists = Asked(view="list")
            links = [
                link(text(f"{spaced(said)} {number:,}"), lists.but(**{name: said}).query)
                for said, number in counts[:8]
            ]
            parts.append(tag("span", f"{name}: ", joined(links, ", ")))
    parts.append(link("what the audit points at", run_url(reading.name, "/audit")))
    return tag("p", *parts, class_="fine")


def _under_way(reading: Reading, going: Sequence[Underway], names: Mapping[str, str]) -> Html:
    if not going:
        return Html("")
    shown = [
        tag(
            "li",
            link(f"{one.attempt.task}", attempt_url(reading.name, one.attempt)),
            f" {names.get(one.attempt.condition, one.attempt.condition)}, repeat "
            f"{one.attempt.repeat + 1}" + (f", try {one.number}" if one.number > 1 else ""),
        )
        for one in going[:MOST_UNDERWAY]
    ]
    more = len(going) - len(shown)
    head = tag("h2", f"Under way: {len(going)}" + (f", {more} not shown" if more else ""))
    return tag("section", head, tag("ul", *shown, class_="going"), id="underway")


def _conditions(reading: Reading, asked: Asked, names: Mapping[str, str]) -> Html:
    head = [
        "condition",
        "solved %",
        "95% for new issues",
        "solved of graded",
        "faulted",
        "owed",
        "$ per solved",
        "spent",
        "calls, mean",
        "time, mean",
    ]
    rows = [
        _condition(one, asked, number, names[one.digest])
        for number, one in enumerate(standings(reading), start=1)
    ]
    return table(head, rows, class_="conditions")


def _condition(one: Standing, asked: Asked, number: int, name: str) -> list[str]:
    rate, graded = one.score.rate, one.score.graded
    chosen = asked.c == one.digest
    there = asked.but(c="" if chosen else one.digest).query
    each = None if one.usd is None or not one.score.resolved else one.usd / one.score.resolved
    return [
        joined(
            [
                tag("span", f"#{number}", class_="no"),
                link(
                    name,
                    there,
                    class_="here" if chosen else None,
                    title=f"{one.label} [{one.digest}]",
                ),
            ]
        ),
        percent(rate.value),
        _interval(rate.low, rate.high, rate.value),
        f"{one.score.resolved:,} / {graded:,}",
        f"{one.faulted:,}" if one.faulted else "",
        f"{one.owed:,}" if one.owed else "",
        usd(each),
        usd(one.spent),
        f"{one.calls / graded:.1f}" if graded and one.calls else NONE,
        duration(one.seconds / graded) if graded and one.seconds else NONE,
    ]


def _interval(low: float | None, high: float | None, value: float | None) -> Html:
    """A rate and its interval from 0 to 100."""
    if low is None or high is None or value is None:
        return Html(NONE)
    said = f"{percent(low)} to {percent(high)}"
    return tag(
        "svg",
        tag("title", said),
        tag("line", x1=0.0, x2=100.0, y1=7.0, y2=7.0, class_="grid"),
        tag("rect", x=100 * low, y=4.0, width=100 * (high - low), height=6.0, class_="range"),
        tag("circle", cx=100 * value, cy=7.0, r=4.0, class_="b"),
        viewBox="-5 0 110 14",
        class_="interval",
    )


def _grid(seen: Seen, asked: Asked, part: Page) -> Html:
    reading = seen.reading
    conditions = (
        [asked.c] if asked.c in reading.manifest.conditions else list(reading.manifest.conditions)
    )
    numbers = {digest: i for i, digest in enumerate(reading.manifest.conditions, start=1)}
    head = [tag("th", "task", scope="col")]
    for digest in conditions:
        label = reading.manifest.conditions[digest].label
        head.append(tag("th", f"#{numbers[digest]}", scope="col", title=f"{label} [{digest}]"))
    query = filters(asked)
    rows = [tag("tr", *_task(seen, task, conditions, query)) for task in part.tasks]
    whole = tag(
        "table", tag("thead", tag("tr", *head)), tag("tbody", *rows, id="rows"), class_="grid"
    )
    return tag("div", _legend() if part.tasks else _nothing(), whole, class_="scroll")


def _task(seen: Seen, task: str, conditions: Sequence[str], query: str) -> Iterator[Html]:
    reading = seen.reading
    declared = reading.manifest.tasks[task]
    repo = declared.facets.get("repo", "")
    fenced = reading.fenced.get(task)
    mark = (
        tag("span", "quarantine", class_="chip faulted", title=fenced) if fenced is not None else ""
    )
    name = link(text(task), Asked(task=task, view="list").query)
    yield tag(
        "th", name, " ", mark, tag("span", text(repo), class_="repo"), scope="row", title=task
    )
    for digest in conditions:
        squares = (
            square(attempt_url(reading.name, attempt, query), row, class_=seen.class_(attempt))
            for attempt, row in row_of(reading, task, digest)
        )
        yield tag("td", Html("".join(squares)), class_="squares")


def _legend() -> Html:
    return tag(
        "p",
        *(
            joined([tag("span", GLYPHS[state], class_=f"sq {state}"), f" {said}  "])
            for state, said in SPELT.items()
        ),
        "each square is one repeat",
        class_="fine legend",
    )


def _nothing() -> Html:
    return tag("p", "Nothing fits these filters. ", link("All of it", "?"), class_="why")


def _list(reading: Reading, asked: Asked, part: Page, names: Mapping[str, str]) -> Html:
    if not part.attempts:
        return _nothing()
    head = [
        "attempt",
        "condition",
        "outcome",
        "why",
        "ending",
        "tries",
        "calls",
        "tokens",
        "$",
        "time",
        "settled",
    ]
    query = filters(asked)
    rows = [_line(reading, one, names, query) for one in part.attempts]
    top = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    body = tag("tbody", *rows, id="rows")
    return tag("div", tag("table", tag("thead", top), body, class_="lines"), class_="scroll")


def _line(reading: Reading, one: Attempt, names: Mapping[str, str], query: str) -> Html:
    row = reading.row(one)
    href = attempt_url(reading.name, one, query)
    name = link(joined([text(one.task), tag("span", f" {one.repeat + 1}", class_="repo")]), href)
    cells: list[str] = [
        names.get(one.condition, f"undeclared [{one.condition}]"),
        joined([square(href, row), " ", SPELT[row.state]]),
        _why(row),
        spaced(row.ending),
        str(row.tried or ""),
        f"{row.calls:,}" if row.calls else "",
        count(row.tokens) if row.tokens else "",
        usd(row.spent) if row.state != "owed" else "",
        duration(row.seconds) if row.seconds else "",
        row.at[:16].replace("T", " "),
    ]
    return tag("tr", tag("th", name, scope="row"), *(tag("td", cell) for cell in cells))


def _why(row: Row) -> Html:
    if row.state == "faulted":
        return tag("span", text(f"{row.why}: {row.message}"), class_="fault", title=row.message)
    return text("" if row.state == "solved" else spaced(row.why))


def _notes(reading: Reading) -> Html:
    """What is wrong with the run's files, and what of it is not counted."""
    said = [tag("li", text(line)) for line in reading.troubles]
    extra = strays(reading)
    if extra:
        shown = [link(text(a.id), attempt_url(reading.name, a)) for a in extra[:20]]
        words = f"{len(extra)} recorded attempts are not declared; no number counts them: "
        said.append(tag("li", words, joined(shown, ", ")))
    for task, why in list(reading.manifest.left_out.items())[:50]:
        said.append(tag("li", "left out: ", text(task), ": ", text(why)))
    if not said:
        return Html("")
    return tag("section", tag("h2", "Notes"), tag("ul", *said))
