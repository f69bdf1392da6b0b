"""Each factor by itself: how it is written, and what it does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from harness.errors import LimitReached, UsageError
from harness.models.scripted import Scripted
from harness.types import Ending, Message, Reply, Tool, ToolCall, Usage
from scaffolds.factors.calls import CALLS, Native
from scaffolds.factors.choice import choose
from scaffolds.factors.context import CONTEXTS, ContextPolicy, ElideOld, LastTurns, Summarise
from scaffolds.factors.output import choose_output
from scaffolds.factors.retry import RETRIES, Explain, Resample
from scaffolds.factors.turns import CallStyle, Slip, Turn
from scaffolds.factors.written import Fenced, Xml
from scaffolds.presets import editor, loop
from scaffolds.tools import bash, submit
from scaffolds.tools import editor as editing

pytestmark = pytest.mark.anyio

TOOLS: Sequence[Tool] = (bash.tool(120), editing.TOOL, submit.TOOL)


def said(content: str = "", *calls: ToolCall, finish: Any = "stop") -> Reply:
    return Reply(Message("assistant", content, calls), Usage(1), finish)


def call(arguments: Any, name: str = "bash", at: str = "c1") -> ToolCall:
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return ToolCall(at, name, written)


def slip(style: CallStyle, reply: Reply) -> Slip:
    read = style.read(reply, TOOLS)
    assert isinstance(read, Slip), read
    return read


def turn(style: CallStyle, reply: Reply) -> Turn:
    read = style.read(reply, TOOLS)
    assert isinstance(read, Turn), read
    return read


# How a value is written


def test_a_value_with_arguments_is_read_as_it_is_written() -> None:
    assert choose("context", "last-n:7", CONTEXTS) == LastTurns(7)
    assert choose("context", "summarise:0.5:32000", CONTEXTS) == Summarise(0.5, 32_000)
    assert choose("retry", "explain", RETRIES) == Explain(3)
    assert editor(context="elide:2").context == ElideOld(2)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"context": "last"}, r"no value of context: 'last'; did you mean last-n\? choose all,"),
        ({"context": "last-n:x"}, "'x' is not a whole number; write it as in last-n:20"),
        ({"context": "last-n:0"}, "0 is not at least 1; write it as in last-n:20"),
        ({"context": "all:3"}, "all takes at most 0 arguments, as in all"),
        ({"context": "summarise:7"}, "no share of the window"),
        ({"retry": "explain:0"}, "retry=none"),
        ({"calls": "json"}, "no value of calls: 'json'"),
        ({"tools": "hammer"}, r"choose bash, bash\+editor"),
        ({"output": "some"}, "no value of output: 'some'"),
        ({"output": -5}, "would show nothing"),
        ({"command_seconds": "soon"}, "number of seconds above 0"),
        ({"command_seconds": "nan"}, "number of seconds above 0"),
        ({"calls": "fenced", "tools": "bash+editor"}, "use calls=xml, or tools=bash"),
    ],
)
def test_a_value_that_makes_no_sense_is_told_in_one_line_with_one_that_does(
    knobs: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        loop(**knobs)
    assert "\n" not in str(caught.value)


# Native calls


def test_native_calls_are_read_in_order_beside_prose() -> None:
    both = turn(Native(), said("first this", call({"command": "ls"}), call({}, "submit", "c2")))
    assert [(c.id, c.name, c.arguments) for c in both.calls] == [
        ("c1", "bash", {"command": "ls"}),
        ("c2", "submit", {}),
    ]


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (
            call({"command": "ls"}, "hammer"),
            "no tool 'hammer'. The tools are: bash, editor, submit",
        ),
        (call('{"command": "ls'), "not valid JSON"),
        (call("[1]"), "must be a JSON object"),
        (call("[" * 100_000), "not valid JSON"),
        (call({}), "bash needs the argument command"),
        (call({"cmd": "ls"}), "needs the argument command. It does not know cmd"),
        (call({"command": None}), "needs the argument command"),
        (call({"command": ["ls"]}), r'must be text, not ["ls"]'),
        (call({"command": "a\0b"}), "NUL"),
        (call('{"command": "\\ud800"}'), "surrogate"),
        (call({"command": "look", "path": "a"}, "editor"), "must be one of view, create"),
        (call({"command": "view", "path": "a", "start": "1"}, "editor"), "must be an integer"),
        (call({"command": "view", "path": "a", "start": True}, "editor"), "must be an integer"),
    ],
)
def test_a_malformed_call_is_answered_under_its_id_with_what_is_wrong(
    bad: ToolCall, complaint: str
) -> None:
    good = call({"command": "ls"}, at="c0")
    found = slip(Native(), said("", good, bad))
    assert complaint in found.complaint
    kept, first, second = found.exchange
    assert [first.call_id, second.call_id] == [c.id for c in kept.calls] == ["c0", "c1"]
    assert "Not run" in first.content
    assert complaint in second.content


def test_a_kept_reply_holds_nothing_that_a_server_would_refuse_to_take_back() -> None:
    found = slip(Native(), said("", call('{"command": "ls', "bash tool!")))
    assert found.exchange[0].calls == (ToolCall("c1", "bash_tool_", "{}"),)
    assert slip(Native(), said("  ")).exchange[0].content == "(empty reply)"


def test_no_arguments_at_all_are_enough_for_a_tool_that_takes_none() -> None:
    assert turn(Native(), said("", call("", "submit"))).said.calls[0].arguments == "{}"


@pytest.mark.parametrize("style", [Native(), Fenced(), Xml()])
def test_a_reply_without_a_call_is_a_slip(style: CallStyle) -> None:
    kept, told = slip(style, said("I think that it is done.")).exchange
    assert (kept.role, told.role) == ("assistant", "user")


@pytest.mark.parametrize("style", [Native(), Fenced(), Xml()])
def test_a_reply_that_was_cut_is_never_run(style: CallStyle) -> None:
    text = "```bash\nls\n```\n<tool name='bash'><command>ls</command></tool>"
    found = slip(style, said(text, call({"command": "ls"}), finish="length"))
    assert "cut off" in found.complaint
    assert [c.id for c in found.exchange[0].calls] == [
        m.call_id for m in found.exchange if m.role == "tool"
    ]


# A fenced block


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("Look:\n```bash\nls -l\ncat a\n```\nand so on", "ls -l\ncat a\n"),
        ("```sh\r\nls\r\n```", "ls\r\n"),
        (
            "````bash\ncat > a.md <<'X'\n```bash\nls\n```\nX\n````",
            "cat > a.md <<'X'\n```bash\nls\n```\nX\n",
        ),
        ("<think>\n```bash\nrm -rf /\n```\n</think>\n```bash\nls\n```", "ls\n"),
        ("```python\nprint()\n```\n```bash\nls\n```", "ls\n"),
    ],
)
def test_one_fenced_block_is_a_command(text: str, command: str) -> None:
    (found,) = turn(Fenced(), said(text)).calls
    assert found.arguments == {"command": command}


@pytest.mark.parametrize(
    ("text", "count"),
    [("```bash\nls\n```\n```bash\npwd\n```", "2"), ("```python\n1\n```", "none"), ("`ls`", "none")],
)
def test_any_other_number_of_blocks_is_a_slip(text: str, count: str) -> None:
    assert f"held {count}" in slip(Fenced(), said(text)).complaint


def test_native_calls_that_nobody_asked_for_are_not_kept_by_the_written_styles() -> None:
    reply = said("```bash\nls\n```", call({"command": "ls"}))
    assert turn(Fenced(), reply).said.calls == ()


# XML


def test_xml_calls_are_read_with_their_types_and_their_text_as_it_stands() -> None:
    text = """First.
<tool name="editor">
<command>insert</command>
<path> a.svg </path>
<line>3</line>
<text>
<text x="1">a & b</text>
</text>
</tool>
<tool name='bash'><command>ls</command></tool>
<tool name="submit"></tool>"""
    first, second, third = turn(Xml(), said(text)).calls
    assert first.arguments == {
        "command": "insert",
        "path": " a.svg ",
        "line": 3,
        "text": '<text x="1">a & b</text>\n',
    }
    assert (second.name, second.arguments) == ("bash", {"command": "ls"})
    assert (third.name, third.arguments) == ("submit", {})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('<tool name="hammer"></tool>', "no tool 'hammer'"),
        ('<tool name="bash"><command>ls</tool>', "not closed"),
        ('<tool name="bash"><cmd>ls</cmd></tool>', "expected <command> or </tool>, found: <cmd>"),
        ('<tool name="bash"></tool>', "needs the argument command"),
        (
            '<tool name="editor"><command>view</command><path>a</path><start>x</start></tool>',
            "must be an integer",
        ),
        ('<tool name="bash"><command>ls</command>', "with </tool> or another"),
        ('<tool name="submit">', "expected no arguments or </tool>, found: nothing"),
    ],
)
def test_xml_that_cannot_be_read_is_told_precisely(text: str, complaint: str) -> None:
    assert complaint in slip(Xml(), said(text)).complaint


def test_the_written_styles_tell_of_several_outputs_in_one_message() -> None:
    text = '<tool name="bash"><command>ls</command></tool>' * 2
    calls = turn(Xml(), said(text)).calls
    (told,) = Xml().answer([(calls[0], "one"), (calls[1], "two")])
    assert told.role == "user"
    assert "one" in told.content and "two" in told.content


def test_only_native_requests_offer_the_tools() -> None:
    offered = {name: bool(option.make().request((), TOOLS).tools) for name, option in CALLS.items()}
    assert offered == {"native": True, "fenced": False, "xml": False}


# Retries


def test_none_gives_up_at_once_and_the_others_after_their_number() -> None:
    found = Slip("why", (Message("assistant", "x"), Message("user", "why")))
    assert choose("retry", "none", RETRIES).after(found, 1) is None
    assert [Resample(2).after(found, n) for n in (1, 2, 3)] == [(), (), None]
    assert [Explain(2).after(found, n) for n in (2, 3)] == [found.exchange, None]


# Output


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("all", "0123456789"),
        ("10", "0123456789"),
        (4, "01\n[... 6 characters left out ...]\n89"),
        ("head-tail:5", "012\n[... 5 characters left out ...]\n89"),
        ("head:3", "012\n[... 7 characters left out ...]"),
        ("tail:3", "[... 7 characters left out ...]\n789"),
    ],
)
def test_an_output_is_cut_as_told_and_says_so(value: str | int, shown: str) -> None:
    assert choose_output(value).cut("0123456789") == shown


# Context


def talk(turns: int, output: str = "o" * 500) -> list[Message]:
    """A transcript with two calls in every turn but each third, which slipped."""
    messages = [Message("system", "S"), Message("user", "T")]
    for n in range(turns):
        calls = (call({"command": "a"}, at=f"{n}a"), call({"command": "b"}, at=f"{n}b"))
        if n % 3 == 2:
            messages += [Message("assistant", f"turn {n}"), Message("user", f"slip {n}")]
            continue
        messages.append(Message("assistant", f"turn {n}", calls))
        messages += [Message("tool", f"{n}{output}", call_id=c.id) for c in calls]
    return messages


def assert_valid(view: Sequence[Message]) -> None:
    """What endpoints demand: the opening, then each reply's calls answered right after it."""
    assert [m.role for m in view[:2]] == ["system", "user"]
    owed: list[str] = []
    for message in view[2:]:
        if message.role == "tool":
            assert message.call_id == owed.pop(0)
            continue
        assert not owed
        owed = [c.id for c in message.calls]
    assert not owed
    assert view[2].role == "assistant" if len(view) > 2 else True


SUMMARY = Reply(Message("assistant", "the summary"), Usage(1))


@pytest.mark.parametrize("value", ["all", "last-n:4", "elide:4", "summarise:0.5:1000:4"])
@pytest.mark.parametrize("turns", [0, 1, 3, 4, 5, 12])
async def test_every_view_is_one_that_endpoints_accept_however_often_it_shrinks(
    value: str, turns: int
) -> None:
    policy: ContextPolicy | None = choose("context", value, CONTEXTS)
    transcript = talk(turns)
    before = tuple(transcript)
    sizes = []
    while policy is not None:
        view = policy.view(transcript)
        assert_valid(view)
        assert view[0] == transcript[0]
        assert view[1].content.startswith("T")
        sizes.append(sum(len(m.content) for m in view))
        policy = await policy.shrink(transcript, Scripted([SUMMARY]))
    assert tuple(transcript) == before
    assert len(sizes) < 10
    if value != "all" and turns == 12:
        assert sizes[-1] < sizes[0]


def test_last_n_shows_the_task_and_the_last_turns_only() -> None:
    view = LastTurns(2).view(talk(5))
    assert [m.content for m in view if m.role == "assistant"] == ["turn 3", "turn 4"]
    assert "no longer shown" in view[1].content
    assert LastTurns(5).view(talk(5)) == talk(5)


def test_elide_keeps_every_reply_and_the_last_outputs() -> None:
    view = ElideOld(2).view(talk(5))
    assert [m.content for m in view if m.role == "assistant"] == [f"turn {n}" for n in range(5)]
    whole = [m for m in view if m.role == "tool" and "left out" not in m.content]
    assert [m.call_id for m in whole] == ["3a", "3b", "4a", "4b"]
    assert "slip 2" in [m.content for m in view], "what is short stays"


def test_a_summary_is_due_at_its_share_of_the_window() -> None:
    assert not Summarise(0.5, 1000).full(500)
    assert Summarise(0.5, 1000).full(501)


async def test_a_summary_stands_in_the_task_before_the_recent_turns() -> None:
    model = Scripted([SUMMARY, Reply(Message("assistant", "a later one"), Usage(1))])
    policy: ContextPolicy | None = await Summarise(keep=2).shrink(talk(6), model)
    assert policy is not None
    view = policy.view(talk(6))
    assert view[1].content.startswith("T") and view[1].content.endswith("the summary")
    assert [m.content for m in view if m.role == "assistant"] == ["turn 4", "turn 5"]
    asked = model.requests[0]
    assert asked.tools == ()
    assert "turn 3" in asked.messages[1].content and "turn 4" not in asked.messages[1].content
    policy = await policy.shrink(talk(12), model)
    assert policy is not None
    assert "the summary" in model.requests[1].messages[1].content, "it builds on the one before"
    assert policy.view(talk(12))[1].content.endswith("a later one")


async def test_a_summary_that_does_not_fit_is_asked_for_with_less() -> None:
    model = Scripted([LimitReached(Ending.CONTEXT), SUMMARY])
    assert await Summarise().shrink(talk(9, "o" * 5000), model)
    first, second = (len(r.messages[1].content) for r in model.requests)
    assert second < first / 3


async def test_a_limit_that_is_not_the_windows_passes_through_the_summary() -> None:
    with pytest.raises(LimitReached) as caught:
        await Summarise().shrink(talk(9), Scripted([LimitReached(Ending.COST)]))
    assert caught.value.ending is Ending.COST


async def test_an_empty_summary_makes_room_all_the_same() -> None:
    policy = await Summarise().shrink(talk(9), Scripted([said("")]))
    assert policy is not None
    assert len(policy.view(talk(9))) < len(talk(9))
