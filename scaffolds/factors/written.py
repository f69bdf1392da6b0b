"""Calls written into the text of a reply, for models and servers without native ones."""

from __future__ import annotations

import json
import re
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.types import Message, Reply, Request, Tool, ToolCall
from scaffolds.factors.turns import CUT, Call, Malformed, Read, Turn, check, complain, plain
from scaffolds.prompts import prompt

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)


def _spoken(reply: Reply) -> str:
    """A reply without the thoughts that some servers leave in its text: they may hold drafts."""
    return _THOUGHT.sub("", reply.message.content)


@dataclass(frozen=True, slots=True)
class Fenced:
    """One fenced block of bash. It can carry no other tool."""

    def instructions(self, tools: Sequence[Tool]) -> str:
        return f"{prompt('calls-fenced')}\n\n{tools[0].description}"

    def request(self, view: Sequence[Message], tools: Sequence[Tool]) -> Request:
        return Request(tuple(view))

    def read(self, reply: Reply, tools: Sequence[Tool]) -> Read:
        said = plain(reply.message)
        if reply.finish == "length":
            return complain(said, CUT)
        blocks = _blocks(_spoken(reply))
        if len(blocks) != 1:
            count = len(blocks) or "none"
            return complain(said, f"{prompt('slip-fenced')} Your reply held {count}.")
        call = ToolCall("", "bash", json.dumps({"command": blocks[0]}))
        try:
            return Turn(said, (check(call, tools),))
        except Malformed as error:
            return complain(said, str(error))

    def answer(self, outputs: Sequence[tuple[Call, str]]) -> tuple[Message, ...]:
        return (Message("user", "\n".join(output for _, output in outputs)),)


_OPENING = re.compile(r"(`{3,})(?:bash|sh|shell)[ \t\r]*")
_CLOSING = re.compile(r"(`{3,})[ \t\r]*")


def _blocks(text: str) -> list[str]:
    """What stands between fences, in time that grows with the text and no faster.

    As in Markdown, a fence is closed by one at least as long, so that a block can hold fences.
    """
    lines = text.split("\n")
    found = ((at, _CLOSING.fullmatch(line)) for at, line in enumerate(lines))
    closers = [(at, len(match[1])) for at, match in found if match]
    blocks: list[str] = []
    done, place, unclosed = 0, 0, len(text) + 1
    for at, line in enumerate(lines):
        opened = _OPENING.fullmatch(line)
        if at < done or not opened or len(opened[1]) >= unclosed:
            continue
        fence = len(opened[1])
        place = bisect(closers, (at, 0), place)
        later = (closers[n] for n in range(place, len(closers)))
        end = next((end for end, length in later if length >= fence), None)
        if end is None:
            unclosed = fence  # nor will any later one be that is as long
        else:
            blocks.append("".join(f"{each}\n" for each in lines[at + 1 : end]))
            done = end + 1
    return blocks


@dataclass(frozen=True, slots=True)
class Xml:
    """`<tool name="..."><argument>...</argument></tool>`, any number of them in a reply.

    Nothing is escaped. A closing tag counts only where the next argument or the call's end
    follows it, so that the text of an argument may hold markup of its own.
    """

    _OPEN = re.compile(r"""<tool\s+name\s*=\s*["']?([\w-]*)["']?\s*>""")

    def instructions(self, tools: Sequence[Tool]) -> str:
        described = "\n\n".join(_describe(tool) for tool in tools)
        return f"{prompt('calls-xml')}\n\n{described}"

    def request(self, view: Sequence[Message], tools: Sequence[Tool]) -> Request:
        return Request(tuple(view))

    def read(self, reply: Reply, tools: Sequence[Tool]) -> Read:
        said = plain(reply.message)
        if reply.finish == "length":
            return complain(said, CUT)
        text = _spoken(reply)
        calls: list[Call] = []
        place = 0
        try:
            while found := self._OPEN.search(text, place):
                written, place = _scan(text, found, tools)
                calls.append(check(written, tools))
        except Malformed as error:
            return complain(said, str(error))
        return Turn(said, tuple(calls)) if calls else complain(said, prompt("slip-xml"))

    def answer(self, outputs: Sequence[tuple[Call, str]]) -> tuple[Message, ...]:
        # One message for all of them: some chat templates refuse two of one role in a row.
        told = (f'<output tool="{call.name}">\n{output}\n</output>' for call, output in outputs)
        return (Message("user", "\n".join(told)),)


def _scan(text: str, opening: re.Match[str], tools: Sequence[Tool]) -> tuple[ToolCall, int]:
    """The call that begins at `opening`, and where it ends."""
    name = opening[1]
    properties = _properties(name, tools)
    argument = re.compile(rf"\s*<({'|'.join(map(re.escape, properties)) or '(?!)'})>")
    arguments: dict[str, str | int] = {}
    place = opening.end()
    while begun := argument.match(text, place):
        key = begun[1]
        end = re.compile(rf"</{re.escape(key)}>(?={argument.pattern}|\s*</tool>)")
        closed = end.search(text, begun.end())
        if closed is None:
            raise Malformed(
                f"In the call of {name}, <{key}> is not closed by </{key}> with </tool> or another "
                f"argument that {name} knows after it."
            )
        raw = text[begun.end() : closed.start()]
        arguments[key] = _value(raw, properties[key])
        place = closed.end()
    ending = re.compile(r"\s*</tool>").match(text, place)
    if ending is None:
        follows = text[place : place + 40].strip() or "nothing"
        known = ", ".join(f"<{key}>" for key in properties) or "no arguments"
        raise Malformed(f"In the call of {name}, expected {known} or </tool>, found: {follows}")
    return ToolCall("", name, json.dumps(arguments)), ending.end()


def _properties(name: str, tools: Sequence[Tool]) -> Mapping[str, Any]:
    for tool in tools:
        if tool.name == name:
            found: Mapping[str, Any] = json.loads(tool.parameters)["properties"]
            return found
    known = ", ".join(tool.name for tool in tools)
    raise Malformed(f"There is no tool {name!r}. The tools are: {known}.")


def _value(raw: str, schema: Mapping[str, Any]) -> str | int:
    """An argument's text: what stands on lines of its own keeps its last line's end."""
    if schema["type"] == "integer":
        try:
            return int(raw)
        except ValueError:
            return raw.strip()  # for `check` to complain of
    if "enum" in schema:
        return raw.strip()
    return raw.removeprefix("\r").removeprefix("\n")


def _describe(tool: Tool) -> str:
    schema = json.loads(tool.parameters)
    lines = [f"Tool {tool.name}: {tool.description}"]
    for key, value in schema["properties"].items():
        need = "" if key in schema["required"] else ", optional"
        lines.append(f"- <{key}> ({value['type']}{need}): {value.get('description', '')}")
    return "\n".join(lines)
