"""The pages of the viewer, asked for as a browser does, without its script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from results.store import RunStore
from tests.unit.run_folders import attempt, declared, graded, stored
from tests.unit.view_runs import PATCH, client, says, small_run, traced

KEY = attempt("t0", 0, "editor")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return small_run(tmp_path / "run")


@pytest.fixture
def pages(store: RunStore) -> Iterator[TestClient]:
    with client(store.folder) as browser:
        yield browser


def test_the_root_of_one_run_is_its_page_with_a_square_for_each_attempt(pages: TestClient) -> None:
    html = pages.get("/").text
    assert "<h1>run</h1>" in html
    assert len(re.findall(r'<a class="sq ', html)) == 12
    assert "m + editor" in html and "1 faulted" in html


def test_a_folder_of_runs_lists_them_and_says_what_cannot_be_read(tmp_path: Path) -> None:
    small_run(tmp_path / "good")
    small_run(tmp_path / "bad")
    (tmp_path / "bad" / "run.json").write_text('{"format": 99}')
    with client(tmp_path) as pages:
        html = pages.get("/").text
        assert 'href="/r/good"' in html and "format 99" in html
        assert pages.get("/r/bad").status_code == 409


def test_an_attempt_shows_thought_call_output_patch_tests_and_log(pages: TestClient) -> None:
    html = pages.get(f"/r/run/a/{KEY.id}").text
    for said in ("Where is it?", "Look.", "ls src", "x.py", "exit 0", "250 ms"):
        assert said in html
    assert '<span class="plus">+1</span>' in html and "<mark>two</mark>" in html
    assert "fail to pass: 1 of 1 passed" in html and "pass to pass: 1 of 2 passed" in html
    assert "test_gone" in html and "1 failed\n" not in html and "1 failed" in html
    assert "$0.02" in html and "Solved" in html


def test_a_fault_says_whose_it_was_and_an_owed_attempt_that_it_is(pages: TestClient) -> None:
    fault = pages.get(f"/r/run/a/{attempt('t1', 0, 'editor').id}").text
    assert "Fault of the model" in fault and "the endpoint is gone" in fault
    assert "no trace" in fault
    owed = pages.get(f"/r/run/a/{attempt('t2', 0, 'editor').id}").text
    assert "Owed" in owed and "No try of it has begun" in owed


def test_filters_stand_in_the_address_and_the_form_shows_them(pages: TestClient) -> None:
    html = pages.get("/r/run?o=faulted&q=t1&view=list").text
    assert 'value="t1"' in html and '<option value="faulted" selected="">' in html
    assert "1 of 12 attempts" in html
    assert f"/a/{attempt('t1', 0, 'editor').id}?q=t1&amp;o=faulted" in html
    assert "Nothing fits these filters" in pages.get("/r/run?q=nosuchthing").text


def test_two_attempts_stand_side_by_side_with_what_differs(pages: TestClient) -> None:
    other = attempt("t0", 1, "editor")
    html = pages.get("/compare", params={"a": f"run/{KEY.id}", "b": f"run/{other.id}"}).text
    assert html.count('class="pair"') >= 3
    assert "1 came out differently" in html and "the same, byte for byte" in html


def test_a_long_trajectory_is_paged_and_can_be_searched(store: RunStore, pages: TestClient) -> None:
    key = attempt("t2", 0, "bash")
    talk = [(says("On.", ("bash", {"command": f"echo {i}"})), f"output {i}\n") for i in range(100)]
    talk[70] = (says("There.", ("bash", {"command": "cat x"})), "The Needle is here\n")
    traced(store, key, talk)
    html = pages.get(f"/r/run/a/{key.id}").text
    assert "100 steps" in html and html.count('class="step"') == 41
    html = pages.get(f"/r/run/a/{key.id}?from=41").text
    assert 'id="s41"' in html and 'id="s40"' not in html
    html = pages.get(f"/r/run/a/{key.id}?find=the+needle").text
    assert 'id="s71"' in html and "in 1 steps" in html and 'class="step found"' in html


def test_what_is_being_written_is_seen_and_torn_lines_are_left_out(
    store: RunStore, pages: TestClient
) -> None:
    key = attempt("t2", 1, "bash")
    where = f"/r/run/a/{key.id}"
    before = pages.get(f"/api/r/run/state?attempt={key.id}").json()["version"]
    traced(store, key, [(says("First thought."), "")])
    path = store.traces.path(key, 1)
    with path.open("ab") as stream:
        stream.write(b'{"kind":"reply","at":9,"reply":{"message":{"content":"half a tho')
    html = pages.get(where).text
    assert "First thought." in html and "half a tho" not in html and "torn" in html
    after = pages.get(f"/api/r/run/state?attempt={key.id}").json()["version"]
    assert after != before
    with path.open("ab") as stream:
        stream.write(b'ught."}}}\n')
    assert "half a thought." in pages.get(where).text


def test_results_without_traces_say_what_is_not_there(tmp_path: Path) -> None:
    store = stored(tmp_path / "r", declared(1), [graded(attempt("t0"), True)])
    with client(store.folder) as pages:
        html = pages.get(f"/r/r/a/{attempt('t0').id}").text
    assert "There is no trace" in html and "keeps no patch" in html
    assert "only the verdict is known" in html


def test_raw_evidence_is_plain_text(store: RunStore, pages: TestClient) -> None:
    digest = next(iter(store.records())).blobs["patch"]
    answer = pages.get(f"/r/run/blob/{digest}")
    assert answer.content == PATCH
    assert answer.headers["content-type"].startswith("text/plain")
    trace = pages.get(f"/r/run/trace/{KEY.id}/1")
    assert trace.content == store.traces.path(KEY, 1).read_bytes()
    assert pages.get(f"/r/run/trace/{KEY.id}/1?line=4&text=1").text.startswith("Where is it?")
    assert pages.get(f"/r/run/trace/{KEY.id}/7").status_code == 404
    assert pages.get("/r/run/blob/" + "0" * 64).status_code == 404


def test_everything_has_json(pages: TestClient) -> None:
    assert pages.get("/api/runs").json()["runs"][0]["name"] == "run"
    run = pages.get("/api/r/run").json()
    assert [c["faulted"] for c in run["conditions"]] == [1, 0]
    listed = pages.get("/api/r/run/attempts?o=solved").json()
    assert listed["found"] == 2 and listed["attempts"][0]["attempt"] == KEY.id
    one = pages.get(f"/api/r/run/a/{KEY.id}").json()
    assert one["tests"]["pass_to_pass"] == {"test_gone": "missing", "test_old": "passed"}
    assert one["tries"][0]["steps"] == 2 and one["records"][0]["kind"] == "graded"
    steps = pages.get(f"/api/r/run/a/{KEY.id}/steps?from=1&count=1").json()
    assert [e["kind"] for e in steps["part"][0]["events"]] == ["reply", "exec", "message"]
    assert pages.get("/api/r/none").json() == {"error": "no run 'none' here"}


def test_a_mark_of_the_audit_leads_to_its_step(store: RunStore, pages: TestClient) -> None:
    key = attempt("t2", 0, "editor")
    talk = [(says("Look ahead.", ("bash", {"command": "git log --all --oneline"})), "abc\n")]
    traced(store, key, talk)
    html = pages.get(f"/r/run/a/{key.id}").text
    found = re.search(r'href="([^"]*line=\d+#found)"', html)
    assert found and "git log --all" in html
    assert 'class="step found"' in pages.get(found[1].replace("&amp;", "&")).text


def test_the_audit_of_a_run_is_read_when_it_is_asked_for(
    store: RunStore, pages: TestClient
) -> None:
    key = attempt("t1", 0, "bash")
    talk = [(says("Look ahead.", ("bash", {"command": "git log --all --oneline"})), "abc\n")]
    traced(store, key, talk)
    assert "sq solved marked" not in pages.get("/r/run").text
    told = pages.get("/api/r/run/audit").json()
    while told["written"]:
        told = pages.get("/api/r/run/audit").json()
    assert (told["done"], told["total"]) == (5, 5)
    assert [(m["attempt"], m["line"]) for m in told["marks"]] == [
        (key.id, "git log --all --oneline")
    ]
    mark = told["marks"][0]
    html = pages.get(f"/r/run/audit?rule={mark['rule']}").text
    assert f"/a/{key.id}?try=1&amp;line={mark['event']}#found" in html and "1 marked" in html
    assert "sq solved marked" in pages.get("/r/run").text


def test_what_the_model_saw_is_there_where_it_is_not_what_was_printed(
    store: RunStore, pages: TestClient
) -> None:
    key = attempt("t2", 0, "editor")
    traced(store, key, [(says("Run it.", ("bash", {"command": "make"})), "all of the output")])
    path = store.traces.path(key, 1)
    cut = path.read_text().replace('"content":"all of the output"', '"content":"cut short"')
    path.write_text(cut)
    html = pages.get(f"/r/run/a/{key.id}").text
    assert "all of the output" in html
    assert "as the model saw it: 9 characters" in html and "cut short" in html


def test_replies_that_call_nothing_by_name_are_shown_with_what_was_told_next(
    store: RunStore, pages: TestClient
) -> None:
    key = attempt("t2", 0, "editor")
    with store.trace(key, 1) as trace:
        reply = {"message": {"role": "assistant", "content": "```bash\nls\n```"}, "usage": {}}
        trace.emit("reply", {"n": 1, "reply": reply, "seconds": 1, "live": True})
        trace.emit("message", {"id": "m", "message": {"role": "user", "content": "No block."}})
        trace.emit("note", {"note": "slip", "complaint": "no command", "in_a_row": 1})
        trace.emit("something_new", {"detail": "of a later version"})
    html = pages.get(f"/r/run/a/{key.id}").text
    assert "the model was told" in html and "No block." in html
    assert "slip" in html and "something_new" in html and "of a later version" in html
