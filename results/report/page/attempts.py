"""Every task and every attempt: the table that all figures of the page link to.

A row holds what can be read without a script. What a click then shows of each attempt comes from
one list of numbers, since ten conditions of 731 tasks have thousands of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.types import Attempt, TaskId
from results.manifest import Manifest
from results.report.layout import clean
from results.report.page.markup import Html, tag
from results.report.page.spelt import NONE
from results.report.text import mark
from results.table import Cell, History, cells, rows

OUTCOMES = (
    ("", "any outcome"),
    ("solved", "solved each time"),
    ("mixed", "judged both ways"),
    ("unsolved", "never solved"),
    ("faulted", "faulted"),
    ("owed", "owed"),
)


@dataclass(frozen=True, slots=True)
class Column:
    """One condition, with what became of each task under it."""

    key: str
    name: str
    digest: str
    traces: str | None
    """Where its traces are, as seen from the page; None where there are none."""
    manifest: Manifest
    found: Mapping[Attempt, History]


def section(columns: Sequence[Column]) -> Html:
    """The table, its filters, and the numbers behind it."""
    tasks = list(dict.fromkeys(task for c in columns for task in c.manifest.tasks))
    tables = [cells(c.manifest, rows(c.manifest, c.found, c.digest)) for c in columns]
    head = [tag("th", "task", scope="col"), tag("th", "repository", scope="col")]
    head += [tag("th", c.key, scope="col", title=f"{c.name} [{c.digest}]") for c in columns]
    body = [
        tag("tr", *_row(task, columns, tables), id=f"t{i}", data_i=float(i))
        for i, task in enumerate(tasks)
    ]
    rule = (
        "2/3: solved of graded; !: an attempt faulted; .: one is owed; -: not declared there. "
        "An attempt is named task~condition~repeat, from 0, and its trace is "
        "traces/<attempt>.<try>.jsonl beside the run's ledger. Step by step: "
    )
    whole = tag("table", tag("thead", tag("tr", *head)), tag("tbody", *body), id="attempts")
    return tag(
        "section",
        tag("h2", "Tasks and attempts"),
        _filters(columns),
        tag("p", rule, tag("code", "harness view RUN"), class_="fine"),
        tag("div", whole, class_="scroll tall"),
        _data(tasks, columns),
        id="tasks",
    )


def _row(
    task: str, columns: Sequence[Column], tables: Sequence[Mapping[str, Cell]]
) -> Iterator[Html]:
    declared = next(c.manifest.tasks[task] for c in columns if task in c.manifest.tasks)
    yield tag("th", task, title=task if len(task) > 40 else None, scope="row")
    yield tag("td", declared.facets.get("repo", "") or NONE)
    for table in tables:
        cell = table.get(task)
        yield tag("td", mark(cell), class_=state(cell)) if cell else tag("td", NONE)


def state(cell: Cell) -> str:
    """A word for what became of a task, for its colour and for the filter."""
    words = []
    if cell.graded:
        both = 0 < cell.resolved < cell.graded
        words.append("mixed" if both else "solved" if cell.resolved else "unsolved")
    words += ["faulted"] * bool(cell.faulted) + ["owed"] * bool(cell.owed)
    return " ".join(words)


def _filters(columns: Sequence[Column]) -> Html:
    any_ = tag("option", "any condition", value="")
    conditions = [
        tag("option", f"{c.key} {c.name}", value=str(i)) for i, c in enumerate(columns, start=1)
    ]
    outcomes = [tag("option", words, value=value) for value, words in OUTCOMES]
    return tag(
        "form",
        tag(
            "input",
            type="search",
            name="q",
            placeholder="task or repository",
            aria_label="task or repository",
        ),
        tag("select", any_, *conditions, name="c", aria_label="condition"),
        tag("select", *outcomes, name="o", aria_label="outcome"),
        tag("output", "", name="n"),
        id="filter",
        class_="script",
    )


def _data(tasks: Sequence[str], columns: Sequence[Column]) -> Html:
    """What the script knows: by condition and task, a short list for each attempt."""
    words: dict[str, int] = {}
    conditions = [
        {"key": clean(c.key), "name": clean(c.name), "digest": c.digest, "traces": c.traces}
        for c in columns
    ]
    data = {
        "conditions": conditions,
        "names": [Attempt(TaskId(task), "", 0).id.rsplit("~", 2)[0] for task in tasks],
        "attempts": [[_attempts(task, c, words) for task in tasks] for c in columns],
        "words": list(words),
    }
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    for mark_, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(mark_, code)
    return tag("script", Html(text), type="application/json", id="data")


def _attempts(task: str, column: Column, words: dict[str, int]) -> list[Any]:
    """Of each repeat: outcome, why, number of tries, USD, seconds. 0 is one that is owed."""
    if task not in column.manifest.tasks:
        return []
    found: list[Any] = []
    for repeat in range(column.manifest.conditions[column.digest].repeats):
        history = column.found.get(Attempt(TaskId(task), column.digest, repeat), History())
        if grade := history.graded:
            why = f"{grade.verdict.reason}, ended {grade.ending}"
            usd, seconds = grade.usage.usd, grade.clocks.total
            outcome, tried = int(grade.verdict.resolved), grade.tried
        elif history.faults:
            last = history.faults[-1]
            first = (last.message.strip().splitlines() or [""])[0]
            why = clean(f"fault of the {last.culprit}: {first[:160]}")
            usd, seconds, outcome, tried = last.usage.usd, last.clocks.total, 2, last.tried
        else:
            found.append(0)
            continue
        code = words.setdefault(why, len(words))
        money = None if usd is None else float(f"{usd:.4g}")
        found.append([outcome, code, tried, money, round(seconds, 1)])
    return found
