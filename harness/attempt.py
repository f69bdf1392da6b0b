"""One attempt, from an empty box to a record. The heart of the program."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness import codec, past
from harness.api import Archive, Grader, Model, Privileged, Sandboxes, Scaffold, Session, Trace
from harness.errors import Fault, LimitReached, blame
from harness.meter import Meter, RunMeter
from harness.models.metered import Metered
from harness.trace import Journal, Recorded, Watched
from harness.types import (
    Attempt,
    Clocks,
    Ending,
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
                *(round(s, 4) for s in (total, self.prepare, self.box)),
                *(round(s, 4) for s in (journal.model_seconds, journal.tool_seconds, self.grade)),
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
    with archive.trace(attempt, number) as trace:
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
            trace.emit("fault", {"culprit": fault.culprit, "message": fault.message}, sync=True)
            return Faulted(culprit=fault.culprit, message=fault.message, **this.common())
        trace.emit("verdict", codec.dump(grade.verdict), sync=True)
    return Graded(verdict=grade.verdict, ending=ending, **this.common())


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
    return ending, submission


async def _solve(this: _Try) -> tuple[Ending, Submission]:
    environment = this.task.brief.environment
    with blame("sandbox"):
        this.prepare = (await this.parts.sandboxes.prepare(environment)).seconds
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


async def _until_it_ends(this: _Try, box: Watched) -> Ending:
    parts, trace = this.parts, this.journal.trace
    seed = None if parts.seed is None else _seed(parts.seed, this.attempt)
    recorded = Recorded(parts.model, this.journal, this.meter, seed)
    session = Session(box, Metered(recorded, this.meter), parts.limits, _note(trace))
    # Seconds that the model took in an earlier try count, though the replay does not wait again.
    seconds = parts.limits.seconds
    left = None if seconds is None else max(0.0, seconds - this.journal.past.model_seconds)
    try:
        async with asyncio.timeout(left):
            with blame("scaffold"):
                if isinstance(parts.scaffold, Privileged):
                    ending = await parts.scaffold.solve_knowing(this.task, session)
                else:
                    ending = await parts.scaffold.solve(this.task.brief, session)
    except LimitReached as limit:
        ending = limit.ending
    except TimeoutError:
        ending = Ending.TIME
    trace.emit("ending", {"ending": ending.value})
    return ending


async def _grade(this: _Try, submission: Submission) -> Grade:
    parts, started = this.parts, time.monotonic()
    with blame("grader"):
        grade = await parts.grader.grade(this.task, submission, parts.sandboxes)
    this.grade = time.monotonic() - started
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
