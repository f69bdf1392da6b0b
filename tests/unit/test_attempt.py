"""One attempt, with real commands in a folder of this machine and a scripted model."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from harness import past
from harness.api import Sandbox, Sandboxes, Session
from harness.attempt import Parts, run_attempt
from harness.errors import Fault, LimitReached, Parked
from harness.limits import RunLimits
from harness.meter import RunMeter
from harness.models.scripted import Scripted, says
from harness.sandboxes.host import Host
from harness.types import (
    Attempt,
    Brief,
    Ending,
    Environment,
    Faulted,
    Grade,
    Graded,
    Limits,
    Message,
    Prepared,
    Record,
    Reply,
    Request,
    Submission,
    Task,
    TaskId,
    Usage,
    Verdict,
)
from results.store import RunStore

pytestmark = pytest.mark.anyio

TASK = Task(Brief(TaskId("t"), "make a file named done", Environment("", "/repo")), {}, "g", "here")
ATTEMPT = Attempt(TaskId("t"), "c", 0)


class Plain:
    """Runs whatever the model says until it says submit."""

    async def solve(self, brief: Brief, session: Session, /) -> Ending:
        talk = [Message("user", brief.statement)]
        while True:
            reply = await session.model.complete(Request(tuple(talk)))
            command = reply.message.calls[0].arguments.split('"')[3]
            if command == "submit":
                return Ending.SUBMITTED
            result = await session.sandbox.exec(["sh", "-c", command], kill_after=60)
            talk += [reply.message, Message("tool", result.text, call_id="c")]


@dataclass
class DoneFile:
    """Resolved if the file is there. Remembers what it was given."""

    given: list[bytes] = field(default_factory=list)
    broken: int = 0

    async def collect(self, task: Task, sandbox: Sandbox, /) -> Submission:
        result = await sandbox.exec(["sh", "-c", "cat done || true"], kill_after=60)
        return Submission(result.output if result.ok else b"")

    async def grade(self, task: Task, submission: Submission, sandboxes: Sandboxes, /) -> Grade:
        self.given.append(submission.patch)
        if self.broken:
            self.broken -= 1
            raise OSError("the grading box died")
        won = submission.patch.startswith(b"yes")
        return Grade(
            Verdict(won, "resolved" if won else "tests_failed"), {"t": "passed"}, {"out": b"log"}
        )


def parts(store: RunStore, replies: Sequence[Reply | Exception], **other: object) -> Parts:
    usual = Parts(
        model=Scripted(replies),
        sandboxes=Host(),
        scaffold=Plain(),
        grader=DoneFile(),
        limits=Limits(),
        archive=store,
        run=RunMeter(RunLimits()),
    )
    return replace(usual, **other)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "run")


async def attempt(built: Parts) -> Record:
    return await run_attempt(ATTEMPT, TASK, built)


async def test_a_solved_task_is_graded_resolved_with_its_evidence(store: RunStore) -> None:
    record = await attempt(parts(store, [says("echo yes > done")]))
    assert isinstance(record, Graded) and record.verdict.resolved
    assert record.ending is Ending.SUBMITTED and record.usage.calls == 2
    assert store.fetch(record.blobs["patch"]) == b"yes\n"
    assert store.fetch(record.blobs["log.out"]) == b"log"


async def test_the_names_of_the_expected_tests_are_kept_where_the_task_has_them(
    store: RunStore,
) -> None:
    named = replace(TASK, oracle={"fail_to_pass": ("a",), "pass_to_pass": (), "patch": "secret"})
    record = await run_attempt(ATTEMPT, named, parts(store, [says("echo yes > done")]))
    kept = json.loads(store.fetch(record.blobs["expected"]))
    assert kept == {"fail_to_pass": ["a"], "pass_to_pass": []}


async def test_a_limit_is_an_ending_and_the_work_so_far_is_graded(store: RunStore) -> None:
    record = await attempt(parts(store, [says("echo yes > done")] * 9, limits=Limits(turns=1)))
    assert isinstance(record, Graded) and record.verdict.resolved
    assert record.ending is Ending.TURNS and record.usage.calls == 1


async def test_running_out_of_time_is_an_ending(store: RunStore) -> None:
    slow = [says("echo yes > done; sleep 60")]
    record = await attempt(parts(store, slow, limits=Limits(seconds=1.5)))
    assert isinstance(record, Graded) and record.verdict.resolved
    assert record.ending is Ending.TIME


async def test_a_window_that_is_full_is_an_ending(store: RunStore) -> None:
    full = [says("echo yes > done"), LimitReached(Ending.CONTEXT)]
    record = await attempt(parts(store, full))
    assert isinstance(record, Graded) and record.ending is Ending.CONTEXT


class Broken:
    async def solve(self, brief: Brief, session: Session, /) -> Ending:
        raise KeyError("oops")


class NoBox:
    async def prepare(self, environment: Environment, /) -> Prepared:
        return Prepared("")

    @asynccontextmanager
    async def open(self, environment: Environment, /) -> AsyncIterator[Sandbox]:
        raise OSError("no daemon")
        yield


@pytest.mark.parametrize(
    ("culprit", "replies", "other"),
    [
        ("model", [ConnectionError("503")], {}),
        ("scaffold", [], {"scaffold": Broken()}),
        ("sandbox", [], {"sandboxes": NoBox()}),
        ("grader", [], {"grader": DoneFile(broken=1)}),
    ],
)
async def test_each_fault_names_its_culprit_and_is_no_zero(
    store: RunStore, culprit: str, replies: list[Exception], other: dict[str, object]
) -> None:
    record = await attempt(parts(store, replies, **other))
    assert isinstance(record, Faulted) and record.culprit == culprit, record


async def test_a_try_after_a_fault_replays_what_was_paid_for(store: RunStore) -> None:
    first = [says("date +%N > when; echo yes > done; cat when"), Fault("model", "gone")]
    faulted = await attempt(parts(store, first))
    assert isinstance(faulted, Faulted) and faulted.spent.calls == 1
    rest = Scripted([says("submit")])
    record = await attempt(parts(store, [], model=rest))
    assert isinstance(record, Graded) and record.verdict.resolved
    assert len(rest.requests) == 1, "only what was never answered is asked"
    assert (record.tried, record.usage.calls, record.spent.calls) == (2, 2, 1)
    assert record.facts["replayed_replies"] == 1 and record.facts["diverged_outputs"] == 1


async def test_the_model_is_shown_the_outputs_that_it_saw_then(store: RunStore) -> None:
    first = [says("date +%N"), Fault("model", "gone")]
    await attempt(parts(store, first))
    then = next(e["output"] for e in store.events(ATTEMPT, 1) if e["kind"] == "exec")
    rest = Scripted([says("submit")])
    await attempt(parts(store, [], model=rest))
    assert rest.requests[0].messages[-1].content == then


class Reader(Plain):
    """Looks for a file that is not there before each of its turns."""

    async def solve(self, brief: Brief, session: Session, /) -> Ending:
        with pytest.raises(FileNotFoundError):
            await session.sandbox.read("nowhere")
        return await super().solve(brief, session)


async def test_a_read_that_found_nothing_is_replayed_too(store: RunStore) -> None:
    first = [says("echo yes > done"), says("date +%N"), Fault("model", "gone")]
    await attempt(parts(store, first, scaffold=Reader()))
    rest = Scripted([says("submit")])
    record = await attempt(parts(store, [], model=rest, scaffold=Reader()))
    assert isinstance(record, Graded) and len(rest.requests) == 1
    assert record.facts["replayed_replies"] == 2 and record.facts["diverged_outputs"] == 1


async def test_a_scaffold_that_asks_something_else_is_not_given_the_old_reply(
    store: RunStore,
) -> None:
    await attempt(parts(store, [says("true"), Fault("model", "gone")]))
    other = replace(TASK, brief=replace(TASK.brief, statement="another statement"))
    live = Scripted([says("echo yes > done")])
    record = await run_attempt(ATTEMPT, other, parts(store, [], model=live))
    assert isinstance(record, Graded) and record.verdict.resolved
    assert record.facts["replayed_replies"] == 0 and len(live.requests) == 2


async def test_a_grade_that_failed_is_taken_again_without_solving_again(store: RunStore) -> None:
    await attempt(parts(store, [says("echo yes > done")], grader=DoneFile(broken=1)))
    silent = Scripted([])
    record = await attempt(parts(store, [], model=silent))
    assert isinstance(record, Graded) and record.verdict.resolved
    assert not silent.requests and record.spent == Usage() and record.usage.calls == 2


async def test_every_try_that_was_paid_for_is_counted(store: RunStore) -> None:
    await attempt(parts(store, [says("true"), Fault("model", "gone")]))
    await attempt(parts(store, [says("true"), Fault("model", "gone")]))
    assert past.spent(store, ATTEMPT).calls == 2


async def test_a_run_without_money_parks_the_attempt(store: RunStore) -> None:
    broke = RunMeter(RunLimits(usd=0.01))
    with pytest.raises(Parked):
        await attempt(parts(store, [says("echo yes > done")] * 5, run=broke))
    assert broke.spent.calls == 1
    richer = RunMeter(RunLimits(usd=1.0))
    record = await attempt(parts(store, [], model=Scripted([says("submit")]), run=richer))
    assert isinstance(record, Graded) and record.verdict.resolved and record.spent.calls == 1


async def test_somebody_elses_submission_is_graded_as_it_stands(store: RunStore) -> None:
    record = await run_attempt(ATTEMPT, TASK, parts(store, []), Submission(b"yes"))
    assert isinstance(record, Graded) and record.verdict.resolved and record.usage.calls == 0


async def test_a_box_that_dies_while_its_run_is_interrupted_is_no_fault(
    store: RunStore, tmp_path: Path
) -> None:
    os.mkfifo(where := tmp_path / "where")
    wait = f"read -r row </proc/$PPID/stat; echo $row >{where}; sleep 600"
    running = asyncio.create_task(attempt(parts(store, [says(wait)])))
    _, _, _, keeper, *_ = (await asyncio.to_thread(where.read_text)).split()
    os.kill(int(keeper), signal.SIGKILL)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
