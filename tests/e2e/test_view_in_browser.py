"""The viewer as a browser has it: keys, filters, a run that goes on; and nothing sticks out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from results.store import RunStore
from results.view.app import app
from tests.e2e.browser import BROWSER, Tab, browser
from tests.e2e.endpoints import serving
from tests.unit.run_folders import attempt, declared, graded, stored
from tests.unit.view_runs import evidence, says, traced

pytestmark = pytest.mark.skipif(not BROWSER, reason="no chromium on this machine")

NAMES = [f"instance_organisation__repository-{i:040x}" for i in range(4)]
ARMS = ("editor", "a-scaffold-with-a-rather-long-name-of-its-own")
FIRST = attempt(NAMES[0], 0, "editor")
TALK = [
    (
        says("I look.\n\nThen I change it.", ("bash", {"command": f"cat {'long_' * 60}{i}"})),
        "x" * 900 + "\n" + "line\n" * 60,
    )
    for i in range(3)
]
PARTS = "body, header, main, section, .step, .body, .pair > div"
STICKS_OUT = f"""[...document.querySelectorAll("{PARTS}")]
  .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.id || e.className || e.tagName)"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    store = RunStore(tmp_path / "run")
    traced(store, FIRST, TALK)
    records = [evidence(store, graded(FIRST, True))]
    records += [graded(attempt(name, 0, ARMS[1]), i == 2) for i, name in enumerate(NAMES[:3])]
    return stored(store.folder, declared(NAMES, *ARMS, repeats=2), records)


@pytest.fixture
def url(tab: Tab, store: RunStore) -> Iterator[str]:
    with serving(app(store.folder)) as server:
        yield server.url.removesuffix("/v1")
        tab.go("about:blank")  # a page that follows its run would find no server


@pytest.fixture(autouse=True)
def _quiet(request: pytest.FixtureRequest, tab: Tab) -> Iterator[None]:
    """Whatever a test does, the console has nothing to complain of."""
    tab.complaints.clear()
    tab.look(width=1400)
    yield
    assert not tab.complaints


@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_sticks_out(tab: Tab, url: str, width: int) -> None:
    tab.look(width=width)
    other = attempt(NAMES[0], 0, ARMS[1])
    compared = f"/compare?a=run/{FIRST.id}&b=run/{other.id}"
    for place in ("/r/run", "/r/run?view=list", f"/r/run/a/{FIRST.id}", compared):
        tab.go(url + place)
        assert tab.says(STICKS_OUT) == [], place


def test_keys_lead_from_the_grid_to_a_step_and_back(tab: Tab, url: str) -> None:
    tab.go(f"{url}/r/run")
    tab.press("j", "l", "Enter", leads_away=True)
    assert tab.says("location.pathname") == f"/r/run/a/{FIRST.id}"
    tab.press("t", "j", "j")
    assert tab.says("document.querySelector('.step.at').id") == "s1"
    tab.press("o")
    assert tab.says("document.querySelector('#s1 details').open") is True
    tab.press("ArrowRight", leads_away=True)
    assert tab.says("location.pathname") == f"/r/run/a/{attempt(NAMES[0], 1, 'editor').id}"
    tab.press("u", leads_away=True)
    assert tab.says("location.pathname") == "/r/run"
    tab.press("?")
    assert tab.says("document.getElementById('help').open") is True


def test_a_filter_acts_at_once_and_stands_in_the_address(tab: Tab, url: str) -> None:
    tab.go(f"{url}/r/run")
    tab.says("document.querySelector('[name=o]').value = 'differs'")
    tab.leaves("document.querySelector('[name=o]').dispatchEvent(new Event('change'))")
    assert tab.says("location.search") == "?o=differs"
    assert tab.says("document.querySelectorAll('#rows > tr').length") == 1
    tab.press("/", "9", "9", "Enter", leads_away=True)
    assert tab.says("location.search") == "?q=99&o=differs"


def test_two_marked_attempts_stand_side_by_side(tab: Tab, url: str) -> None:
    tab.go(f"{url}/r/run/a/{FIRST.id}")
    tab.press("x")
    tab.go(f"{url}/r/run/a/{attempt(NAMES[0], 0, ARMS[1]).id}")
    tab.press("x", leads_away=True)
    assert tab.says("location.pathname") == "/compare"
    assert tab.says("document.querySelectorAll('h3').length") == 2


def test_a_page_follows_a_run_that_goes_on_and_keeps_what_was_unfolded(
    tab: Tab, url: str, store: RunStore
) -> None:
    key = attempt(NAMES[3], 0, "editor")
    with store:
        traced(store, key, TALK)
        tab.go(f"{url}/r/run/a/{key.id}")
        tab.says("document.querySelector('#s2 details').open = true")
        path = store.traces.path(key, 1)
        text = path.read_text()
        path.write_text(text + text.splitlines()[3] + "\n")
        tab.until("document.getElementById('s4')")
        assert tab.says("document.querySelector('#s2 details').open") is True
        store.append(graded(key, True))
        tab.until("document.querySelector('.word.solved')")


def test_after_the_last_step_of_a_page_comes_the_next_page(
    tab: Tab, url: str, store: RunStore
) -> None:
    key = attempt(NAMES[3], 0, "editor")
    traced(store, key, [(says("On."), "")] * 45)
    tab.go(f"{url}/r/run/a/{key.id}")
    tab.says("document.getElementById('s0').scrollIntoView()")
    tab.press(*"j" * 41, leads_away=True)
    assert tab.says("new URLSearchParams(location.search).get('from')") == "41"
    assert tab.says("document.querySelectorAll('.step').length") == 5
