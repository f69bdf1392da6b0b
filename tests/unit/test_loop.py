"""The loop from the task to the ending, with a scripted model and a real box."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.api import Sandbox, Scaffold, Session
from harness.errors import LimitReached
from harness.models.scripted import Scripted, says
from harness.sandboxes.host import Host
from harness.types import (
    Brief,
    Ending,
    Environment,
    Limits,
    Message,
    Reply,
    Request,
    TaskId,
    ToolCall,
    Usage,
)
from scaffolds.presets import bash, bash_fenced, editor, editor_elide

pytestmark = pytest.mark.anyio

BRIEF = Brief(TaskId("t"), "It costs $5 where it should be ${free}.", Environment("", "/repo"))
OVERFLOW = LimitReached(Ending.CONTEXT)


@dataclass
class Bench:
    box: Sandbox
    notes: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    requests: Sequence[Request] = ()

    async def solve(self, scaffold: Scaffold, *replies: Reply | Exception) -> Ending:
        model = Scripted(replies)
        self.requests = model.requests
        session = Session(
            self.box, model, Limits(), lambda kind, data: self.notes.append((kind, data))
        )
        return await scaffold.solve(BRIEF, session)

    def last(self) -> Message:
        """The last thing that the model was told."""
        return self.requests[-1].messages[-1]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Host().open(BRIEF.environment) as box:
        yield Bench(box)


def text(content: str, **more: Any) -> Reply:
    return Reply(Message("assistant", content), Usage(1, 10), **more)


def calls(*named: tuple[str, Mapping[str, Any]]) -> Reply:
    made = tuple(
        ToolCall(f"c{at}", name, json.dumps(arguments))
        for at, (name, arguments) in enumerate(named)
    )
    return Reply(Message("assistant", "", made), Usage(1, 10), "tool_calls")


async def test_the_model_is_told_the_issue_as_it_stands_and_where_the_repository_is(
    bench: Bench,
) -> None:
    await bench.solve(bash())
    system, task = bench.requests[0].messages
    assert (system.role, task.role) == ("system", "user")
    assert BRIEF.statement in task.content
    assert "/repo" in task.content


async def test_the_bash_preset_runs_commands_until_one_is_submit(bench: Bench) -> None:
    ending = await bench.solve(bash(), says("echo hello > a; cat a", at=0), says(" submit\n", at=1))
    assert ending is Ending.SUBMITTED
    assert bench.last() == Message("tool", "hello", call_id="call_0")
    assert [tool.name for tool in bench.requests[0].tools] == ["bash"]


async def test_submit_ends_the_work_before_the_calls_that_follow_it(bench: Bench) -> None:
    reply = calls(
        ("bash", {"command": "touch before"}),
        ("submit", {}),
        ("bash", {"command": "touch after"}),
    )
    assert await bench.solve(editor(), reply) is Ending.SUBMITTED
    assert (await bench.box.exec(["ls"], kill_after=60)).text == "before\n"


async def test_several_calls_are_run_in_order_and_each_is_answered(bench: Bench) -> None:
    reply = calls(
        ("editor", {"command": "create", "path": "a", "text": "one\n"}),
        ("bash", {"command": "cat a"}),
    )
    await bench.solve(editor(), reply)
    first, second = bench.requests[1].messages[-2:]
    assert (first.call_id, second.call_id, second.content) == ("c0", "c1", "one")


async def test_the_fenced_preset_talks_in_plain_text(bench: Bench) -> None:
    replies = text("So:\n```bash\necho hi\n```"), text("```bash\nsubmit\n```")
    assert await bench.solve(bash_fenced(), *replies) is Ending.SUBMITTED
    assert bench.last() == Message("user", "hi")
    assert bench.requests[0].tools == ()


async def test_xml_carries_the_editor_too(bench: Bench) -> None:
    create = (
        '<tool name="editor"><command>create</command><path>a</path><text>\none\n</text></tool>'
    )
    done = '<tool name="submit"></tool>'
    assert await bench.solve(editor(calls="xml"), text(create), text(done)) is Ending.SUBMITTED
    assert await bench.box.read("a") == b"one\n"
    assert "Tool editor" in bench.requests[0].messages[0].content


async def test_what_the_editor_remembers_ends_with_the_solve(bench: Bench) -> None:
    scaffold = editor()
    create = calls(("editor", {"command": "create", "path": "a", "text": "one\n"}))
    undo = calls(("editor", {"command": "undo", "path": "a"}))
    await bench.solve(scaffold, create)
    await bench.solve(scaffold, undo)
    assert "no change" in bench.last().content


async def test_a_slip_is_explained_and_the_next_good_reply_clears_it(bench: Bench) -> None:
    replies = [text("hm"), says("true", at=1), text("hm"), says("submit", at=3)]
    assert await bench.solve(bash(retry="explain:1"), *replies) is Ending.SUBMITTED
    roles = [m.role for m in bench.requests[-1].messages]
    slip = ["assistant", "user"]
    assert roles == ["system", "user", *slip, "assistant", "tool", *slip]
    assert [kind for kind, _ in bench.notes] == ["slip", "slip"]


async def test_resampling_asks_again_as_if_nothing_had_happened(bench: Bench) -> None:
    assert await bench.solve(bash(retry="resample:1"), text("hm")) is Ending.SUBMITTED
    assert bench.requests[0] == bench.requests[1]


@pytest.mark.parametrize(("retry", "asked"), [("none", 1), ("resample:2", 3), ("explain:2", 3)])
async def test_a_model_that_goes_on_slipping_is_given_up_on(
    bench: Bench, retry: str, asked: int
) -> None:
    assert await bench.solve(bash(retry=retry), *[text("hm")] * 5) is Ending.GAVE_UP
    assert len(bench.requests) == asked


async def test_a_refusal_is_an_ending(bench: Bench) -> None:
    assert await bench.solve(bash(), text("No.", finish="refusal")) is Ending.REFUSED


async def test_a_limit_passes_through_the_loop(bench: Bench) -> None:
    with pytest.raises(LimitReached) as caught:
        await bench.solve(editor_elide(), says("true"), LimitReached(Ending.COST))
    assert caught.value.ending is Ending.COST


async def test_a_full_window_is_an_ending_where_the_policy_has_nothing_to_drop(
    bench: Bench,
) -> None:
    with pytest.raises(LimitReached) as caught:
        await bench.solve(bash(), says("true"), OVERFLOW)
    assert caught.value.ending is Ending.CONTEXT


@pytest.mark.parametrize("context", ["last-n:4", "elide:4"])
async def test_a_full_window_makes_a_policy_show_less_and_go_on(bench: Bench, context: str) -> None:
    work = [says("seq 500", at=at) for at in range(4)]
    ending = await bench.solve(bash(context=context), *work, OVERFLOW, says("submit", at=9))
    assert ending is Ending.SUBMITTED
    sizes = [sum(len(m.content) for m in r.messages) for r in bench.requests[-2:]]
    assert sizes[1] < sizes[0]
    assert bench.notes[0][0] == "context_shrunk"
    assert bench.notes[0][1]["why"] == "overflow"


async def test_a_summary_is_asked_for_when_its_share_of_the_window_is_used(bench: Bench) -> None:
    grown = [says(f"echo {at}", at=at) for at in range(2)]  # of 10 prompt tokens each
    summary = text("what was done")
    scaffold = bash(context="summarise:0.5:19:1")
    # After each of the two replies a summary is due; the script gives one and then only submits.
    ending = await bench.solve(scaffold, grown[0], summary, grown[1], summary)
    assert ending is Ending.SUBMITTED
    assert "what was done" in bench.requests[-1].messages[1].content
    assert [note["why"] for _, note in bench.notes] == ["due", "due"]


async def test_nothing_to_summarise_yet_is_no_reason_to_stop(bench: Bench) -> None:
    replies = [text("hm"), says("submit", at=1)]
    assert (
        await bench.solve(bash(context="summarise:0.1:10", retry="resample"), *replies)
        is Ending.SUBMITTED
    )
