"""One attempt, from an empty box to a record. The heart of the program."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from harness import codec, past
from harness.api import (
    Archive,
    Endpoint,
    Grader,
    Hosting,
    Model,
    Privileged,
    Sandboxes,
    Scaffold,
    Session,
    Trace,
)
from harness.errors import Fault, LimitReached, UsageError, blame
from harness.meter import Meter, RunMeter
from harness.models.metered import Estimate, Metered, unknown
from harness.models.wires.remembered import remembering
from harness.trace import Journal, Recorded, Watched
from harness.types import (
    Attempt,
    Clocks,
    Ending,
    Environment,
    Faulted,
    Grade,
    Graded,
    Limits,
    Record,
    Submission,
    Task,
    Usage,
    Verdict,
)


class Guest(Protocol):
    """An attempt at the door: see `harness.models.door.guest`, which is not imported for others."""

    over: asyncio.Event

    def judge(self) -> None:
        """Raise what the attempt comes to, where that is not for its scaffold to say."""
        ...

    def facts(self) -> Mapping[str, Any]: ...


class Door(Protocol):
    """Where programs in boxes ask their model, and how an attempt is let in there."""

    @property
    def path(self) -> str: ...

    def admitted(
        self, scaffold: Hosting, meter: Meter, journal: Journal, /
    ) -> AbstractAsyncContextManager[tuple[Guest, Endpoint]]: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """The plug-ins one attempt is made of, already built."""

    model: Model
    sandboxes: Sandboxes
    scaffold: Scaffold | Privileged
    grader: Grader
    limits: Limits
    archive: Archive
    run: RunMeter
    seed: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the record is to say of these parts."""
    estimate: Estimate = unknown
    door: Door | None = None


@dataclass(slots=True)
class _Try:
    """What one try has come to so far: enough for a record, however it ends."""

    attempt: Attempt
    task: Task
    parts: Parts
    number: int
    meter: Meter
    journal: Journal
    started: float = field(default_factory=time.monotonic)
    prepare: float = 0.0
    box: float = 0.0
    grade: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)

    def common(self) -> dict[str, Any]:
        journal, total = self.journal, time.monotonic() - self.started
        return {
            "attempt": self.attempt,
            "usage": self.meter.used,
            "spent": self.meter.spent,
            "tried": self.number,
            "clocks": Clocks(
                total=round(total, 4),
                prepare=round(self.prepare, 4),
                box=round(self.box, 4),
                model=round(journal.model_seconds, 4),
                tool=round(journal.tool_seconds, 4),
                grade=round(self.grade, 4),
                queue=round(journal.queue.seconds, 4),
            ),
            "facts": {**self.facts, **journal.facts()},
            "blobs": self.blobs,
            "at": _now(),
        }


async def run_attempt(
    attempt: Attempt, task: Task, parts: Parts, submission: Submission | None = None
) -> Record:
    """Solve, collect, grade. Whatever goes wrong on the way has one culprit, and is no zero.

    With somebody's `submission` there is nothing to solve: it is graded as it stands.
    """
    archive, earlier = parts.archive, past.latest(parts.archive, attempt)
    number = archive.tries(attempt) + 1
    with archive.trace(attempt, number) as trace, remembering():
        trace.emit(
            "try", {"attempt": codec.dump(attempt), "number": number, "from": earlier.number}
        )
        this = _Try(
            attempt, task, parts, number, Meter(parts.limits, parts.run), Journal(trace, earlier)
        )
        this.facts |= parts.facts
        try:
            ending, submission = await _solved(this, submission)
            grade = await _grade(this, submission)
        except Fault as fault:
            if _interrupted():
                raise asyncio.CancelledError from fault
            trace.emit("fault", {"culprit": fault.culprit, "message": fault.message}, sync=True)
            return Faulted(culprit=fault.culprit, message=fault.message, **this.common())
        trace.emit("verdict", codec.dump(grade.verdict), sync=True)
    return Graded(verdict=grade.verdict, ending=ending, **this.common())


def _interrupted() -> bool:
    """Whether we are being ended from outside: what fails on the way out is no machine's fault."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def not_submitted(attempt: Attempt) -> Graded:
    """The measurement of a declared task for which somebody else's results have nothing."""
    verdict = Verdict(False, "not_submitted")
    return Graded(attempt, verdict, Ending.SUBMITTED, Usage(), Clocks(), at=_now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


async def _solved(this: _Try, given: Submission | None) -> tuple[Ending, Submission]:
    """The submission: given, or of an earlier try that only lacked its grade, or a new one."""
    done = this.journal.past.done
    if given is not None:
        ending, submission = Ending.SUBMITTED, given
    elif done is None:
        ending, submission = await _solve(this)
    else:
        ending, submission = done.ending, Submission(this.parts.archive.fetch(done.patch))
        this.meter.charge(done.usage, live=False)
        this.facts |= {**done.facts, "continues_try": this.journal.past.number}
    this.blobs["patch"] = this.parts.archive.keep(submission.patch)
    this.journal.trace.emit(
        "submission",
        {
            "patch": this.blobs["patch"],
            "ending": ending.value,
            "usage": codec.dump(this.meter.used),
            "facts": this.facts,
        },
        sync=True,
    )
    await this.journal.trace.settled()
    return ending, submission


async def _solve(this: _Try) -> tuple[Ending, Submission]:
    environment = await _equipped(this)
    with blame("sandbox"):
        this.prepare += (await this.parts.sandboxes.prepare(environment)).seconds
        opening = time.monotonic()
        async with this.parts.sandboxes.open(environment) as box:
            this.box += time.monotonic() - opening
            this.facts |= box.facts
            ending = await _until_it_ends(this, Watched(box, this.journal))
            with blame("grader"):
                submission = await this.parts.grader.collect(this.task, box)
            closing = time.monotonic()
    this.box += time.monotonic() - closing
    this.facts |= box.facts  # it knows more of itself now
    return ending, submission


async def _equipped(this: _Try) -> Environment:
    """The agent's box: that of the task, with what a program of the scaffold's needs in it."""
    scaffold, environment = this.parts.scaffold, this.task.brief.environment
    if not isinstance(scaffold, Hosting):
        return environment
    if this.parts.door is None:
        raise UsageError("a scaffold that runs a program in the box needs a model at an endpoint")
    started = time.monotonic()
    with blame("scaffold"):
        equipped = await scaffold.equip(environment)
    this.prepare += time.monotonic() - started
    return replace(equipped, door=this.parts.door.path)


async def _until_it_ends(this: _Try, box: Watched) -> Ending:
    parts, journal = this.parts, this.journal
    try:
        if isinstance(parts.scaffold, Hosting) and parts.door is not None:
            async with parts.door.admitted(parts.scaffold, this.meter, journal) as (
                guest,
                endpoint,
            ):
                ending = await _hosted(this, _session(this, box, guest, endpoint), guest)
        else:
            ending = await _timed(this, _session(this, box))
    except LimitReached as limit:
        ending = limit.ending
    journal.trace.emit("ending", {"ending": ending.value})
    return ending


def _session(
    this: _Try, box: Watched, guest: Guest | None = None, door: Endpoint | None = None
) -> Session:
    parts = this.parts
    seed = None if parts.seed is None else _seed(parts.seed, this.attempt)
    recorded = Recorded(parts.model, this.journal, this.meter, seed, parts.estimate)
    model = Metered(recorded, this.meter, parts.estimate)
    over = guest.over if guest else asyncio.Event()
    note, calls = _note(this.journal.trace), lambda: this.journal.calls
    return Session(box, model, parts.limits, note, door, over, calls)


async def _hosted(this: _Try, session: Session, guest: Guest) -> Ending:
    """What the meter and the endpoint have to say of an attempt goes before what its program does.

    Programs end with any exit code, at any time after they were refused, or not at all.
    """
    try:
        ending = await _timed(this, session)
    except Fault:
        guest.judge()
        raise
    finally:
        this.facts |= guest.facts()
        if this.parts.seed is not None:
            told = this.facts.get("agent_unequal", ())
            this.facts["agent_unequal"] = [*told, "is not given the run's seed"]
    if ending is not Ending.TIME or guest.over.is_set():
        guest.judge()
        if not this.journal.calls:
            raise Fault("scaffold", "the program in the box ended without asking its model once")
    return ending


async def _timed(this: _Try, session: Session) -> Ending:
    scaffold, seconds = this.parts.scaffold, this.parts.limits.seconds
    # Seconds that the model took in an earlier try count, though the replay does not wait again.
    left = None if seconds is None else max(0.0, seconds - this.journal.past.model_seconds)
    try:
        async with asyncio.timeout(left) as deadline:
            with this.journal.queue.stopping(deadline), blame("scaffold"):
                if isinstance(scaffold, Privileged):
                    return await scaffold.solve_knowing(this.task, session)
                return await scaffold.solve(this.task.brief, session)
    except TimeoutError:
        return Ending.TIME


async def _grade(this: _Try, submission: Submission) -> Grade:
    parts, started = this.parts, time.monotonic()
    with blame("grader"):
        grade = await parts.grader.grade(this.task, submission, parts.sandboxes)
    this.grade = time.monotonic() - started
    this.facts |= grade.facts
    this.blobs["tests"] = parts.archive.keep(json.dumps(dict(grade.tests)).encode())
    if expected := _expected(this.task):
        this.blobs["expected"] = parts.archive.keep(json.dumps(expected).encode())
    for name, log in grade.logs.items():
        this.blobs[f"log.{name}"] = parts.archive.keep(log)
    return grade


def _expected(task: Task) -> dict[str, list[str]]:
    """The tests that a verdict tallies, by list, where the task names them."""
    lists = ("fail_to_pass", "pass_to_pass")
    return {name: list(task.oracle[name]) for name in lists if name in task.oracle}


def _note(trace: Trace) -> Any:
    def note(kind: str, data: Mapping[str, Any]) -> None:
        trace.emit("note", {"note": kind, **data})

    return note


def _seed(seed: int, attempt: Attempt) -> int:
    """A seed for the endpoint: its own for each attempt, the same whenever that is repeated."""
    name = f"{seed} {attempt.task} {attempt.condition} {attempt.repeat}"
    return int.from_bytes(hashlib.sha256(name.encode(errors="surrogatepass")).digest()[:4]) >> 1
