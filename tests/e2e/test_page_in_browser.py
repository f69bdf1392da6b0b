"""The page as a browser has it: its script runs, nothing is refused, and nothing sticks out."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from results.report.page.whole import page
from tests.unit.run_folders import attempt, declared, faulted, graded, stored

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not BROWSER, reason="no chromium on this machine")

MEASURE = """<script>
document.documentElement.dataset.over = [...document.querySelectorAll("body, header, main, .block")]
  .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className || e.tagName).join(" ");
document.documentElement.dataset.meet = [...document.querySelectorAll("svg")].filter((svg) => {
  const boxes = [...svg.querySelectorAll("text")].map((t) => t.getBoundingClientRect());
  return boxes.some((a, i) => boxes.slice(i + 1).some((b) =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4));
}).map((svg) => svg.querySelector("title").textContent).join("; ");
</script>"""


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
    html = page([store.folder], typed=["run"], beside=tmp_path)
    path.write_text(html.replace("</body>", MEASURE + "</body>"), encoding="utf-8")
    return path


def opened(file: Path, *options: str, place: str = "") -> subprocess.CompletedProcess[str]:
    """What the browser makes of the page, and what it has to say of it."""
    quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
    own = ("--enable-logging=stderr", f"--user-data-dir={file.parent / 'profile'}")
    command = [BROWSER, *quiet, *own, *options, "--dump-dom", f"{file.as_uri()}{place}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


def marked(dom: str, name: str) -> str:
    found = re.search(rf'<html[^>]* data-{name}="([^"]*)"', dom)
    assert found, f"the page did not get as far as {name}"
    return found[1]


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_sticks_out_and_no_labels_meet(file: Path, width: int) -> None:
    done = opened(file, f"--window-size={width},900")
    assert marked(done.stdout, "over") == ""
    assert marked(done.stdout, "meet") == ""
    assert "CONSOLE" not in done.stderr, "the script failed, or something was refused"


def test_a_pair_leads_to_the_tasks_that_tell_it_apart(file: Path) -> None:
    done = opened(file, place="#tasks/only=1,2")
    assert "1 of 20 tasks, on which #1 and #2 differ" in done.stdout
    shown = [row for row in re.findall(r"<tr id=[^>]*>", done.stdout) if "hidden" not in row]
    assert len(shown) == 1 and 'id="t19"' in shown[0]
