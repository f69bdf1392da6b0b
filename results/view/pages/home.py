"""All runs under the folder that is being looked at."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import UsageError
from results.report.page.markup import Html, table, tag
from results.report.page.spelt import usd
from results.view.grid import standings
from results.view.index import Index, Reading
from results.view.pages.bits import link, run_url, text
from results.view.pages.shell import page


def home(root: str, indexes: Iterable[Index]) -> str:
    """One line for each run; one that cannot be read says why."""
    rows, broken = [], []
    for index in indexes:
        try:
            rows.append(_row(index.read()))
        except UsageError as error:
            broken.append(tag("li", tag("b", index.name), ": ", text(str(error))))
    head = ["run", "tasks", "conditions", "settled", "solved", "faulted", "owed", "spent", "begun"]
    parts: list[Html] = [
        tag("h1", text(root)),
        table(head, rows, class_="runs", id="rows"),
    ]
    if broken:
        parts += [tag("h2", "Cannot be read"), tag("ul", *broken)]
    return page("runs", [("runs", "")], *parts)


def _row(reading: Reading) -> list[str]:
    found = standings(reading)
    planned = sum(one.score.planned for one in found)
    graded = sum(one.score.graded for one in found)
    faulted = sum(one.faulted for one in found)
    spent = [one.spent for one in found]
    return [
        link(reading.name, run_url(reading.name)),
        f"{len(reading.manifest.tasks):,}",
        f"{len(found)}",
        f"{graded + faulted:,} of {planned:,}",
        f"{sum(one.score.resolved for one in found):,}",
        f"{faulted:,}" if faulted else "",
        f"{sum(one.owed for one in found) or ''}",
        usd(None if None in spent else sum(one or 0.0 for one in spent)),
        reading.manifest.created[:16].replace("T", " "),
    ]
