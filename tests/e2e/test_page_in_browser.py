"""The page as a browser has it: its script runs, nothing is refused, and nothing sticks out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from results.report.page.whole import page
from tests.e2e.browser import BROWSER, Tab, browser
from tests.unit.run_folders import attempt, declared, faulted, graded, stored

pytestmark = pytest.mark.skipif(not BROWSER, reason="no chromium on this machine")

STICKS_OUT = """[...document.querySelectorAll("body, header, main, .block")]
  .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className || e.tagName)"""
MEET = """[...document.querySelectorAll("svg")].filter((svg) => {
  const boxes = [...svg.querySelectorAll("text")].map((t) => t.getBoundingClientRect());
  return boxes.some((a, i) => boxes.slice(i + 1).some((b) =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4));
}).map((svg) => svg.querySelector("title").textContent)"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A page of four conditions with long names, some faults, and one task that tells two apart."""
    scaffolds = ("editor", "bash", "a-scaffold-with-a-rather-long-name-of-its-own", "other")
    names = [f"instance_organisation__repository-{i:040x}" for i in range(20)]
    run = declared(names, *scaffolds, repeats=3)
    records = [
        graded(attempt(name, repeat, scaffold), (i + repeat) % 3 > 0, usd=0.01 * (1 + i % 4))
        for i, name in enumerate(names[:-1])
        for repeat in range(3)
        for scaffold in scaffolds
    ]
    records += [
        graded(attempt(names[-1], 0, "editor"), True),
        graded(attempt(names[-1], 0, "bash"), False),
    ]
    store = stored(tmp_path / "run", run, [*records, faulted(attempt(names[-1], 1, "editor"))])
    path = tmp_path / "report.html"
    path.write_text(page([store.folder], typed=["run"], beside=tmp_path), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_sticks_out_and_no_labels_meet(tab: Tab, file: Path, width: int) -> None:
    tab.complaints.clear()
    tab.look(width=width)
    tab.go(file.as_uri())
    assert tab.says(STICKS_OUT) == []
    assert tab.says(MEET) == []
    assert tab.complaints == [], "the script failed, or something was refused"


def test_a_pair_leads_to_the_tasks_that_tell_it_apart(tab: Tab, file: Path) -> None:
    tab.look(width=1400)
    tab.go(f"{file.as_uri()}#tasks/only=1,2")
    assert "1 of 20 tasks, on which #1 and #2 differ" in tab.says("document.body.textContent")
    shown = "[...document.querySelectorAll('tr[id^=t]')].filter((e) => !e.hidden).map((e) => e.id)"
    assert tab.says(shown) == ["t19"]
