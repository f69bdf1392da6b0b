"""Every preset, whatever the model says: an attempt ends in a record, and its trace reads back."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import past
from harness.api import Sandbox, Sandboxes
from harness.attempt import Parts, run_attempt
from harness.errors import Fault
from harness.limits import RunLimits
from harness.meter import RunMeter
from harness.models.scripted import Scripted, says
from harness.models.wires import chat
from harness.registry import build
from harness.sandboxes.host import Host
from harness.types import (
    Attempt,
    Brief,
    Environment,
    Faulted,
    Grade,
    Graded,
    Limits,
    Message,
    Part,
    Record,
    Reply,
    Submission,
    Task,
    TaskId,
    ToolCall,
    Usage,
    Verdict,
)
from results.store import RunStore
from scaffolds import AGENTS, SCAFFOLDS
from scaffolds.factors.written import Fenced, Xml
from scaffolds.tools import bash, editor, submit
from tests.property.hostile import DEEP, HUGE, REPLIES, TEXT, nested, share

TASK = Task(Brief(TaskId("t"), "Make it work.", Environment("", "/repo")), {}, "g", "here")
ATTEMPT = Attempt(TaskId("t"), "c", 0)
SOLVING = sorted(set(SCAFFOLDS) - {"oracle", "nop", *AGENTS})
KNOBS: list[dict[str, str]] = [{}, {"calls": "xml", "retry": "resample:9"}, {"context": "elide:1"}]


class Anything:
    """A grader that takes whatever there is."""

    async def collect(self, task: Task, sandbox: Sandbox, /) -> Submission:
        return Submission(b"")

    async def grade(self, task: Task, submission: Submission, sandboxes: Sandboxes, /) -> Grade:
        return Grade(Verdict(False, "tests_failed"))


async def attempt(store: RunStore, preset: Part, model: Scripted) -> Record:
    parts = Parts(
        model=model,
        sandboxes=Host(),
        scaffold=build("scaffold", preset, SCAFFOLDS),
        grader=Anything(),
        limits=Limits(turns=20, seconds=60),
        archive=store,
        run=RunMeter(RunLimits()),
    )
    return await run_attempt(ATTEMPT, TASK, parts)


def settled(preset: Part, replies: list[Reply | Exception]) -> tuple[Record, Scripted]:
    """The record of an attempt, once all that must hold of what it left behind does."""
    model = Scripted(replies)
    with tempfile.TemporaryDirectory() as folder:
        with RunStore(Path(folder) / "run") as store:
            record = asyncio.run(attempt(store, preset, model))
            store.append(record)
        assert [(r.attempt, r.kind) for r in store.records()] == [(ATTEMPT, record.kind)]
        events = list(store.events(ATTEMPT, 1))
        assert events[0]["kind"] == "try" and events[-1]["kind"] in ("verdict", "fault")
        told = past.latest(store, ATTEMPT).replies
        answered = [r for r in replies[: len(model.requests)] if isinstance(r, Reply)]
        assert [t.reply for t in told[: len(answered)]] == answered
    for request in model.requests:
        body = json.loads(chat.encode(request, {"model": "m"}).decode("utf-8"))
        assert len(body["messages"]) == len(request.messages)
    return record, model


@pytest.mark.parametrize("preset", SOLVING)
def test_any_replies_come_to_an_ending(preset: str) -> None:
    @share(15)
    @given(st.lists(REPLIES, min_size=1, max_size=8), st.sampled_from(KNOBS))
    def each(replies: list[Reply | Exception], knobs: dict[str, str]) -> None:
        fits = "fenced" not in preset or "calls" in knobs or "tools" not in knobs
        record, _ = settled(Part(preset, {"command_seconds": 20, **knobs} if fits else {}), replies)
        assert isinstance(record, Graded), record

    each()


THOUSAND = tuple(
    ToolCall(f"c{at % 7}", "bash", '{"command": ' if at == 999 else '{"command": "true"}')
    for at in range(1000)
)
MONSTERS: dict[str, Any] = {
    "10 MB of command": (ToolCall("a", "bash", json.dumps({"command": "x" * HUGE})),),
    "10 MB that is no JSON": (ToolCall("a", "bash", '{"command": "' + "x" * HUGE),),
    "10 MB of name": (ToolCall("a", "x" * HUGE, "{}"),),
    "10 MB of keys": (ToolCall("a", "bash", json.dumps({"x" * HUGE: 1})),),
    "deep": (ToolCall("a", "bash", nested(DEEP)), ToolCall("b", "bash", nested(900))),
    "a thousand calls, one bad": THOUSAND,
    "10 MB of path": (
        ToolCall("a", "editor", json.dumps({"command": "view", "path": "x" * HUGE})),
    ),
    "a choice that there is not": (
        ToolCall("a", "editor", json.dumps({"command": "x" * HUGE, "path": "a"})),
    ),
}


@pytest.mark.parametrize("monster", MONSTERS)
@pytest.mark.parametrize("preset", ["bash", "editor"])
def test_size_is_answered_and_not_repeated(preset: str, monster: str) -> None:
    reply = Reply(Message("assistant", "", MONSTERS[monster]), Usage(1, 10), "tool_calls")
    record, model = settled(Part(preset), [reply])
    assert isinstance(record, Graded), record
    answers = [m for m in model.requests[1].messages if m.role == "tool"]
    assert [m.call_id for m in answers] == [call.id for call in MONSTERS[monster]]
    assert all(len(m.content) < 2000 for m in answers)


def test_a_thousand_good_calls_are_all_run() -> None:
    reply = Reply(Message("assistant", "", THOUSAND[:999]), Usage(1, 10), "tool_calls")
    record, model = settled(Part("bash"), [reply])
    assert isinstance(record, Graded), record
    assert len([m for m in model.requests[1].messages if m.role == "tool"]) == 999


@given(TEXT, TEXT)
@share(20)
def test_a_fault_is_a_record_whatever_its_message_and_the_served_model(
    message: str, served: str
) -> None:
    reply = replace(says("true"), served={"model": served})
    record, _ = settled(Part("bash"), [reply, Fault("model", message)])
    assert isinstance(record, Faulted) and record.culprit == "model"


BASH = bash.tool(1)
LONG = {
    "fences that none closes": "```bash\n" * (HUGE // 8),
    "fences of every length": "".join(f"{'`' * n}sh\n" for n in range(4000, 3, -1)),
    "backticks": "`" * HUGE,
    "closed fences": "```sh\na\n```\n" * (HUGE // 12),
    "thoughts": "<think>" * (HUGE // 7),
    "tags": "<tool " * (HUGE // 6),
    "openings": '<tool name="bash"><command>' * (HUGE // 27),
    "endings": '<tool name="bash"><command>' + "</command> " * (HUGE // 11),
    "blanks": '<tool name="bash">' + " " * HUGE,
}


@pytest.mark.parametrize("text", LONG)
@pytest.mark.parametrize("style", [Fenced(), Xml()], ids=["fenced", "xml"])
def test_text_is_read_in_time_that_grows_with_it(style: Fenced | Xml, text: str) -> None:
    reply = Reply(Message("assistant", LONG[text]), Usage(1, 10))
    started = time.process_time()
    style.read(reply, (BASH, editor.TOOL, submit.TOOL))
    assert time.process_time() - started < 15
