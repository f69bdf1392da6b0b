"""Ledgers and traces that a crash cut short, or that a disk spoilt, at every byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import past
from harness.codec import dump, encode
from harness.models.scripted import says
from harness.types import (
    Attempt,
    Clocks,
    Ending,
    Faulted,
    Graded,
    Record,
    TaskId,
    Usage,
    Verdict,
)
from results.ledger import Ledger
from results.store import RunStore
from results.traces import Traces
from tests.property.hostile import TEXT, one_line, told

FLIPS = (0x01, 0x80, ord("\n") ^ ord(","))
KEY = Attempt(TaskId("task-ü"), "c0ffee", 10)


def graded(repeat: int) -> Graded:
    usage = Usage(1, 2, usd=0.1)
    attempt = Attempt(KEY.task, KEY.condition, repeat)
    facts = {"model_model": "m"}
    verdict = Verdict(True, "resolved")
    return Graded(attempt, verdict, Ending.SUBMITTED, usage, Clocks(), facts=facts)


RECORDS: tuple[Record, ...] = (
    graded(10),
    Faulted(Attempt(KEY.task, KEY.condition, 11), "model", "503\nü", Usage(), Clocks()),
    graded(12),
)
LEDGER = b"".join(encode(record) + b"\n" for record in RECORDS)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Ledger(tmp_path_factory.mktemp("run") / "ledger.jsonl")


def test_a_ledger_cut_at_any_byte_gives_its_sealed_part_and_is_continued(ledger: Ledger) -> None:
    for cut in range(len(LEDGER) + 1):
        ledger.path.write_bytes(LEDGER[:cut])
        whole = LEDGER[:cut].count(b"\n")
        assert list(ledger.records()) == [*RECORDS[:whole]]
        assert len(list(ledger.keys())) == whole
        if cut % 16 == 0 or LEDGER[cut - 1 : cut] == b"\n":  # each costs a sync
            with ledger:
                ledger.append(graded(99))
            assert list(ledger.records()) == [*RECORDS[:whole], graded(99)]


def read(ledger: Ledger) -> list[Record] | str:
    return told(lambda: list(ledger.records()))


@pytest.mark.parametrize("flip", FLIPS)
def test_a_spoilt_byte_of_a_ledger_is_harmless_or_named_and_nothing_is_overwritten(
    ledger: Ledger, flip: int
) -> None:
    for at in range(len(LEDGER)):
        spoilt = bytearray(LEDGER)
        spoilt[at] ^= flip
        ledger.path.write_bytes(spoilt)
        found = read(ledger)
        if isinstance(found, str):
            assert one_line(found)
            assert f"{ledger.path} is damaged at line " in found and ", byte " in found
        else:
            assert len(found) == 3 - (at == len(LEDGER) - 1)
        if at % 32 == 0:
            opened = told(lambda: ledger.__enter__().__exit__())
            assert opened is None or (one_line(opened) and isinstance(found, str))
            assert ledger.path.read_bytes() == spoilt


def test_the_last_newline_is_the_one_byte_that_takes_its_line_along(ledger: Ledger) -> None:
    ledger.path.write_bytes(LEDGER[:-1] + b"x")
    assert read(ledger) == [*RECORDS[:2]]
    with ledger:
        pass
    assert ledger.path.read_bytes() == b"".join(encode(record) + b"\n" for record in RECORDS[:2])


def test_no_message_keeps_a_record_out_of_the_ledger(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.jsonl") as ledger:

        @given(TEXT, TEXT)
        def each(message: str, fact: str) -> None:
            ledger.append(Faulted(KEY, "model", message, Usage(), Clocks(), facts={fact: [fact]}))
            found = list(ledger.records())[-1]
            assert found.attempt == KEY and isinstance(found, Faulted)
            assert found.message == message.encode(errors="replace").decode()

        each()


def traced(folder: Path) -> tuple[RunStore, Path]:
    """A store with one trace of everything that a replay reads."""
    store = RunStore(folder)
    usage = dump(Usage(1, 10, usd=0.01))
    with store.trace(KEY, 1) as trace:
        trace.emit("try", {"attempt": dump(KEY), "number": 1, "from": 0})
        reply = {"request": "ab", "reply": dump(says("echo ü")), "seconds": 0.5, "live": True}
        trace.emit("reply", {"n": 1, **reply})
        ran = {"argv": ["bash"], "exit_code": 0, "ended": "exit", "seconds": 0.1, "omitted": 0}
        trace.emit("exec", {**ran, "output": "\udcff"})
        trace.emit("read", {"path": "a", "error": "FileNotFoundError"})
        trace.emit("read", {"path": "a", "data": "x"})
        done = {"patch": "0" * 64, "ending": "submitted", "usage": usage, "facts": {}}
        trace.emit("submission", done)
    return store, Traces(folder / "traces").path(KEY, 1)


def replayed(store: RunStore) -> int | str:
    """How many events there are, having been understood; or what is wrong with them."""

    def understood() -> int:
        past.latest(store, KEY)
        past.spent(store, KEY)
        return len(list(store.events(KEY, 1)))

    return told(understood)


def test_a_trace_cut_at_any_byte_gives_its_sealed_part(tmp_path: Path) -> None:
    store, path = traced(tmp_path)
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        assert replayed(store) == whole[:cut].count(b"\n")


@pytest.mark.parametrize("flip", FLIPS)
def test_a_spoilt_byte_of_a_trace_is_harmless_or_named(tmp_path: Path, flip: int) -> None:
    store, path = traced(tmp_path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[at] ^= flip
        path.write_bytes(spoilt)
        found = replayed(store)
        if isinstance(found, str):
            assert one_line(found) and KEY.id in found and "is damaged at line " in found
        else:
            assert found == whole.count(b"\n") - (at == len(whole) - 1)
        assert path.read_bytes() == spoilt


def test_any_bytes_for_a_trace_are_events_or_damage(tmp_path: Path) -> None:
    traces = Traces(tmp_path)

    @given(st.binary(max_size=200))
    def each(data: bytes) -> None:
        traces.path(KEY, 1).write_bytes(data)
        found = told(lambda: list(traces.events(KEY, 1)))
        assert isinstance(found, list) or one_line(found)

    each()
