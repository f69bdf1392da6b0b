"""The page: one HTML file with everything in it, which asks no network for anything."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from harness.types import Attempt
from results import quarantine
from results.bills import with_lost
from results.comparison import compare
from results.exchange.imported import Taken
from results.manifest import Manifest
from results.reliability import Table
from results.report.build import Report, reported
from results.report.page import attempts
from results.report.page.card import card
from results.report.page.compared import comparison, standing
from results.report.page.findings import Card
from results.report.page.findings import card as findings
from results.report.page.markup import Html, table, tag
from results.report.page.scene import MARGIN, Scene
from results.report.page.spelt import short
from results.report.page.study import study
from results.store import RunStore
from results.systems import Source
from results.table import History, histories

NAME = "report.html"
NAMED = 3
"""How many runs the heading names."""


@dataclass(frozen=True, slots=True)
class Fence:
    """What a check says of the tasks, where one is named in place of the list in a run's folder."""

    tasks: Mapping[str, str] | None = None
    checked: Table | None = None
    """Its gradings."""


def page(
    sources: Sequence[Source],
    *,
    typed: Sequence[str],
    beside: Path,
    fenced: Fence = Fence(),
    margin: float = MARGIN,
    flags: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Every condition of these runs and files: cards, comparison, and the attempts behind both.

    `typed` is what a command would call each source, `flags` what else `report` and `compare` were
    asked with. `beside` is the folder that the page will be in: links to traces start from there.
    """
    reports: list[Report] = []
    cards: list[Card] = []
    columns: list[attempts.Column] = []
    places: list[str] = []
    for source, place in zip(sources, typed, strict=True):
        report, manifest, found = _read(source, fenced)
        reports.append(report)
        for one in report.conditions:
            places.append(place)
            cards.append(findings(manifest, found, report, one))
            near = _near(source, beside)
            columns.append(attempts.Column("", "", one.digest, near, manifest, found))
    among = study(compare(sources, margin=margin), cards) if len(cards) > 1 else None
    files = [t for source, t in zip(sources, typed, strict=True) if isinstance(source, Taken)]
    scene = Scene(tuple(cards), tuple(_names(cards)), tuple(places), among, frozenset(files), flags)
    return _document(scene, reports, _labelled(columns, scene))


def _names(cards: Sequence[Card]) -> list[str]:
    """Short names; where several runs have a condition, the run is part of them."""
    distinct = {card.summary.digest: card.summary.condition for card in cards}
    known = dict(zip(distinct, short(list(distinct.values())), strict=True))
    several = len(distinct) < len(cards)
    return [known[c.summary.digest] + (f", {c.run}" if several else "") for c in cards]


def _read(source: Source, fenced: Fence) -> tuple[Report, Manifest, Mapping[Attempt, History]]:
    if isinstance(source, Taken):
        manifest, found = source.manifest, histories(source.records)
        told = reported(
            source.name, manifest, found, fenced=fenced.tasks or {}, checked=fenced.checked
        )
        return told, manifest, found
    store = RunStore(source)
    manifest = store.manifest()
    found = histories(store.records(), where=str(store.ledger.path))
    found = with_lost(store, found, manifest.planned())
    known = quarantine.read(source) if fenced.tasks is None else fenced.tasks
    told = reported(source.resolve().name, manifest, found, fenced=known, checked=fenced.checked)
    return told, manifest, found


def _near(source: Source, beside: Path) -> str | None:
    """Where a run's traces are, as seen from the page; None where it has none."""
    if isinstance(source, Taken) or not (source / "traces").is_dir():
        return None
    return Path(os.path.relpath(source.resolve() / "traces", beside.resolve())).as_posix()


def _labelled(columns: Sequence[attempts.Column], scene: Scene) -> list[attempts.Column]:
    return [
        attempts.Column(f"#{i + 1}", scene.names[i], c.digest, c.traces, c.manifest, c.found)
        for i, c in enumerate(columns)
    ]


def _document(scene: Scene, reports: Sequence[Report], columns: Sequence[attempts.Column]) -> str:
    name = ", ".join(report.name for report in reports[:NAMED])
    name += f" and {len(reports) - NAMED} more" if len(reports) > NAMED else ""
    here = resources.files("results.report.page")
    style = Html((here / "page.css").read_text("utf-8"))
    script = Html((here / "page.js").read_text("utf-8"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        # Nothing from elsewhere, whatever a run has written into its names and messages.
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
        ),
        tag("title", f"{name}: reliability report"),
        tag("style", style),
    )
    body = tag(
        "body",
        _top(name, reports, scene),
        tag("main", *_sections(scene, reports, columns)),
        tag("script", script),
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _top(name: str, reports: Sequence[Report], scene: Scene) -> Html:
    links = [
        ("#scores", "Scores"),
        ("#comparison", "Comparison"),
        ("#cards", "Cards"),
        ("#tasks", "Tasks"),
        ("#notes", "Notes"),
    ]
    lines = [tag("p", _made(report), class_="fine made") for report in reports]
    return tag(
        "header",
        tag("h1", name),
        *lines,
        tag("nav", *(tag("a", words, href=href) for href, words in links)),
    )


def _made(report: Report) -> str:
    """What was measured, and by which code."""
    origins = ", ".join(f"{count} tasks of {name}" for name, count in report.origins.items())
    left = f", {len(report.left_out)} left out" if report.left_out else ""
    said = f"{report.name}: {origins or 'no task'}{left}"
    if report.history:
        first, last = report.history[0], report.history[-1]
        code = f"harness {last.harness}" + (f" at {last.revision[:12]}" if last.revision else "")
        times = f" in {len(report.history)} calls" if len(report.history) > 1 else ""
        said += f"; begun {first.at}{times}; {code}, {last.engine or 'no engine'}"
    return said


def _sections(
    scene: Scene, reports: Sequence[Report], columns: Sequence[attempts.Column]
) -> list[Html]:
    found = []
    if scene.cards:
        found += [
            tag(
                "section",
                tag("h2", "Scores"),
                standing(scene),
                id="scores",
            ),
            comparison(scene),
            tag(
                "section",
                tag("h2", "Reliability cards"),
                *(card(scene, i) for i in range(len(scene.cards))),
                id="cards",
            ),
            attempts.section(columns),
        ]
    return [*found, _notes(reports)]


def _notes(reports: Sequence[Report]) -> Html:
    """Faults, quarantine, and what the numbers mean."""
    parts: list[Html] = []
    for report in reports:
        if report.faults:
            rows = [
                [f"{g.culprit}: {g.message}", str(g.tries), str(g.recovered)]
                for g in report.faults[:100]
            ]
            parts += [
                tag("h3", f"Faults of {report.name}"),
                table(["whose, and what", "tries", "measured by a later try"], rows),
            ]
        fenced = [
            tag("li", tag("b", task), f": {why_ or 'no reason given'}")
            for task, why_ in report.quarantined.items()
        ]
        if fenced:
            parts += [tag("h3", f"Quarantined in {report.name}"), tag("ul", *fenced)]
    said = dict.fromkeys(note for report in reports for note in report.notes)
    parts.append(tag("ul", *(tag("li", note) for note in said)))
    return tag("section", tag("h2", "Notes"), *parts, id="notes")
