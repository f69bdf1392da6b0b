"""reprice as a process: over runs made of whole cloth, and over one that was really run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.types import Attempt, Condition, Part, Record, TaskId, Usage
from results.manifest import Arm
from results.store import RunStore
from tests.e2e.commands import harness
from tests.e2e.endpoints import Script
from tests.e2e.tiny_run import TinyRun
from tests.unit.run_folders import attempt, condition, declared, faulted, graded, stored

CALL = Usage(1, fresh=1_000_000, cache_read=1_000_000, output=1_000_000, usd=None)
PRICE = ("--price", "m:in=1,out=10,cached=0.1")
AT = "2026-01-02T03:00:{:02d}+00:00"


def traced(
    store: RunStore, key: Attempt, number: int, calls: Iterable[tuple[float, float, bool]]
) -> None:
    """A trace of calls (end, seconds, live) in a try of 20 seconds."""
    path = store.traces.path(key, number)
    path.parent.mkdir(exist_ok=True)
    usage = {"calls": 1, "fresh": 1_000_000, "cache_read": 1_000_000, "output": 1_000_000}
    lines: list[dict[str, Any]] = [
        {
            "kind": "reply",
            "at": at,
            "seconds": seconds,
            "live": live,
            "reply": {"usage": {**usage, "usd": None}},
        }
        for at, seconds, live in calls
    ]
    lines.append({"kind": "verdict", "at": 20.0})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def counted(record: Record, usage: Usage = CALL, second: int = 20) -> Record:
    return replace(record, usage=usage, spent=usage, at=AT.format(second))


def run(
    folder: Path, *records: Record, tasks: int = 2, scaffolds: tuple[str, ...] = ()
) -> RunStore:
    return stored(folder / "run", declared(tasks, *scaffolds), records)


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def repriced(folder: Path, *words: str) -> list[dict[str, Any]]:
    before = contents(folder / "run")
    done = harness("reprice", "run", *words, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert contents(folder / "run") == before, "nothing of the run is touched"
    answer = json.loads(done.stdout)
    assert answer["schema"] == "harness-reprice/1"
    found: list[dict[str, Any]] = answer["conditions"]
    return found


def test_tokens_that_had_no_price_get_one_and_every_try_has_its_column(tmp_path: Path) -> None:
    first, second = attempt("t0"), attempt("t1")
    store = run(
        tmp_path,
        counted(faulted(first)),
        replace(counted(graded(first, True)), tried=3),
        counted(graded(second, False)),
    )
    for number in (1, 2, 3):
        traced(store, first, number, [(5.0, 5.0, True)])
    (one,) = repriced(tmp_path, *PRICE)
    assert one["recorded"]["usd"]["value"] is None
    assert one["source"] == "--price"
    call = 1 + 0.1 + 10
    assert one["usd"]["value"] == pytest.approx(2 * call)
    assert one["usd_per_solved"]["value"] == pytest.approx(2 * call)
    assert one["usd_graded_tries"]["value"] == pytest.approx(2 * call)
    assert one["usd_faulted_tries"]["value"] == pytest.approx(call)
    assert one["usd_lost_tries"]["value"] == pytest.approx(call), "the second try left no record"
    assert one["usd_spent"]["value"] == pytest.approx(3 * call)


def test_a_call_that_counted_no_tokens_leaves_a_null_and_a_reason(tmp_path: Path) -> None:
    key = attempt("t0")
    store = run(
        tmp_path,
        counted(graded(key, True)),
        counted(graded(attempt("t1"), True), Usage(1, usd=None)),
    )
    traced(store, key, 1, [(5.0, 5.0, True)])
    (one,) = repriced(tmp_path, *PRICE)
    assert one["usd"] == {
        "value": None,
        "reason": "1 of 2 graded attempts made a call that has no price",
    }


def test_models_without_a_new_price_keep_what_was_recorded(tmp_path: Path) -> None:
    priced, other = Condition(Part("m"), Part("x"), Part("docker")), condition()
    other = replace(other, model=Part("openai", {"id": "n"}))
    call = declared(["t0"])
    call = replace(call, conditions={c.digest: Arm(c, c.label, 1) for c in (priced, other)})
    keys = [Attempt(TaskId("t0"), c.digest, 0) for c in (priced, other)]
    stored(tmp_path / "run", call, [graded(key, True, usd=1.5) for key in keys])
    one, two = repriced(tmp_path, "--price", "m:in=1e6,out=0")
    assert (one["source"], one["usd"]["value"]) == ("--price", 100.0)
    assert (two["source"], two["usd"]["value"]) == ("as recorded", 1.5)
    one, two = repriced(tmp_path, "--price", "n:in=0,out=1e6", "--price", "in=0,out=0")
    assert (one["usd"]["value"], two["usd"]["value"]) == (0.0, 20.0)


def test_a_model_that_the_run_does_not_know_is_a_mistake(tmp_path: Path) -> None:
    run(tmp_path, graded(attempt("t0"), True))
    done = harness("reprice", "run", "--price", "n:in=1,out=2", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "harness: no model of this run 'n'; choose m\n"


def test_busy_time_is_the_union_of_calls_and_is_shared_by_condition(tmp_path: Path) -> None:
    left, right = attempt("t0"), attempt("t0", scaffold="bash")
    store = run(
        tmp_path,
        counted(graded(left, True), second=20),
        counted(graded(right, True), second=25),
        tasks=1,
        scaffolds=("editor", "bash"),
    )
    # On the clock: 0 to 10 and 12 to 14 on the left, 5 to 15 on the right: 15 seconds in all.
    traced(store, left, 1, [(10.0, 10.0, True), (14.0, 2.0, True), (15.0, 1.0, False)])
    traced(store, right, 1, [(10.0, 10.0, True)])
    one, other = repriced(tmp_path, "--gpu-hour", "36", "--gpus", "4")
    assert (one["busy_seconds"], other["busy_seconds"]) == (12.0, 10.0)
    bill = 4 * 36 * 15 / 3600
    assert one["usd_spent"]["value"] == pytest.approx(bill * 12 / 22)
    assert other["usd_spent"]["value"] == pytest.approx(bill * 10 / 22)
    assert one["usd"]["value"] == pytest.approx(bill * 12 / 22 * 13 / 12), "a replay is used"


def test_without_a_trace_nobody_knows_how_busy_the_endpoint_was(tmp_path: Path) -> None:
    run(tmp_path, counted(graded(attempt("t0"), True)))
    (one,) = repriced(tmp_path, "--gpu-hour", "36")
    assert one["busy_seconds"] is None and one["usd"]["value"] is None
    done = harness("reprice", "run", "--gpu-hour", "36", cwd=tmp_path)
    assert "has no trace" in done.stdout and "GPU-hours: gpus x dollars" in done.stdout


def test_the_answer_goes_into_a_file_but_never_over_something_else(tmp_path: Path) -> None:
    store = run(tmp_path, counted(graded(attempt("t0"), True)))
    for _ in range(2):
        done = harness("reprice", "run", *PRICE, "--into", "answer.json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "repriced; nothing of the run is changed" in done.stdout
    assert json.loads((tmp_path / "answer.json").read_text())["prices"]["m"]["output"] == 10
    before = store.ledger.path.read_bytes()
    done = harness("reprice", "run", *PRICE, "--into", "run/ledger.jsonl", cwd=tmp_path)
    assert done.returncode == 2 and "it is something else" in done.stderr
    assert store.ledger.path.read_bytes() == before


@pytest.mark.bubblewrap
def test_a_run_without_a_price_says_so_and_is_priced_later(tmp_path: Path) -> None:
    tiny = TinyRun(tmp_path, Script(["true", "true"]))
    (record,) = tiny.done()
    assert record["usage"]["usd"] is None
    assert "none" in {
        record["facts"].get("price_source"),
        record["facts"].get("model_price_source"),
    }
    (one,) = repriced(tmp_path, "--price", "in=1,out=1")
    tokens = record["usage"]["fresh"] + record["usage"]["output"]
    assert one["usd"]["value"] == pytest.approx(tokens / 1e6)
    (by_hour,) = repriced(tmp_path, "--gpu-hour", "3600")
    assert by_hour["usd"]["value"] == pytest.approx(by_hour["busy_seconds"], rel=0.01)
