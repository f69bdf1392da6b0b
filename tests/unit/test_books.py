"""The driver's books: what a worker says goes into the run's folder; what it needs is from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import codec
from harness.errors import Parked, UsageError
from harness.executors.mail import Charged, Ended, Kept, Line, Opened
from harness.limits import RunLimits
from harness.meter import RunMeter
from harness.types import Attempt, Ending, TaskId, Usage
from harness.verbs.afar.driver import Books, Run
from harness.verbs.afar.lent import Admission
from harness.verbs.loading import Loaded
from results.store import RunStore
from tests.contract.toy_workers import faulted, task

ATTEMPT = Attempt(TaskId("t"), "c", 0)
UNLIMITED = RunLimits()
USAGE = Usage(1, fresh=10, usd=1.0)


def books(folder: Path, limits: RunLimits = UNLIMITED) -> Books:
    nothing: Any = None
    loaded = Loaded({ATTEMPT.task: task(ATTEMPT)}, {})
    return Books(Run(nothing, loaded, nothing, RunStore(folder), RunMeter(limits), "run"))


def line(kind: str, **data: Any) -> Line:
    return Line(ATTEMPT, json.dumps({"kind": kind, "at": 0.0, **data}).encode(), sync=True)


def submission(patch: str) -> Line:
    ending = Ending.SUBMITTED.value
    return line("submission", patch=patch, ending=ending, usage=codec.dump(USAGE), facts={})


def test_what_a_worker_says_is_in_the_folder_before_anything_else_is_heard(tmp_path: Path) -> None:
    with books(tmp_path) as kept:
        kept.keep(Opened(ATTEMPT, 1))
        kept.keep(line("try"))
        assert [e["kind"] for e in RunStore(tmp_path).events(ATTEMPT, 1)] == ["try"]
        kept.keep(Kept(b"patch"))
        kept.keep(Charged(USAGE))
        assert kept.run.meter.spent == USAGE


def test_an_order_brings_the_past_that_is_to_be_replayed_and_no_more(tmp_path: Path) -> None:
    with books(tmp_path) as kept:
        first = kept.order(ATTEMPT, [])
        assert (first.tries, first.past) == (0, {})
        digest = kept.run.store.keep(b"patch")
        for number, said in enumerate((line("try"), submission(digest), line("try")), 1):
            kept.keep(Opened(ATTEMPT, number))
            kept.keep(said)
        order = kept.order(ATTEMPT, [])
    assert order.tries == 3
    assert order.past == {2: submission(digest).data + b"\n"}
    assert order.blobs == {digest: b"patch"}


def test_a_try_that_died_is_closed_when_the_next_one_opens(tmp_path: Path) -> None:
    with books(tmp_path) as kept:
        for number in (1, 2):
            kept.keep(Opened(ATTEMPT, number))
            kept.keep(line(f"of {number}"))
    store = RunStore(tmp_path)
    assert [[e["kind"] for e in store.events(ATTEMPT, n)] for n in (1, 2)] == [["of 1"], ["of 2"]]


def test_what_an_attempt_has_come_to_is_a_record_or_is_raised(tmp_path: Path) -> None:
    with books(tmp_path) as kept:
        record = faulted(ATTEMPT)
        assert kept.record(Ended(ATTEMPT, codec.encode(record))) == record
        with pytest.raises(UsageError, match="the key"):
            kept.record(Ended(ATTEMPT, error=UsageError("the key is refused")))


def test_an_attempt_that_workers_die_of_says_so_and_which_try_it_was(tmp_path: Path) -> None:
    with books(tmp_path) as kept:
        kept.keep(Opened(ATTEMPT, 1))
        lost = kept.lost(ATTEMPT, "node b: killed")
    assert (lost.culprit, lost.tried) == ("sandbox", 1)
    assert lost.message == "several workers have died over it; the last: node b: killed"


@pytest.mark.anyio
async def test_a_call_counts_against_the_budget_of_all_nodes_at_its_worst(tmp_path: Path) -> None:
    with books(tmp_path, RunLimits(usd=2.0)) as kept:
        async with kept.lease(Admission(USAGE)):
            kept.keep(Charged(USAGE))
        kept.keep(Charged(USAGE))
        with pytest.raises(Parked):
            async with kept.lease(Admission(USAGE)):
                pass
