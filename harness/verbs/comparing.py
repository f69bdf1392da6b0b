"""`compare`: conditions of runs and of others' files, side by side or beside published figures."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.registry import Later
from harness.verbs.reading import sources
from results.blobs import publish
from results.comparison import compare
from results.published.against import against, board
from results.published.claims import claims
from results.published.text import as_json as published_json
from results.published.text import as_text as published_text
from results.report.compared import as_json as comparison_json
from results.report.compared import as_text as comparison_text
from results.systems import systems

marking = Later("results.report.markdown")
whole = Later("results.report.page.whole")


def comparison(paths: Sequence[Path], *, margin: float, tasks: str, as_json: bool) -> None:
    """Print every pair among the conditions of these runs and files."""
    _check_margin(margin)
    found = compare(sources(paths, tasks), margin=margin)
    print(json.dumps(comparison_json(found), indent=1) if as_json else comparison_text(found))


def comparison_markdown(paths: Sequence[Path], *, margin: float, tasks: str) -> None:
    """Print the same for a pull request."""
    _check_margin(margin)
    found = compare(sources(paths, tasks), margin=margin)
    print(marking.comparison_as_markdown(found, [str(path) for path in paths]))


def comparison_page(paths: Sequence[Path], *, margin: float, tasks: str, into: Path) -> None:
    """Write every card and every pair into one HTML file that needs no other."""
    _check_margin(margin)
    if not into.parent.is_dir():
        raise UsageError(f"{into}: no folder {into.parent}; make it, or name a file elsewhere")
    typed = [str(path) for path in paths]
    told = whole.page(
        sources(paths, tasks),
        typed=typed,
        beside=into.parent,
        margin=margin,
        flags={"compare": f"--tasks {shlex.quote(tasks)}" if tasks else ""},
    )
    publish(into, told.encode())
    print(into)


def _check_margin(margin: float) -> None:
    if not 0 < margin < 1:
        raise UsageError(f"--margin {margin:g} is no share of tasks; 0.02 means two points")


def published(paths: Sequence[Path], *, tasks: str, as_json: bool) -> None:
    """Print what published figures say of each other, or of the conditions of these runs."""
    facts = claims()
    own = systems(sources(paths, tasks))
    built = against(facts, own) if own else board(facts)
    print(json.dumps(published_json(built), indent=1) if as_json else published_text(built))
