"""Reports of runs, printed or as a page. Nothing here needs what a run needs: no model, no box."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from harness.registry import Later
from harness.verbs import settled
from results import quarantine
from results.blobs import publish
from results.grader import of_a_check
from results.report.build import build
from results.report.plain import as_json as report_json
from results.report.text import as_text
from results.store import RunStore

whole = Later("results.report.page.whole")
marking = Later("results.report.markdown")


def report(
    folders: list[Path], *, as_json: bool, full: bool = False, fenced_by: Path | None = None
) -> None:
    """Print each run's report, and leave `report.json` beside its ledger.

    `fenced_by` is a quarantine list, or the folder of the check that wrote one.
    """
    fenced = None if fenced_by is None else quarantine.of_another(fenced_by)
    checked = of_a_check(fenced_by)
    answers: list[Any] = []
    for folder in folders:
        state = settled.state(folder)
        built = build(RunStore(folder), fenced=fenced, checked=checked)
        answer, text = report_json(built), as_text(built, full=full)
        answers.append(answer)
        (folder / "report.json").write_text(json.dumps(answer, indent=1) + "\n")
        if not as_json:
            print(text)
        counts = answer["attempts"]
        if counts["graded"] == counts["planned"] and not full and fenced_by is None:
            settled.keep(folder, state, text)
    if as_json:
        print(json.dumps(answers[0] if len(answers) == 1 else answers, indent=1))


def page(folders: list[Path], *, fenced_by: Path | None = None) -> None:
    """Write each run's report as one file that needs no other: `report.html` beside its ledger."""
    fence = whole.Fence()
    if fenced_by:
        fence = whole.Fence(quarantine.of_another(fenced_by), of_a_check(fenced_by))
    flags = {"report": f"--quarantine {shlex.quote(str(fenced_by))}"} if fenced_by else {}
    for folder in folders:
        told = whole.page(
            [folder],
            typed=[str(folder)],
            beside=folder,
            fenced=fence,
            flags=flags,
        )
        publish(folder / whole.NAME, told.encode())
        print(folder / whole.NAME)


def markdown(folders: list[Path], *, fenced_by: Path | None = None) -> None:
    """Print each run's report for a pull request."""
    fenced = None if fenced_by is None else quarantine.of_another(fenced_by)
    for folder in folders:
        built = build(RunStore(folder), fenced=fenced, checked=of_a_check(fenced_by))
        print(marking.as_markdown(built, str(folder)))
