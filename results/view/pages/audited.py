"""The audit of a run: which rules point at what, and the way to each line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote

from harness.types import Attempt
from results.audit.rules import SEVERITIES
from results.audit.scan import Mark
from results.audit.table import RULES
from results.report.page.markup import Html, joined, tag
from results.view.auditor import Survey
from results.view.index import Reading
from results.view.pages.bits import attempt_url, chip, link, run_url, text
from results.view.pages.shell import page

MOST = 300
NOTE = (
    "A mark points at a line that is worth a person's reading; it does not say why it was written, "
    "and what no rule knows is not marked. harness audit RUN has the rates with their intervals."
)


def audited(reading: Reading, survey: Survey, rule: str, crumbs: list[tuple[str, str]]) -> str:
    """The page; `rule` is the one whose marks alone are shown, or empty."""
    there = run_url(reading.name, "/audit")
    known = [one for one in list(survey.marks) if not rule or one.rule == rule]
    known.sort(key=lambda mark: SEVERITIES.index(mark.severity))
    done = f"{survey.done:,} of {survey.total:,} attempts read, {len(survey.marked):,} marked"
    return page(
        f"{reading.name}: audit",
        [*crumbs, (reading.name, run_url(reading.name)), ("audit", "")],
        tag("h1", "Audit"),
        tag("p", NOTE, class_="fine"),
        tag("p", done + ("" if survey.over else "; it goes on")),
        _rules(survey, rule, there),
        _lines(reading, known, rule),
        _left(len(known) - MOST),
        tag("ul", *(tag("li", text(line), class_="fine") for line in survey.unread[:50])),
        watched=f"/api{there}",
        seen=f"{survey.done}",
    )


def _rules(survey: Survey, chosen: str, there: str) -> Html:
    """Every rule that points at something, with how many lines."""
    counts = Counter(mark.rule for mark in list(survey.marks))
    ordered = sorted(RULES, key=lambda rule: SEVERITIES.index(rule.severity))
    rows = [
        tag(
            "tr",
            tag(
                "th",
                link(
                    rule.name,
                    f"{there}?rule={quote(rule.name)}",
                    class_="here" if rule.name == chosen else None,
                ),
                scope="row",
            ),
            tag("td", chip(rule.severity, rule.severity.replace(" ", "-"))),
            tag("td", f"{counts[rule.name]:,}"),
            tag("td", rule.points_at, class_="wide"),
        )
        for rule in ordered
        if counts[rule.name]
    ]
    if not rows:
        return tag("p", "No rule points at anything so far.", class_="why")
    everything = link("all of them", there) if chosen else Html("")
    return joined([tag("table", tag("tbody", *rows), class_="lines rules"), everything])


def _lines(reading: Reading, known: Sequence[Mark], rule: str) -> Html:
    if not known:
        return Html("")
    head = tag("h2", f"Lines: {len(known):,}", tag("small", f" of {rule}" if rule else ""))
    rows = tag("tbody", *(_mark(reading, mark) for mark in known[:MOST]), id="rows")
    return joined([head, tag("div", tag("table", rows, class_="lines"), class_="scroll")])


def _mark(reading: Reading, mark: Mark) -> Html:
    repeat = int(mark.attempt.rpartition("~")[2])
    query = f"?try={mark.number}&line={mark.event}#found"
    key = Attempt(mark.task, mark.condition, repeat)  # type: ignore[arg-type]
    solved = {None: "no grade", True: "solved", False: "not solved"}[mark.resolved]
    return tag(
        "tr",
        tag(
            "th",
            link(tag("code", text(mark.line)), attempt_url(reading.name, key, query)),
            scope="row",
        ),
        tag("td", chip(mark.severity, mark.severity.replace(" ", "-"))),
        tag("td", mark.rule),
        tag("td", mark.outcome),
        tag("td", solved),
        tag("td", text(mark.task)),
    )


def _left(number: int) -> Html:
    return (
        tag("p", f"{number:,} more are left out here.", class_="fine") if number > 0 else Html("")
    )
