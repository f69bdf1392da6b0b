from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models.text_calls import lifted
from harness.types import Message, Reply, Tool, ToolCall, Usage

BASH = Tool("bash", "Run.", '{"type": "object", "properties": {"command": {"type": "string"}}}')
VIEW = Tool(
    "view",
    "Look.",
    '{"type": "object", "properties": {"path": {"type": "string"}, "line": {"type": "integer"}}}',
)
TOOLS = (BASH, VIEW)
LS = '{"name": "bash", "arguments": {"command": "ls"}}'
PWD = '{"name": "bash", "arguments": {"command": "pwd"}}'


def reply(text: str, **more: object) -> Reply:
    return Reply(Message("assistant", text), Usage(1), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("form", "text", "commands"),
    [
        ("hermes", f"<tool_call>\n{LS}\n</tool_call>", ["ls"]),
        ("hermes", f"<tool_call>{LS}</tool_call>\n<tool_call>{PWD}</tool_call>", ["ls", "pwd"]),
        ("hermes", f"<tool_call>\n{LS}", ["ls"]),
        (
            "qwen",
            "<tool_call>\n<function=bash>\n<parameter=command>ls</parameter>\n</function></tool_call>",
            ["ls"],
        ),
        ("qwen", "<function=bash>\n<parameter=command>\nls\npwd\n</parameter>\n", ["ls\npwd"]),
        ("qwen", '<function=bash>{"command": "ls"}</function>', ["ls"]),
        (
            "glm",
            "<tool_call>bash\n<arg_key>command</arg_key>\n<arg_value>ls</arg_value>\n</tool_call>",
            ["ls"],
        ),
        ("llama", '<|python_tag|>{"name": "bash", "parameters": {"command": "ls"}}', ["ls"]),
        ("llama", '{"name": "bash", "parameters": {"command": "ls"}}', ["ls"]),
        ("llama", f"{LS}; {PWD}", ["ls", "pwd"]),
        ("mistral", f"[TOOL_CALLS][{LS}, {PWD}]", ["ls", "pwd"]),
        ("mistral", '[TOOL_CALLS]bash[ARGS]{"command": "ls"}', ["ls"]),
        (
            "mistral",
            '[TOOL_CALLS]bash{"command": "ls"}[TOOL_CALLS]bash{"command": "pwd"}',
            ["ls", "pwd"],
        ),
    ],
)
def test_each_form_is_read_alone_and_after_prose(form: str, text: str, commands: list[str]) -> None:
    for prose in ("", "Let me look.\n\n"):
        if prose and text.startswith("{"):
            continue
        found = lifted(reply(prose + text), TOOLS)
        assert [json.loads(c.arguments)["command"] for c in found.message.calls] == commands
        assert found.message.content == prose.strip()
        assert found.finish == "tool_calls" and found.served["text_calls"] == form


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would call <tool_call> now.",
        '{"name": "Ada", "age": 36}',
        '{"command": "ls"}',
        "a function=bash in prose",
        "[1, 2]",
    ],
)
def test_text_that_holds_no_call_is_left_alone(text: str) -> None:
    assert lifted(reply(text), TOOLS) == reply(text)


def test_what_is_cut_refused_native_or_not_asked_for_is_left_alone() -> None:
    text = f"<tool_call>{LS}</tool_call>"
    for finish in ("length", "refusal"):
        assert not lifted(reply(text, finish=finish), TOOLS).message.calls
    assert not lifted(reply(text), ()).message.calls
    native = Reply(Message("assistant", text, (ToolCall("a", "bash", "{}"),)), Usage(1))
    assert lifted(native, TOOLS) == native


def test_broken_json_is_a_call_that_the_scaffold_can_complain_of() -> None:
    text = '<tool_call>{"name": "bash", "arguments": {"command": "ls}</tool_call>'
    (call,) = lifted(reply(text), TOOLS).message.calls
    assert call.name == "bash" and '"ls}' in call.arguments
    assert not call.arguments.endswith("}}")


def test_arguments_written_as_text_become_what_the_schema_wants() -> None:
    text = "<function=view><parameter=path>7</parameter><parameter=line>7</parameter></function>"
    (call,) = lifted(reply(text), TOOLS).message.calls
    assert json.loads(call.arguments) == {"path": "7", "line": 7}


MARKS = (
    "<tool_call>",
    "</tool_call>",
    "<function=bash>",
    "<parameter=command>",
    "[TOOL_CALLS]",
    "<|python_tag|>",
    "<arg_key>",
    '{"name": "bash"',
    "}",
    "[ARGS]",
    "bash",
    "\n",
    ";",
    "[",
)


@given(st.lists(st.one_of(st.sampled_from(MARKS), st.text(max_size=4)), max_size=12).map("".join))
def test_any_text_is_read_without_a_crash(text: str) -> None:
    found = lifted(reply(text), TOOLS)
    assert found.message.calls or found == reply(text)


@pytest.mark.parametrize("mark", MARKS)
def test_time_grows_with_the_text_and_no_faster(mark: str) -> None:
    started = time.process_time()
    lifted(reply(mark * 3000), TOOLS)
    assert time.process_time() - started < 10
