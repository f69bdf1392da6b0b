"""What a program's request says: its fields where they stand, and the conversation in it.

The bytes go on as they came, but for the fields that are replaced: nothing is parsed and written
anew. For the trace the conversation is read into values, whatever has no place there as JSON text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.api import WireName
from harness.models.wires.reading import text, texts, written
from harness.types import Message, Request, Tool, ToolCall

_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
_ROLES: Mapping[str, Any] = {
    **{role: role for role in ("system", "user", "assistant", "tool")},
    "developer": "system",
    "function": "tool",
}
_OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON object as it came, and where the value of each of its keys stands in it."""

    text: str
    payload: Mapping[str, Any]
    places: Mapping[str, tuple[int, int]]

    @classmethod
    def read(cls, raw: bytes) -> Body:
        """ValueError for anything but one JSON object."""
        whole = raw.decode(errors="surrogateescape")
        payload: dict[str, Any] = {}
        places: dict[str, tuple[int, int]] = {}
        at = _past(whole, 0, "{")
        while not whole.startswith("}", at):
            key, at = _DECODER.raw_decode(whole, at)
            if not isinstance(key, str):
                raise ValueError(f"{key!r} is no key")  # noqa: TRY004
            at = _past(whole, at, ":")
            payload[key], end = _DECODER.raw_decode(whole, at)
            places[key] = (at, end)
            at = _blank(whole, end)
            if not whole.startswith("}", at):
                at = _past(whole, at, ",")
        if _blank(whole, at + 1) != len(whole):
            raise ValueError("more than one object")
        return cls(whole, payload, places)

    def with_fields(self, fields: Mapping[str, Any]) -> bytes:
        """The same bytes, with these values in place of theirs, or before all others."""
        pieces, at = [], 0
        for key, (start, end) in sorted(self.places.items(), key=lambda item: item[1]):
            if key in fields:
                pieces += [self.text[at:start], json.dumps(fields[key])]
                at = end
        whole = "".join([*pieces, self.text[at:]])
        new = {key: value for key, value in fields.items() if key not in self.places}
        if new:
            opening = whole.index("{") + 1
            comma = ", " if self.places else ""
            whole = f"{whole[:opening]}{json.dumps(new)[1:-1]}{comma}{whole[opening:]}"
        return whole.encode(errors="surrogateescape")

    @property
    def max_output(self) -> int | None:
        """The most that the reply may have, in tokens, where the program says so."""
        found = (self.payload.get(name) for name in _OUTPUT_LIMITS)
        return next((value for value in found if isinstance(value, int) and value > 0), None)


def _blank(whole: str, at: int) -> int:
    match = _BLANK.match(whole, at)
    return match.end() if match else at


def _past(whole: str, at: int, sign: str) -> int:
    at = _blank(whole, at)
    if not whole.startswith(sign, at):
        raise ValueError(f"no {sign!r} at character {at}")
    return _blank(whole, at + 1)


def conversation(wire: WireName, payload: Mapping[str, Any]) -> Request:
    """The request as the trace needs it. What is malformed is kept as text, and never an error."""
    try:
        return Request(tuple(_MESSAGES[wire](payload)), tuple(_tools(payload)))
    except (TypeError, AttributeError, KeyError, ValueError, RecursionError):
        # The endpoint will say what is wrong with it.
        return Request((Message("user", _plain(dict(payload))),))


def _chat(payload: Mapping[str, Any]) -> Iterator[Message]:
    for raw in payload.get("messages") or ():
        calls = raw.get("tool_calls") or ()
        yield Message(
            _role(raw["role"]),
            _content(raw.get("content")),
            tuple(_call(c.get("id"), c.get("function") or c.get("custom") or {}) for c in calls),
            raw.get("tool_call_id"),
            raw.get("reasoning_content") or raw.get("reasoning") or None,
        )


def _responses(payload: Mapping[str, Any]) -> Iterator[Message]:
    if payload.get("instructions"):
        yield Message("system", text(payload["instructions"]))
    said = payload.get("input") or ()
    for item in [{"role": "user", "content": said}] if isinstance(said, str) else said:
        match item.get("type", "message"):
            case "message":
                yield Message(_role(item["role"]), _content(item.get("content")))
            case "function_call" | "custom_tool_call":
                called = {"name": item["name"], "arguments": item.get("arguments", "")}
                called["arguments"] = called["arguments"] or item.get("input") or ""
                yield Message("assistant", "", (_call(item.get("call_id"), called),))
            case "function_call_output" | "custom_tool_call_output":
                yield Message("tool", _content(item.get("output")), call_id=item.get("call_id"))
            case "reasoning":
                thought = texts(item.get("summary"), "text") or texts(item.get("content"), "text")
                yield Message("assistant", "", reasoning=thought or _plain(item))
            case _:
                yield Message("assistant", _plain(item))


def _messages(payload: Mapping[str, Any]) -> Iterator[Message]:
    if payload.get("system"):
        yield Message("system", _content(payload["system"]))
    for raw in payload.get("messages") or ():
        content = raw.get("content")
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
        if raw["role"] == "assistant":
            uses = [b for b in blocks if b["type"] == "tool_use"]
            thoughts = [b for b in blocks if b["type"] in ("thinking", "redacted_thinking")]
            rest = [b for b in blocks if b not in uses and b not in thoughts]
            calls = tuple(
                _call(u.get("id"), {"name": u["name"], "arguments": u["input"]}) for u in uses
            )
            thought = texts(thoughts, "thinking", "data") or None
            yield Message("assistant", _content(rest), calls, reasoning=thought)
        else:
            yield from _told(raw["role"], blocks)


def _told(role: str, blocks: list[Any]) -> Iterator[Message]:
    """What tools gave is each a message of its own; what stands beside it is the user's."""
    for block in blocks:
        if block["type"] == "tool_result":
            yield Message("tool", _content(block.get("content")), call_id=block.get("tool_use_id"))
    if rest := [b for b in blocks if b["type"] != "tool_result"]:
        yield Message(_role(role), _content(rest))


_MESSAGES: Mapping[WireName, Callable[[Mapping[str, Any]], Iterator[Message]]] = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
}


def _role(said: str) -> Any:
    known = {"developer": "system", "function": "tool"}
    return (
        known.get(said, said) if said in ("system", "user", "assistant", "tool", *known) else "user"
    )


def _content(content: Any) -> str:
    if isinstance(content, list):
        return "".join(_part(part) for part in content)
    return text(content) if content is None or isinstance(content, str) else _plain(content)


def _part(part: Any) -> str:
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return text(part["text"])
    return text(part) if isinstance(part, str) else _plain(part)


def _call(id_: Any, function: Mapping[str, Any]) -> ToolCall:
    arguments = function.get("arguments") or function.get("input")
    return ToolCall(text(id_), text(function.get("name")), written(arguments))


def _tools(payload: Mapping[str, Any]) -> Iterator[Tool]:
    for raw in payload.get("tools") or ():
        told = raw.get("function") or raw
        name = text(told.get("name") or told.get("type") or "tool")
        parameters = told.get("parameters") or told.get("input_schema") or {}
        yield Tool(name, text(told.get("description")), _plain(parameters))


def _plain(value: Any) -> str:
    return text(json.dumps(value))
