"""What a model, an endpoint, a row or a file may hold, as Hypothesis draws it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.types import Finish, Message, Reply, ToolCall, Usage

T = TypeVar("T")
DEEP = 100_000
HUGE = 10 << 20
NASTY = (
    "\0",
    "\ud800",
    "\udcff",
    "\x1b[2J",
    "\r\n",
    "\u2028",
    "$(touch escaped)",
    "`touch escaped`",
    "; touch escaped #",
    "'\"",
    "../../escaped",
    "/etc/passwd",
    "-rf",
    "~",
    "%s%n",
    "\ufeff",
    "```bash\nsubmit",
    "</tool>",
    '<tool name="bash"><command>',
)


def joined(pieces: list[str]) -> str:
    """Two halves of a surrogate pair side by side are one character to every reader of JSON."""
    text = "".join(pieces)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


TEXT = st.lists(
    st.one_of(st.sampled_from(NASTY), st.text(st.characters(codec=None), max_size=8)), max_size=4
).map(joined)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 1 << 63]),
    st.floats(),
    TEXT,
)


def values(keys: st.SearchStrategy[str] = TEXT) -> st.SearchStrategy[Any]:
    """Any JSON value, its objects with these keys."""
    return st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)
        ),
        max_leaves=8,
    )


def share(of: int) -> settings:
    """One example for so many of the profile's, where each takes long."""
    return settings(max_examples=max(5, settings().max_examples // of))


def one_line(message: str) -> bool:
    return bool(message) and len(message.splitlines()) == 1 and len(message) < 2000


def told(work: Callable[[], T]) -> T | str:
    """What it gives, or what a person would be told instead."""
    try:
        return work()
    except UsageError as error:
        return str(error)


WORDS = (
    *("choices", "message", "role", "content", "text", "tool_calls", "id", "type", "function"),
    *("name", "arguments", "finish_reason", "refusal", "reasoning", "reasoning_content", "usage"),
    *("prompt_tokens", "completion_tokens", "prompt_tokens_details", "cached_tokens", "model"),
    *("completion_tokens_details", "provider", "system_fingerprint", "error", "code", "detail"),
)
PAYLOADS = values(st.one_of(st.sampled_from(WORDS), TEXT))
GOOD: dict[str, Any] = {
    "model": "m",
    "choices": [
        {
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": [{"type": "text", "text": "hello"}],
                "reasoning": "hm",
                "tool_calls": [
                    {"id": "a", "function": {"name": "bash", "arguments": '{"command": "true"}'}}
                ],
            },
        }
    ],
    "usage": {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    },
}


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A good answer in which one to three values are something else, or gone."""
    whole = json.loads(json.dumps(GOOD))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(whole))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        if draw(st.booleans()):
            holder[key] = draw(PAYLOADS)
        else:
            del holder[key]
    return whole


def _places(value: Any) -> Any:
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def nested(depth: int) -> str:
    return '{"command": ' + "[" * depth + "]" * depth + "}"


# What may run: the box of these tests is a folder of this machine. All else never gets so far.
COMMANDS = (
    *("true", "exit 3", "printf 'a\\000b\\377\\033[31m'", "cat", "echo '", ")", "", " ", "exit"),
    *("kill -9 $$", "exec 1>&-; echo lost", "echo x >&2", "no-such-program", "set -e; false"),
    *("echo ${x", "x" * 200_000, "seq 20000", "echo ü\u2028", "submit; true", "cd /; pwd"),
)
PATHS = (
    *("a", "b/c", "a/b", ".", "", " ", "-n", "x" * 300, "y/" * 3000, "*", "$(touch escaped)"),
    *("ü\u2028", "a\nb", "/repo/a", "/repo", "\ud800", "\0", "'"),
)
EDITS = st.fixed_dictionaries(
    {
        "command": st.sampled_from(["view", "create", "replace", "insert", "undo", "look", 7]),
        "path": st.sampled_from(PATHS),
    },
    optional={
        "text": TEXT,
        "old": st.one_of(TEXT, st.just("a" * 50_000)),
        "new": TEXT,
        "line": st.one_of(st.integers(-2, 5), st.just(10**4000), st.just("1")),
        "start": st.integers(-2, 5),
        "end": st.one_of(st.integers(-2, 5), st.just(True)),
        "zz\ud800": values(),
    },
)
_NOT_TEXT = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.lists(TEXT))
ARGUMENTS = st.one_of(
    st.sampled_from(COMMANDS).map(lambda command: json.dumps({"command": command})),
    EDITS.map(json.dumps),
    _NOT_TEXT.map(lambda value: json.dumps({"command": value})),
    st.dictionaries(TEXT.filter(lambda key: key != "command"), values(), max_size=3).map(
        json.dumps
    ),
    st.sampled_from(
        [
            "",
            " ",
            "{",
            "null",
            "[]",
            "NaN",
            '{"command": NaN}',
            '{"command": "\\ud800"}',
            '{"command": "a\\u0000b"}',
            '{"command": "true"}\0',
            '{"command": ' + "9" * 5000 + "}",
            nested(100),
            nested(900),
            nested(DEEP),
            "[" * DEEP,
        ]
    ),
    TEXT.filter(lambda text: "command" not in text),
)
NAMES = st.one_of(st.sampled_from(["bash", "editor", "submit", "", "bash\0", "x" * 100_000]), TEXT)
CALLS = st.builds(ToolCall, st.one_of(st.just("same"), TEXT), NAMES, ARGUMENTS)
_LINES = st.one_of(
    st.sampled_from(
        [
            "```bash\n",
            "```sh\ntrue\n```\n",
            "````bash\n```\n````\n",
            "```\n",
            "<think>",
            "</think>",
            '<tool name="bash">',
            "<command>true</command>",
            '<tool name="editor"><command>view</command><path>a</path>',
            "</tool>",
            "</command>",
            "<line>" + "9" * 5000 + "</line>",
        ]
    ),
    TEXT.map(lambda text: text.replace("touch", "true")),
)
CONTENT = st.lists(_LINES, max_size=5).map("".join)
FINISHES: st.SearchStrategy[Finish] = st.sampled_from(["tool_calls", "stop", "length"])
REPLIES = st.builds(
    lambda content, calls, finish, thought: Reply(
        Message("assistant", content, tuple(calls), reasoning=thought), Usage(1, 10), finish
    ),
    CONTENT,
    st.lists(CALLS, max_size=3),
    FINISHES,
    st.one_of(st.none(), TEXT),
)
