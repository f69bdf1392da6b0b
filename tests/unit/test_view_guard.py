"""What the viewer will not do, whatever it is asked and whatever a run holds."""

from __future__ import annotations

import html as entities
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.types import Clocks, Faulted, Usage
from results.store import RunStore
from results.view.guard import POLICY
from tests.unit.run_folders import attempt, declared, graded, stored
from tests.unit.view_runs import client, evidence, says, small_run, traced

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> \u202e\x1b[31m\0 \ud800"
TASK = "evil/<script>alert(3)</script>\u202e&amp;"


class Tags(HTMLParser):
    """Every element and attribute of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def assert_harmless(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    scripts = [given for tag, given in tags.found if tag == "script"]
    assert scripts == [{"src": "/static/view.js", "defer": ""}]
    for tag, given in tags.found:
        assert tag not in ("img", "iframe", "object", "style", "base")
        assert not [name for name in given if name.startswith("on") or name == "style"]
        assert not (given.get("href") or "").lower().startswith(("javascript:", "data:", "//"))
    shown = entities.unescape(page)
    assert not [c for c in shown if c not in "\n\t" and not c.isprintable()]


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A run in which everything that anybody may write is an attack, and some of it is large."""
    store = RunStore(tmp_path / "run")
    key = attempt(TASK)
    call = ("bash", {"command": EVIL, "path": EVIL, EVIL: EVIL})
    talk = [
        (says(EVIL, call, reasoning=EVIL), EVIL),
        (says("x" * 3_000_000, ("edit", {"old": EVIL, "new": EVIL})), "y" * 3_000_000),
        (says(EVIL, (EVIL, {"a": [EVIL]})), EVIL),
    ]
    traced(store, key, talk)
    patch = f"diff --git a/{EVIL} b/{EVIL}\n+++ b/{EVIL}\n@@ -0,0 +1 @@ {EVIL}\n+{EVIL}\n"
    patch += "+" + "z" * 2_000_000
    settled = evidence(store, graded(key, False), patch.encode(errors="surrogatepass"))
    verdict = replace(settled.verdict, notes=(EVIL.replace("\ud800", ""),))
    fault = Faulted(attempt(TASK, 1), "model", EVIL[:-1], Usage(), Clocks())
    stored(store.folder, declared([TASK], repeats=2), [replace(settled, verdict=verdict), fault])
    return store.folder


def test_what_models_and_programs_wrote_is_text_on_every_page(hostile: Path) -> None:
    one, other = attempt(TASK).id, attempt(TASK, 1).id
    places = (
        "/r/run",
        "/r/run?view=list",
        f"/r/run/a/{one}",
        f"/r/run/a/{other}",
        f"/r/run/a/{one}?find=%3Cscript%3E&from=%22%3E",
        f"/compare?a=run/{one.replace('+', '%2B')}&b=run/{other.replace('+', '%2B')}",
        "/r/run?q=%3Cscript%3Ealert(4)%3C/script%3E&why=%22%3E&ending=%00&task=%E2%80%AE",
        "/r/%3Cscript%3E",
    )
    with client(hostile) as pages:
        for place in places:
            answer = pages.get(place)
            assert answer.headers["content-security-policy"] == POLICY
            assert_harmless(answer.text)
            assert len(answer.text) < 1_500_000
        for place in ("/api/r/run", f"/api/r/run/a/{one}", f"/api/r/run/a/{one}/steps"):
            assert pages.get(place).headers["content-type"] == "application/json"
            assert pages.get(place).json()["schema"] == "harness-view/1"
        whole = pages.get(f"/r/run/trace/{one}/1")
        assert whole.headers["content-type"].startswith("text/plain")
        assert whole.headers["x-content-type-options"] == "nosniff"


def test_a_ledger_that_somebody_made_up_is_told_and_not_believed(tmp_path: Path) -> None:
    store = stored(tmp_path / "run", declared(1), [graded(attempt("t0"), True)])
    lines = [
        b'{"attempt": {"task": "t0", "condition": "../..", "repeat": 0}, "kind": "graded"}',
        b'{"attempt": {"task": 7, "condition": "x", "repeat": "<b>"}, "kind": "faulted"}',
        b"[" * 100_000,
        b'"\xff\xfe"',
    ]
    with store.ledger.path.open("ab") as stream:
        stream.write(b"\n".join(lines) + b"\n")
    with client(store.folder) as pages:
        page = pages.get("/r/run").text
    assert page.count("ledger.jsonl, line") == 4 and "1 solved" in page
    assert_harmless(page)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8731", "evil:127.0.0.1", ""]
)
def test_a_page_of_elsewhere_under_another_name_is_refused(tmp_path: Path, host: str) -> None:
    with client(small_run(tmp_path / "run").folder) as pages:
        answer = pages.get("/", headers={"host": host})
        assert answer.status_code == 421 and "<" not in answer.text
        for own in ("localhost:9000", "127.0.0.1", "[::1]:8731"):
            assert pages.get("/", headers={"host": own}).status_code == 200


def test_only_reading_is_served(tmp_path: Path) -> None:
    with client(small_run(tmp_path / "run").folder) as pages:
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert pages.request(method, "/r/run").status_code == 405


def test_no_path_leads_out_of_the_run(tmp_path: Path) -> None:
    store = small_run(tmp_path / "run")
    (tmp_path / "secret").write_text("secret")
    key = attempt("t0", 0, "editor")
    with client(store.folder) as pages:
        for place in (
            "/static/../../secret",
            "/static/%2e%2e%2fsecret",
            "/r/run/blob/..%2f..%2fsecret",
            "/r/run/blob/%2e%2e",
            f"/r/run/trace/..%2f..%2f{key.id}/1",
            f"/r/run/trace/{key.id}%00/1",
            "/r/..%2frun",
        ):
            answer = pages.get(place)
            assert answer.status_code == 404 and "secret" not in answer.text.replace(place, "")


def test_script_and_style_come_from_here_and_nothing_is_inline(tmp_path: Path) -> None:
    with client(small_run(tmp_path / "run").folder) as pages:
        page = pages.get("/r/run").text
        for place in re.findall(r'(?:src|href)="(/static/[^"]*)"', page):
            assert pages.get(place).status_code == 200
        assert "http://" not in page and "https://" not in page
        script = pages.get("/static/view.js").text
    assert not re.search(r"innerHTML|eval\(|document\.write|https?://", script)
