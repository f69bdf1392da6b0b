"""The index of a run: what it takes from the ledger, and how it keeps up with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from results.report.build import build
from results.store import RunStore
from results.view.asked import Asked, asked
from results.view.grid import fitting, grid, listing, neighbours, standings
from results.view.index import Index
from results.view.live import is_written, underway
from results.view.runs import Runs
from tests.unit.run_folders import attempt, declared, faulted, graded, stored
from tests.unit.view_runs import says, small_run, traced


def index(store: RunStore) -> Index:
    return Index(store.folder, "run")


def test_a_grade_is_the_last_word_and_all_tries_are_paid_for(tmp_path: Path) -> None:
    key = attempt("t0")
    records = [faulted(key, usd=0.5), graded(key, True, usd=1.0)]
    row = index(stored(tmp_path, declared(1), records)).read().row(key)
    assert (row.state, row.why, row.usd, row.spent) == ("solved", "resolved", 1.0, 1.5)
    assert len(row.lines) == 2


def test_the_figures_are_those_of_the_report(tmp_path: Path) -> None:
    store = small_run(tmp_path)
    seen = standings(index(store).read())
    for one, told in zip(seen, build(store).conditions, strict=True):
        assert one.score == told.raw
        assert one.faulted == sum(told.faulted.values()) and one.owed == told.owed
        assert one.spent == pytest.approx(told.cost.spent.usd)


def test_lines_are_read_once_and_then_only_what_was_added(tmp_path: Path) -> None:
    store = stored(tmp_path, declared(2), [graded(attempt("t0"), True)])
    watching = index(store)
    first = watching.read()
    assert watching.read() is first
    with store:
        store.append(graded(attempt("t1"), False))
    # What has been read is not looked at again.
    with store.ledger.path.open("r+b") as stream:
        stream.write(b"#" * 20)
    second = watching.read()
    assert second.row(attempt("t0")).state == "solved"
    assert second.row(attempt("t1")).state == "unsolved"
    assert first.row(attempt("t1")).state == "owed"


def test_a_torn_line_waits_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    store = stored(tmp_path, declared(2), [graded(attempt("t0"), True)])
    whole = store.ledger.path.read_bytes()
    store.ledger.path.write_bytes(b"{no json\n" + whole[:-30])
    watching = index(store)
    reading = watching.read()
    assert reading.row(attempt("t0")).state == "owed"
    assert "line 1, byte 0" in reading.troubles[0]
    with store.ledger.path.open("ab") as stream:
        stream.write(whole[-30:])
    assert watching.read().row(attempt("t0")).state == "solved"


def test_a_ledger_that_became_shorter_is_read_anew(tmp_path: Path) -> None:
    store = stored(tmp_path, declared(2), [graded(attempt("t0"), True), faulted(attempt("t1"))])
    watching = index(store)
    watching.read()
    lines = store.ledger.path.read_bytes().splitlines(keepends=True)
    store.ledger.path.write_bytes(lines[0])
    assert watching.read().row(attempt("t1")).state == "owed"


def test_an_attempt_is_found_by_its_name_and_no_name_leads_elsewhere(tmp_path: Path) -> None:
    watching = index(small_run(tmp_path))
    key = attempt("t0")
    assert watching.attempt(key.id) == key
    for other in ("t0", "t9~x~0", f"t0~{key.condition}~9", "t0~../../etc~0", "~~", "t0~a~-1"):
        assert watching.attempt(other) is None


def test_filters_are_of_attempts_and_of_tasks(tmp_path: Path) -> None:
    reading = index(small_run(tmp_path)).read()

    def found(**wanted: str) -> list[str]:
        return [f"{a.task}.{a.repeat}" for a in fitting(reading, Asked(**wanted))]

    assert found(o="faulted") == ["t1.0"]
    assert found(o="solved") == ["t0.0", "t1.0"]
    assert found(q="ENDPOINT") == ["t1.0"]
    assert grid(reading, Asked(o="mixed")).tasks == ["t0"]
    assert grid(reading, Asked(o="differs")).tasks == ["t0"]
    assert grid(reading, Asked(sort="usd")).tasks[0] == "t0"
    assert listing(reading, Asked(sort="usd", view="list")).attempts[0] == attempt("t0", 0, "bash")


def test_a_page_is_as_large_as_another_whatever_the_run(tmp_path: Path) -> None:
    reading = index(stored(tmp_path, declared(500, "a", "b", repeats=5), [])).read()
    first, last = grid(reading, Asked()), grid(reading, Asked(page=99))
    assert (len(first.tasks), first.pages, last.page) == (100, 5, 5)
    assert len(listing(reading, Asked(view="list")).attempts) == 200


def test_neighbours_are_those_of_the_list_that_one_came_from(tmp_path: Path) -> None:
    reading = index(small_run(tmp_path)).read()
    before, after = neighbours(reading, Asked(o="unsolved"), attempt("t0", 1, "editor"))
    assert before is None and after == attempt("t0", 0, "bash")


def test_an_address_is_read_back_as_it_was_written() -> None:
    wanted = Asked(q="a&b ?", o="faulted", page=3)
    pairs = dict(part.split("=") for part in wanted.query[1:].split("&"))
    assert pairs == {"q": "a%26b+%3F", "o": "faulted", "page": "3"}
    assert asked({"o": "nonsense", "page": "-4", "sort": "usd"}) == Asked(sort="usd")


def test_what_is_under_way_has_a_trace_and_no_record(tmp_path: Path) -> None:
    store = stored(tmp_path, declared(2), [])
    traced(store, attempt("t0"), [(says("Hm."), "")])
    watching = index(store)
    assert not is_written(watching) and not underway(watching, watching.read())
    with store:
        assert [one.attempt for one in underway(watching, watching.read())] == [attempt("t0")]
        store.append(graded(attempt("t0"), True))
        assert not underway(watching, watching.read())


def test_runs_are_found_in_a_folder_and_as_a_folder(tmp_path: Path) -> None:
    small_run(tmp_path / "one")
    small_run(tmp_path / "group" / "two & <b>")
    runs = Runs(tmp_path)
    assert set(runs.folders()) == {"one", "group.two_b_"}
    assert Runs(tmp_path / "one").is_one
    small_run(tmp_path / "later")
    assert runs.index("later") is not None and runs.index("none") is None
    with pytest.raises(UsageError, match="holds no run"):
        Runs(tmp_path / "group" / "two & <b>" / "traces")
