"""The Anthropic Messages wire: requests to bytes, answers and streams to replies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from harness.models.wires import reading
from harness.models.wires.reading import Cut, NotAReply, as_a, count, payload_of, text, written
from harness.models.wires.remembered import in_pieces, remembered
from harness.models.wires.sealing import interleaved, seal, unseal
from harness.models.wires.sse import Event
from harness.models.wires.writing import body
from harness.types import Finish, Message, Reply, Request, Tool, ToolCall, Usage

__all__ = ["PATH", "VERSION", "Fold", "NotAReply", "decode", "encode", "settings", "usage"]

PATH = "/messages"
VERSION = "2023-06-01"
"""The value of the header `anthropic-version`."""
MAX_TOKENS = 16_384
"""For want of a knob: this wire has no default of its own, and refuses a request without."""
_FINISH: Mapping[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}
_THOUGHTS = ("thinking", "redacted_thinking")
_PLAIN = ("temperature", "top_p")
_UNMARKED: Mapping[str, Any] = {}


def settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs that go into each body; `cache` stays here and marks what is to be cached."""
    most = asked.get("max_completion_tokens") or asked.get("max_tokens") or MAX_TOKENS
    sent: dict[str, Any] = {"max_tokens": most}
    sent |= {name: asked[name] for name in _PLAIN if asked.get(name) is not None}
    if asked.get("thinking_tokens"):
        sent["thinking"] = {"type": "enabled", "budget_tokens": asked["thinking_tokens"]}
    if asked.get("reasoning_effort"):
        sent["output_config"] = {"effort": asked["reasoning_effort"]}
    if asked.get("stream"):
        sent["stream"] = True
    return sent | {"cache": asked.get("cache") or "off"}


def encode(request: Request, settings: Mapping[str, Any]) -> bytes:
    """The body of a POST. There is no seed on this wire, so that one is not sent."""
    head = dict(settings)
    mark = _mark(head.pop("cache", "off"))
    if request.stop:
        head["stop_sequences"] = list(request.stop)
    system = [m for m in request.messages if m.role == "system"]
    said = tuple(m for m in request.messages if m.role != "system")
    last = _last_turns(said)
    tail = [_stretch(said[last:], mark)] if last < len(said) else []
    turns = _joined([*_stretches(said[:last]), *tail])
    if blocks := [{"type": "text", "text": m.content} for m in system if m.content.strip()]:
        head["system"] = [*blocks[:-1], *({**b, **mark} for b in blocks[-1:])]
    return body(head, "messages", turns, b",".join(map(_tool, request.tools)))


def _mark(cache: str) -> dict[str, Any]:
    if cache == "off":
        return {}
    longer = {} if cache == "5m" else {"ttl": cache}
    return {"cache_control": {"type": "ephemeral", **longer}}


def _last_turns(messages: Sequence[Message]) -> int:
    """Where the last two turns of the user begin, before which nothing is marked.

    With the system prompt's that makes three of the four marks that a request may have: the last
    is what this call writes, the one before it what it reads.
    """
    at = len(messages)
    for _ in range(2):
        while at and messages[at - 1].role == "assistant":
            at -= 1
        while at and messages[at - 1].role != "assistant":
            at -= 1
    return at


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Messages as they stand in a body, without where their first turn begins and the last ends."""

    text: bytes
    first: bool
    """Whether the first turn is the assistant's."""
    last: bool


def _stretch(messages: tuple[Message, ...], mark: Mapping[str, Any] = _UNMARKED) -> _Stretch:
    """With a `mark` at the end of each turn of the user, where there is one."""
    parts = list[bytes]()
    whose = [message.role == "assistant" for message in messages]
    for at, message in enumerate(messages):
        if at:
            parts.append(_between(whose[at - 1], whose[at]))
        ends = not whose[at] and all(whose[at + 1 : at + 2])
        parts.append(_marked(message, mark) if mark and ends else _blocks(message))
    return _Stretch(b"".join(parts), whose[0], whose[-1])


_stretches = in_pieces(_stretch)


def _joined(stretches: list[_Stretch]) -> bytes:
    if not stretches:
        return b""
    parts = [_opening(stretches[0].first), stretches[0].text]
    for before, stretch in pairwise(stretches):
        parts += [_between(before.last, stretch.first), stretch.text]
    return b"".join([*parts, b"]}"])


def _between(last: bool, assistant: bool) -> bytes:
    """What stands between two messages, of which the turns are whose."""
    return b", " if last == assistant else b"]}," + _opening(assistant)


def _opening(assistant: bool) -> bytes:
    return b'{"role": "assistant", "content": [' if assistant else b'{"role": "user", "content": ['


@remembered
def _blocks(message: Message) -> bytes:
    """One message's blocks, joined."""
    return json.dumps(_plain_blocks(message))[1:-1].encode()


def _marked(message: Message, mark: Mapping[str, Any]) -> bytes:
    """The same, with a mark in the last of them."""
    *blocks, last = _plain_blocks(message)
    return json.dumps([*blocks, {**last, **mark}])[1:-1].encode()


def _plain_blocks(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        result = {"type": "tool_result", "tool_use_id": message.call_id or ""}
        # Empty text is refused wherever it stands.
        content = [{"type": "text", "text": message.content}] if message.content.strip() else []
        return [{**result, "content": content}]
    parts: list[dict[str, Any]] = []
    if message.content.strip():
        parts.append({"type": "text", "text": message.content})
    parts += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call.arguments)}
        for call in message.calls
    ]
    blocks = interleaved(parts, unseal("messages", message.sealed))
    return blocks or [{"type": "text", "text": "(empty)"}]


def _input(arguments: str) -> Any:
    """The object that a call's arguments are; on this wire there is no way to say another."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return {"malformed": arguments}
    return value if isinstance(value, dict) else {"malformed": arguments}


@lru_cache(maxsize=256)
def _tool(tool: Tool) -> bytes:
    schema = json.loads(tool.parameters)
    wire = {"name": tool.name, "description": tool.description, "input_schema": schema}
    return json.dumps(wire).encode()


def decode(payload: Any) -> Reply:
    """The reply in a response's JSON, without its price. NotAReply where there is none."""
    with as_a("message", payload):
        blocks = payload["content"]
        if not isinstance(blocks, list):
            raise TypeError("content is no list of blocks")
        reason = str(payload.get("stop_reason") or "end_turn")
        uses = [block for block in blocks if block["type"] == "tool_use"]
        thoughts = [b for b in blocks if b["type"] == "thinking"]
        message = Message(
            "assistant",
            reading.texts([b for b in blocks if b["type"] == "text"], "text"),
            tuple(
                ToolCall(text(u.get("id")), text(u.get("name")), written(u.get("input")))
                for u in uses
            ),
            reasoning=reading.texts(thoughts, "thinking") or None,
            reasoning_field="thinking",
            sealed=seal("messages", _signed(blocks)),
        )
        finish = _FINISH.get(reason, "stop")
        return Reply(message, usage(payload.get("usage")), finish, reading.served(payload))


def _signed(blocks: list[Any]) -> list[tuple[int, Any]]:
    """The thoughts that may go back: one that was cut off has no signature, and is refused."""
    placed, said, calls = [], 0, 0
    for block in blocks:
        if block["type"] == "text":
            said = 1
        elif block["type"] == "tool_use":
            calls += 1
        elif block["type"] in _THOUGHTS and (block.get("signature") or block.get("data")):
            placed.append((said + calls, block))
    return placed


def usage(raw: Any) -> Usage:
    """Tokens as the response counts them: here what was cached is no part of the input."""
    output = count(raw, "output_tokens")
    thought = count(raw, "output_tokens_details", "thinking_tokens")
    return Usage(
        1,
        count(raw, "input_tokens"),
        count(raw, "cache_read_input_tokens"),
        count(raw, "cache_creation_input_tokens"),
        output,
        min(thought, output),
        None,
    )


class Fold:
    """The events of one message. It is complete with message_stop after a stop_reason."""

    def __init__(self) -> None:
        self.done = False
        self._message: dict[str, Any] = {}
        self._blocks: dict[Any, dict[str, Any]] = {}
        self._pieces: dict[Any, list[str]] = {}
        self._error: dict[str, Any] | None = None

    def add(self, event: Event) -> None:
        payload = payload_of(event)
        if payload is None:
            return
        if payload.get("error") or event.name == "error":
            self._error = dict(payload) if payload.get("error") else {"error": dict(payload)}
            return
        with as_a("stream of a message", payload):
            self._take(payload.get("type") or event.name, payload)

    def _take(self, kind: str, payload: Mapping[str, Any]) -> None:
        match kind:
            case "message_start":
                self._message = dict(payload["message"])
            case "content_block_start":
                self._blocks[payload["index"]] = dict(payload["content_block"])
            case "content_block_delta":
                self._delta(payload["index"], payload["delta"])
            case "message_delta":
                self._message |= {k: v for k, v in payload["delta"].items() if v is not None}
                self._count(payload.get("usage") or {})
            case "message_stop":
                self.done = bool(self._message.get("stop_reason"))
            case _:  # ping, content_block_stop, and what is still to be invented
                pass

    def _delta(self, index: Any, delta: Mapping[str, Any]) -> None:
        block = self._blocks[index]
        match delta["type"]:
            case "input_json_delta":
                self._pieces.setdefault(index, []).append(text(delta["partial_json"]))
            case "text_delta" | "thinking_delta" | "signature_delta" as kind:
                key = kind.removesuffix("_delta")
                self._pieces.setdefault((index, key), [text(block.get(key))]).append(
                    text(delta[key])
                )
            case _:  # citations
                pass

    def _count(self, usage: Mapping[str, Any]) -> None:
        told = {key: value for key, value in usage.items() if value is not None}
        self._message["usage"] = {**(self._message.get("usage") or {}), **told}

    def whole(self) -> dict[str, Any]:
        if self._error is not None:
            return self._error
        if not self.done:
            raise Cut("the stream ended without a message_stop after a stop_reason")
        for place, pieces in self._pieces.items():
            if isinstance(place, tuple):
                self._blocks[place[0]][place[1]] = "".join(pieces)
            else:
                self._blocks[place]["input"] = _parsed("".join(pieces))
        return {**self._message, "content": list(self._blocks.values())}


def _parsed(arguments: str) -> Any:
    """The input of a call; as it was written where that is not JSON."""
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
