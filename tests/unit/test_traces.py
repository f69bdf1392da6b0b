"""Traces hold what was said, whatever it was, and are never written twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.api import Archive, Store
from harness.types import Attempt, TaskId
from results.lines import Damaged
from results.store import RunStore
from results.traces import Traces, bytes_of

ATTEMPT = Attempt(TaskId("django/django#1: ümlaut"), "c0ffee", 2)


def test_events_come_back_with_kind_and_time(tmp_path: Path) -> None:
    traces = Traces(tmp_path)
    with traces.trace(ATTEMPT, 1) as trace:
        trace.emit("try", {"number": 1})
        trace.emit("reply", {"text": "täxt\u2028", "calls": [{"id": 1}]}, sync=True)
    first, second = traces.events(ATTEMPT, 1)
    assert first["kind"] == "try" and first["number"] == 1
    assert second["text"] == "täxt\u2028" and second["calls"] == [{"id": 1}]
    assert 0 <= first["at"] <= second["at"]


def test_an_event_can_be_read_before_the_try_ends(tmp_path: Path) -> None:
    traces = Traces(tmp_path)
    with traces.trace(ATTEMPT, 1) as trace:
        trace.emit("reply", {"text": "paid for"})
        assert [event["text"] for event in traces.events(ATTEMPT, 1)] == ["paid for"]


def test_lone_surrogates_and_bytes_survive(tmp_path: Path) -> None:
    traces = Traces(tmp_path)
    with traces.trace(ATTEMPT, 1) as trace:
        trace.emit("output", {"text": "\udce9 \ud83d", "raw": b"caf\xe9 \x00"})
    (event,) = traces.events(ATTEMPT, 1)
    assert event["text"] == "\udce9 \ud83d"
    assert bytes_of(event["raw"]) == b"caf\xe9 \x00"


@pytest.mark.parametrize("data", [{"x": float("nan")}, {"x": {1, 2}}, {"x": object()}])
def test_what_json_does_not_know_is_refused_and_leaves_no_line(
    tmp_path: Path, data: dict[str, object]
) -> None:
    traces = Traces(tmp_path)
    with traces.trace(ATTEMPT, 1) as trace:
        with pytest.raises(ValueError):
            trace.emit("note", data)
        trace.emit("note", {"ok": True})
    assert [event["ok"] for event in traces.events(ATTEMPT, 1)] == [True]


@pytest.mark.parametrize("key", ["kind", "at"])
def test_an_event_does_not_overwrite_its_kind_or_time(tmp_path: Path, key: str) -> None:
    with Traces(tmp_path).trace(ATTEMPT, 1) as trace, pytest.raises(ValueError, match=key):
        trace.emit("note", {key: 1})


def test_tries_are_counted_and_a_number_is_never_used_twice(tmp_path: Path) -> None:
    traces = Traces(tmp_path)
    assert traces.tries(ATTEMPT) == 0
    for number in (1, 2, 3):
        with traces.trace(ATTEMPT, number) as trace:
            trace.emit("try", {"number": number})
        assert traces.tries(ATTEMPT) == number
    with pytest.raises(FileExistsError), traces.trace(ATTEMPT, 2):
        pass
    assert [event["number"] for event in traces.events(ATTEMPT, 2)] == [2]


def test_tries_of_one_attempt_are_not_those_of_another(tmp_path: Path) -> None:
    traces = Traces(tmp_path)
    with traces.trace(Attempt(ATTEMPT.task, "c0ffee", 12), 1):
        pass
    assert traces.tries(Attempt(ATTEMPT.task, "c0ffee", 1)) == 0


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    traces = Traces(tmp_path)
    with traces.trace(ATTEMPT, 1) as trace:
        trace.emit("a", {})
        trace.emit("b", {})
    path = traces.path(ATTEMPT, 1)
    path.write_bytes(path.read_bytes()[:-3])
    assert [event["kind"] for event in traces.events(ATTEMPT, 1)] == ["a"]


@pytest.mark.parametrize("bad", [b"{", b"[1]", b"{}", b"\0\0"])
def test_other_damage_is_named_by_its_byte(tmp_path: Path, bad: bytes) -> None:
    traces = Traces(tmp_path)
    with traces.trace(ATTEMPT, 1) as trace:
        trace.emit("a", {})
    path = traces.path(ATTEMPT, 1)
    good = path.read_bytes()
    path.write_bytes(good + bad + b"\n" + good)
    with pytest.raises(Damaged, match=rf"line 2, byte {len(good)}"):
        list(traces.events(ATTEMPT, 1))


def test_a_try_that_left_no_trace_has_no_events(tmp_path: Path) -> None:
    assert list(Traces(tmp_path).events(ATTEMPT, 1)) == []


def test_the_store_of_a_run_keeps_records_blobs_and_traces_in_one_folder(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "run")
    records: Store = store
    archive: Archive = store
    with store, archive.trace(ATTEMPT, 1) as trace:
        trace.emit("try", {})
        digest = archive.keep(b"patch")
    assert archive.fetch(digest) == b"patch"
    assert archive.tries(ATTEMPT) == 1
    assert [event["kind"] for event in archive.events(ATTEMPT, 1)] == ["try"]
    assert list(records.records()) == list(store.keys()) == []
    assert sorted(p.name for p in store.folder.iterdir()) == ["blobs", "ledger.jsonl", "traces"]
