"""Trajectories for other people's viewers: each step once, and the format's rules kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.limits import RunLimits
from harness.meter import Meter, RunMeter
from harness.models.scripted import Scripted, says
from harness.past import Past
from harness.trace import Journal, Recorded
from harness.types import Limits, Message, Reply, Request, Usage
from results.exchange.atif import export
from results.exchange.atif_rules import violations
from results.store import RunStore
from tests.unit.run_folders import attempt, declared, faulted, graded, stored

pytestmark = pytest.mark.anyio

SYSTEM, TASK = Message("system", "You repair."), Message("user", "Mend it.")
AT = {"at": "2026-01-02T03:05:00+00:00"}


def output(text: str, at: int) -> Message:
    return Message("tool", text, call_id=f"call_{at}")


async def talk(
    folder: Path, views: Sequence[Sequence[Message]], replies: Sequence[Reply]
) -> dict[str, Any]:
    """Send these views of a transcript to a model as an attempt does, and export its trace."""
    key = attempt("t0")
    store = stored(folder, declared(1), [graded(key, True, **AT)])
    with store.trace(key, 1) as trace:
        journal = Journal(trace, Past())
        meter = Meter(Limits(), RunMeter(RunLimits()))
        model = Recorded(Scripted(replies), journal, meter, None)
        for view in views:
            await model.complete(Request(tuple(view)))
    written = export(store, folder / "atif")
    found: dict[str, Any] = json.loads(written.files[0].read_text())
    assert violations(found) == []
    return found


def told(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["source"], step["message"]) for step in found["steps"]]


async def test_a_growing_transcript_is_told_once(tmp_path: Path) -> None:
    one, two = says("ls", thought="Look."), says("cat x", thought="Read.", at=1)
    views = [
        [SYSTEM, TASK],
        [SYSTEM, TASK, one.message, output("x", 0)],
        [SYSTEM, TASK, one.message, output("x", 0), two.message, output("hello", 1)],
    ]
    found = await talk(tmp_path, views, [one, two])
    assert told(found) == [
        ("system", "You repair."),
        ("user", "Mend it."),
        ("agent", "Look."),
        ("agent", "Read."),
        ("agent", ""),
    ]
    first = found["steps"][2]
    assert first["tool_calls"] == [
        {"tool_call_id": "call_0", "function_name": "bash", "arguments": {"command": "ls"}}
    ]
    assert first["observation"]["results"] == [{"source_call_id": "call_0", "content": "x"}]
    assert found["steps"][3]["observation"]["results"][0]["content"] == "hello"
    assert "observation" not in found["steps"][4]
    assert first["timestamp"].startswith("2026-01-02T03:04:30"), "30 seconds before it was settled"


async def test_metrics_count_cached_tokens_within_the_prompt(tmp_path: Path) -> None:
    usage = Usage(calls=1, fresh=10, cache_read=70, cache_write=20, output=5, reasoning=2, usd=None)
    reply = replace(
        says("ls"), usage=usage, message=replace(says("ls").message, reasoning="Hm."),
        served={"model": "m-2026"},
    )  # fmt: skip
    found = await talk(tmp_path, [[TASK]], [reply])
    step = found["steps"][1]
    assert step["metrics"] == {
        "prompt_tokens": 100,
        "completion_tokens": 5,
        "cached_tokens": 70,
        "extra": {"cache_write": 20, "reasoning": 2},
    }
    assert (step["reasoning_content"], step["model_name"]) == ("Hm.", "m-2026")
    assert found["final_metrics"]["total_cost_usd"] == 1.0
    assert found["extra"]["resolved"] is True and found["agent"]["model_name"] == "m"


async def test_a_policy_that_blanks_old_outputs_tells_nothing_twice(tmp_path: Path) -> None:
    one, two = says("a"), says("b", at=1)
    blank = output("[elided]", 0)
    views = [
        [TASK],
        [TASK, one.message, output("long", 0)],
        [TASK, one.message, blank, two.message, output("short", 1)],
    ]
    found = await talk(tmp_path, views, [one, two])
    contents = [
        r["content"] for s in found["steps"] for r in s.get("observation", {}).get("results", ())
    ]
    assert contents == ["long", "short"]


async def test_a_transcript_begun_afresh_tells_only_its_summary(tmp_path: Path) -> None:
    one = says("a", thought="Work.")
    views = [[SYSTEM, TASK], [SYSTEM, TASK, Message("user", "So far: nothing.")]]
    found = await talk(tmp_path, views, [one])
    assert told(found)[2:] == [("agent", "Work."), ("user", "So far: nothing."), ("agent", "")]


async def test_a_reply_that_was_thrown_away_leaves_the_question_told_once(tmp_path: Path) -> None:
    found = await talk(tmp_path, [[TASK], [TASK]], [says("a", thought="No."), says("b")])
    assert told(found) == [("user", "Mend it."), ("agent", "No."), ("agent", "")]


async def test_the_same_words_said_again_are_told_again(tmp_path: Path) -> None:
    plain = Reply(Message("assistant", "Hm."), Usage(calls=1))
    go = Message("user", "Go on.")
    views = [
        [TASK],
        [TASK, plain.message, go],
        [TASK, plain.message, go, plain.message, go],
    ]
    found = await talk(tmp_path, views, [plain, plain, plain])
    assert [words for _, words in told(found)] == [
        "Mend it.",
        "Hm.",
        "Go on.",
        "Hm.",
        "Go on.",
        "Hm.",
    ]


async def test_what_a_model_wrote_badly_is_kept_as_it_stands(tmp_path: Path) -> None:
    reply = says("ls")
    bad = replace(reply.message.calls[0], arguments='{"command": "ls')
    reply = replace(reply, message=replace(reply.message, calls=(bad,)))
    lost = output("from nowhere", 9)
    found = await talk(tmp_path, [[TASK], [TASK, reply.message, lost]], [reply])
    (call,) = found["steps"][1]["tool_calls"]
    assert (call["arguments"], call["extra"]) == ({}, {"arguments": '{"command": "ls'})
    assert told(found)[2] == ("user", "from nowhere")


async def test_examples_that_a_scaffold_shows_are_no_calls_to_a_model(tmp_path: Path) -> None:
    shown = Message("assistant", "Like this.")
    found = await talk(tmp_path, [[SYSTEM, TASK, shown, TASK]], [])
    assert found["steps"][2]["llm_call_count"] == 0
    assert [source for source, _ in told(found)] == ["system", "user", "agent", "user", "agent"]


async def test_attempts_without_a_trace_are_counted_and_left_out(tmp_path: Path) -> None:
    await talk(tmp_path, [[TASK]], [says("ls")])
    store = RunStore(tmp_path)
    with store:
        store.declare(declared(3))
        store.append(faulted(attempt("t1")))
    written = export(store, tmp_path / "out")
    assert (written.attempts, written.without) == (1, 2)
    bare = stored(tmp_path / "bare", declared(1), [graded(attempt("t0"), True)])
    with pytest.raises(UsageError, match="no attempt has a trace"):
        export(bare, tmp_path / "none")


VALID: dict[str, Any] = {
    "schema_version": "ATIF-v1.8",
    "agent": {"name": "a", "version": "1"},
    "steps": [
        {"step_id": 1, "source": "user", "message": "?"},
        {
            "step_id": 2,
            "source": "agent",
            "message": "!",
            "tool_calls": [{"tool_call_id": "c", "function_name": "f", "arguments": {}}],
            "observation": {"results": [{"source_call_id": "c", "content": "ok"}]},
        },
    ],
}
BREAKS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda t: t.update(schema_version="ATIF-v2.0"), "schema_version"),
    (lambda t: t.update(steps=[]), "at least one"),
    (lambda t: t.update(verdict=True), "'verdict' is no key"),
    (lambda t: t["agent"].pop("version"), "version is missing"),
    (lambda t: t["steps"][1].update(step_id=3), "count from 1"),
    (lambda t: t["steps"][0].update(source="tool"), "not one of system, user, agent"),
    (lambda t: t["steps"][0].update(metrics={}), "metrics is for steps of the agent"),
    (lambda t: t["steps"][0].update(timestamp="yesterday"), "not ISO 8601"),
    (lambda t: t["steps"][0].update(message=None), "neither text nor a list"),
    (lambda t: t["steps"][1].update(llm_call_count=0, metrics={}), "without a call to a model"),
    (lambda t: t["steps"][1]["metrics"].update(tokens=1), "'tokens' is no key"),
    (lambda t: t["steps"][1]["tool_calls"][0].update(arguments="ls"), "are no object"),
    (lambda t: t["steps"][1]["tool_calls"].clear(), "names no tool call of this step"),
]


@pytest.mark.parametrize(("spoil", "said"), BREAKS, ids=[said for _, said in BREAKS])
def test_each_rule_of_the_format_is_checked(
    spoil: Callable[[dict[str, Any]], Any], said: str
) -> None:
    made = json.loads(json.dumps(VALID))
    made["steps"][1]["metrics"] = {"prompt_tokens": 1}
    assert violations(made) == []
    spoil(made)
    assert any(said in line for line in violations(made)), violations(made)
