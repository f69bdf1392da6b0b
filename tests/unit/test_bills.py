from __future__ import annotations

from pathlib import Path

import pytest

from harness import codec
from harness.errors import UsageError
from harness.types import Attempt, Message, Reply, Usage
from results.report.build import build
from results.report.text import as_text
from results.store import RunStore
from tests.unit.run_folders import attempt, declared, faulted, graded, stored

CALL = Usage(1, 100, output=20, usd=0.25)


def tried(store: RunStore, key: Attempt, number: int, *calls: bool, cut_off: int = 0) -> None:
    """A trace of calls, each live or replayed, and of some that broke off."""
    reply = codec.dump(Reply(Message("assistant", "hi"), CALL))
    with store.trace(key, number) as trace:
        for live in calls:
            trace.emit("reply", {"request": "r", "reply": reply, "seconds": 1.0, "live": live})
        for _ in range(cut_off):
            usage = codec.dump(CALL)
            trace.emit("note", {"note": "call_cut_off", "usage": usage, "seconds": 1.0})


def test_tries_without_a_record_have_a_column_of_their_own(tmp_path: Path) -> None:
    first, second, third = (attempt(f"t{n}") for n in range(3))
    records = [faulted(first), graded(first, True, tried=3, facts={"calls_cut_off": 2})]
    store = stored(tmp_path, declared(3), records)
    for number in (1, 2, 3):
        tried(store, first, number, True)
    tried(store, second, 1, True, False, cut_off=1)
    tried(store, third, 1)
    report = build(tmp_path)
    (one,) = report.conditions
    assert one.cost.usd_spent.value == pytest.approx(1.5), "of the recorded tries, as ever"
    assert one.cost.usd_lost_tries.value == pytest.approx(0.75)
    assert one.cost.lost.calls == 3 and one.cost.calls_cut_off == 2
    assert (one.owed, sum(one.faulted.values())) == (2, 0), "a lost try is no fault"
    text = as_text(report)
    assert "lost" in text and "2.25" in text and "0.75" in text


def test_a_damaged_trace_is_told(tmp_path: Path) -> None:
    store = stored(tmp_path, declared(1), [])
    with store.trace(attempt("t0"), 1) as trace:
        trace.emit("reply", {"reply": {"usage": {"calls": "many"}}, "live": True})
    with pytest.raises(UsageError, match="usage of a call in a trace"):
        build(tmp_path)
