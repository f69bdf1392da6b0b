"""Native tool calls that a server left in the text, for want of a parser of its model's form.

The scaffold has asked for native calls and the model has made them; that they did not come as such
is the server's doing. So it is put right here, below the scaffold, and not by one of its styles.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.types import Reply, Tool, ToolCall

_Found = Iterator[tuple[str, Any]]
"""Names of tools, each with its arguments: an object, or text that should have been one."""

_TAGGED = re.compile(r"<tool_call>\s*(\{.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
_QWEN = re.compile(r"<function=([\w.-]+)>(.*?)(?:</function>|\Z)(?:\s*</tool_call>)?", re.DOTALL)
_QWEN_ARGUMENT = re.compile(
    r"<parameter=([\w.-]+)>(.*?)(?:</parameter>|(?=<parameter=)|\Z)", re.DOTALL
)
_GLM = re.compile(
    r"<tool_call>\s*([\w.-]+)\s*(</tool_call>|<arg_key>.*?(?:</tool_call>|\Z))", re.DOTALL
)
_GLM_ARGUMENT = re.compile(
    r"<arg_key>\s*(.*?)\s*</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL
)
_LLAMA = re.compile(r"<\|python_tag\|>\s*(.*?)\s*(?:<\|eom_id\|>|<\|eot_id\|>|\Z)", re.DOTALL)
_MISTRAL = re.compile(r"\[TOOL_CALLS\]\s*(.*)\Z", re.DOTALL)
_MISTRAL_NAMED = re.compile(
    r"(?:\[TOOL_CALLS\])?\s*([\w.-]+)\s*(?:\[CALL_ID\]\w*)?\s*(?:\[ARGS\])?\s*(?=\{)"
)
_NAME = re.compile(r'"name"\s*:\s*"([\w.-]+)"')


def lifted(reply: Reply, tools: Sequence[Tool]) -> Reply:
    """The reply with the calls that its text holds as calls; itself where it holds none.

    A reply that was cut off is left alone: half a call is none.
    """
    text = reply.message.content
    if not tools or not text or reply.message.calls or reply.finish not in ("stop", "tool_calls"):
        return reply
    for form, (marks, read) in _FORMS.items():
        match = marks.search(text)
        calls = tuple(_call(name, given, tools) for name, given in read(text)) if match else ()
        if match and calls:
            rest = _rest(text[: match.start()], form)
            message = replace(reply.message, content=rest, calls=calls)
            served = {**reply.served, "text_calls": form}
            return replace(reply, message=message, finish="tool_calls", served=served)
    return _bare(reply, tools)


def _bare(reply: Reply, tools: Sequence[Tool]) -> Reply:
    """Llama's calls without a tag: the text is one JSON object that names a tool of ours."""
    found = [*_objects(reply.message.content.strip().removesuffix(";"))]
    if not found or any(name not in {tool.name for tool in tools} for name, _ in found):
        return reply
    calls = tuple(_call(name, given, tools) for name, given in found)
    message = replace(reply.message, content="", calls=calls)
    served = {**reply.served, "text_calls": "llama"}
    return replace(reply, message=message, finish="tool_calls", served=served)


def _rest(before: str, form: str) -> str:
    """The prose before the calls; what a model says after them it says to itself."""
    return before.removesuffix("<tool_call>\n").removesuffix("<tool_call>").strip()


def _hermes(text: str) -> _Found:
    for match in _TAGGED.finditer(text):
        found = [*_objects(match[1])]
        yield from found
        if not found and (name := _NAME.search(match[1])):
            yield name[1], match[1][name.end() :].strip().removeprefix(",").strip()


def _qwen(text: str) -> _Found:
    for match in _QWEN.finditer(text):
        body = match[2].strip()
        if body.startswith("{"):
            yield match[1], _json(body)
        else:
            yield match[1], {k: _trimmed(v) for k, v in _QWEN_ARGUMENT.findall(match[2])}


def _glm(text: str) -> _Found:
    for match in _GLM.finditer(text):
        yield match[1], dict(_GLM_ARGUMENT.findall(match[2]))


def _llama(text: str) -> _Found:
    for match in _LLAMA.finditer(text):
        yield from _objects(match[1])


def _mistral(text: str) -> _Found:
    match = _MISTRAL.search(text)
    if match is None:
        return
    listed = [*_objects(match[1])]
    yield from listed
    place = 0
    while not listed and (named := _MISTRAL_NAMED.match(match[1], place)):
        value, place = _first(match[1], named.end())
        yield named[1], value


_FORMS: Mapping[str, tuple[re.Pattern[str], Callable[[str], _Found]]] = {
    "hermes": (_TAGGED, _hermes),
    "qwen": (_QWEN, _qwen),
    "glm": (_GLM, _glm),
    "llama": (_LLAMA, _llama),
    "mistral": (_MISTRAL, _mistral),
}


def _objects(text: str) -> _Found:
    """The calls in JSON: one object, a list of them, or several with semicolons between."""
    place = 0
    while place < len(text):
        value, end = _first(text, place)
        if end == place:
            return
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and isinstance(one.get("name"), str):
                yield one["name"], one.get("arguments", one.get("parameters", {}))
        place = end + len(re.match(r"[\s;,]*", text[end:])[0])  # type: ignore[index]


def _first(text: str, place: int) -> tuple[Any, int]:
    """The JSON value that begins there and where it ends; all the rest as text if it is none."""
    try:
        return _DECODER.raw_decode(text, place)
    except (ValueError, RecursionError):
        return (text[place:], len(text)) if text[place : place + 1] == "{" else (None, place)


_DECODER = json.JSONDecoder(strict=False)
"""Models write line ends into strings as they are."""


def _json(text: str) -> Any:
    value, _ = _first(text, 0)
    return value


def _call(name: str, given: Any, tools: Sequence[Tool]) -> ToolCall:
    if isinstance(given, str):
        return ToolCall("", name, given)
    if isinstance(given, dict):
        kinds = _kinds(name, tools)
        given = {key: _typed(value, kinds.get(key)) for key, value in given.items()}
    return ToolCall("", name, json.dumps(given))


def _kinds(name: str, tools: Sequence[Tool]) -> dict[str, Any]:
    schemas = (json.loads(tool.parameters) for tool in tools if tool.name == name)
    schema: dict[str, Any] = next(schemas, {})
    return {key: value.get("type") for key, value in schema.get("properties", {}).items()}


def _typed(value: Any, kind: Any) -> Any:
    """An argument that was written as text, as what the tool's schema wants."""
    if not isinstance(value, str) or kind in (None, "string"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _trimmed(value: str) -> str:
    return value.removeprefix("\n").removesuffix("\n")
