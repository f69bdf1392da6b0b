"""What one reply amounts to: calls that can be run, or a slip that says why not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Protocol, TypeAlias

from harness.types import Message, Reply, Request, Tool, ToolCall

QUOTED_CHARS = 300
"""How much of a model's broken text is shown back to it."""

CUT = (
    "Your reply was cut off at its length limit before it was complete, and nothing of it was run. "
    "Go in smaller steps."
)

_TYPES: Mapping[str, tuple[type, str]] = {"string": (str, "text"), "integer": (int, "an integer")}


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call whose arguments were read and fit the tool's schema."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """A reply that asks for something: what stays in the transcript, and the calls in order."""

    said: Message
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Slip:
    """A reply that cannot be acted on."""

    complaint: str
    exchange: tuple[Message, ...]
    """The reply as it may be kept, and what is said to it: valid in a transcript as it stands."""


Read: TypeAlias = Turn | Slip


class CallStyle(Protocol):
    """How an action is asked for, read and answered."""

    def instructions(self, tools: Sequence[Tool]) -> str:
        """What the system prompt says about calling."""
        ...

    def request(self, view: Sequence[Message], tools: Sequence[Tool]) -> Request: ...

    def read(self, reply: Reply, tools: Sequence[Tool]) -> Read: ...

    def answer(self, outputs: Sequence[tuple[Call, str]]) -> tuple[Message, ...]:
        """What is told of all calls of one turn, in order."""
        ...


class Malformed(Exception):
    """One call that cannot be run; the message is for the model."""


def check(call: ToolCall, tools: Sequence[Tool]) -> Call:
    """A call as its tool can take it; Malformed says precisely what is wrong.

    Arguments that the tool does not know are ignored, unless one that it needs is missing: then
    the complaint names them, since that is most likely what they were meant for.
    """
    tool = next((t for t in tools if t.name == call.name), None)
    if tool is None:
        known = ", ".join(t.name for t in tools)
        raise Malformed(f"There is no tool {_quoted(call.name)}. The tools are: {known}.")
    schema = _schema(tool)
    given = {key: value for key, value in _object(call).items() if value is not None}
    if missing := [key for key in schema["required"] if key not in given]:
        stray = [key for key in given if key not in schema["properties"]]
        also = f" It does not know {_brief(', '.join(stray))}." if stray else ""
        raise Malformed(f"{tool.name} needs the argument {', '.join(missing)}.{also}")
    arguments = {key: given[key] for key in schema["properties"] if key in given}
    for key, value in arguments.items():
        _check_value(f"The argument {key} of {tool.name}", value, schema["properties"][key])
    return Call(call.id, tool.name, arguments)


def harmless(message: Message) -> Message:
    """A reply that every server takes back.

    Some refuse empty text, some parse the arguments of past calls, some check the tools' names.
    """
    calls = tuple(map(_harmless_call, message.calls))
    silent = not message.content.strip() and not calls
    return replace(message, calls=calls, content="(empty reply)" if silent else message.content)


def plain(message: Message) -> Message:
    """A reply without native calls, for the styles whose calls are text."""
    return harmless(replace(message, calls=()))


def complain(said: Message, complaint: str) -> Slip:
    """A slip without calls to answer: the complaint is the user's next message."""
    return Slip(complaint, (said, Message("user", complaint)))


@cache
def _schema(tool: Tool) -> Mapping[str, Any]:
    return {"properties": {}, "required": [], **json.loads(tool.parameters)}


def _harmless_call(call: ToolCall) -> ToolCall:
    name = re.sub(r"[^A-Za-z0-9_-]", "_", call.name)[:64] or "unnamed"
    try:
        _object(call)
    except Malformed:
        return replace(call, name=name, arguments="{}")
    return replace(call, name=name, arguments=call.arguments if call.arguments.strip() else "{}")


def _object(call: ToolCall) -> Mapping[str, Any]:
    # No arguments at all is how several servers spell a call of a tool that takes none.
    try:
        written = call.arguments
        value = json.loads(written, parse_constant=_no_number) if written.strip() else None
    except (ValueError, RecursionError) as error:
        trouble = f"The arguments of {call.name} are not valid JSON ({error})"
        raise Malformed(f"{trouble}: {_brief(call.arguments)}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"The arguments of {call.name} must be a JSON object.")
    return value


def _check_value(what: str, value: object, schema: Mapping[str, Any]) -> None:
    kind, noun = _TYPES[schema["type"]]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Malformed(f"{what} must be {noun}, not {_quoted(value, json.dumps)}.")
    if "enum" in schema and value not in schema["enum"]:
        known = ", ".join(schema["enum"])
        raise Malformed(f"{what} must be one of {known}, not {_quoted(value)}.")
    if isinstance(value, str) and ("\0" in value or not _encodes(value)):
        raise Malformed(f"{what} holds a NUL character or half a surrogate pair.")


def _no_number(name: str) -> Any:
    """NaN and the infinities, which Python reads and other servers refuse."""
    raise ValueError(f"{name} is no JSON")


def _brief(text: str) -> str:
    """A model's own words as they can be sent back to it, and not all of them."""
    return text[:QUOTED_CHARS].encode(errors="replace").decode().replace("\0", "?")


def _quoted(value: object, spell: Callable[[object], str] = repr) -> str:
    try:
        return spell(value)[:QUOTED_CHARS]
    except (RecursionError, ValueError):
        return f"a {type(value).__name__} nested too deeply or too large to be shown"


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
