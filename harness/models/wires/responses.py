"""The OpenAI Responses wire: requests to bytes, answers and streams to replies.

Nothing is stored at the endpoint: each request carries the whole conversation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from harness.errors import UsageError
from harness.models.wires import reading
from harness.models.wires.reading import Cut, NotAReply, as_a, count, payload_of, text, written
from harness.models.wires.remembered import in_pieces, remembered
from harness.models.wires.sealing import interleaved, seal, unseal
from harness.models.wires.sse import Event
from harness.models.wires.writing import body
from harness.types import Finish, Message, Reply, Request, Tool, ToolCall, Usage

__all__ = ["PATH", "Fold", "NotAReply", "decode", "encode", "settings", "usage"]

PATH = "/responses"
_ENCRYPTED = "reasoning.encrypted_content"
_PLAIN = ("temperature", "top_p")
_ENDED = ("completed", "incomplete")


def settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs that go into each body. Thoughts are asked for in the form that can go back."""
    sent: dict[str, Any] = {"store": False}
    sent |= {name: asked[name] for name in _PLAIN if asked.get(name) is not None}
    if most := asked.get("max_completion_tokens") or asked.get("max_tokens"):
        sent["max_output_tokens"] = most
    if asked.get("reasoning_effort"):
        sent["reasoning"] = {"effort": asked["reasoning_effort"]}
    if asked.get("reasoning") != "drop":
        sent["include"] = [_ENCRYPTED]
    if asked.get("stream"):
        sent["stream"] = True
    return sent


def encode(request: Request, settings: Mapping[str, Any]) -> bytes:
    """The body of a POST. There is no seed on this wire; UsageError for a stop, which it lacks."""
    if request.stop:
        raise UsageError("wire=responses knows no stop sequences; use wire=chat")
    head = dict(settings)
    said = request.messages
    if said and said[0].role == "system":
        head["instructions"], said = said[0].content, said[1:]
    items, tools = b", ".join(filter(None, _input(said))), b", ".join(map(_tool, request.tools))
    return body(head, "input", items, tools)


@remembered
def _items(message: Message) -> bytes:
    if message.role == "tool":
        output = {"type": "function_call_output", "call_id": message.call_id or ""}
        return json.dumps({**output, "output": message.content}).encode()
    parts: list[Any] = []
    if message.content or not message.calls:
        parts.append({"type": "message", "role": message.role, "content": message.content})
    parts += [
        {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }
        for call in message.calls
    ]
    return json.dumps(interleaved(parts, unseal("responses", message.sealed)))[1:-1].encode()


@in_pieces
def _input(messages: tuple[Message, ...]) -> bytes:
    return b", ".join(filter(None, map(_items, messages)))


@lru_cache(maxsize=256)
def _tool(tool: Tool) -> bytes:
    parameters = json.loads(tool.parameters)
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return json.dumps({"type": "function", **function, "strict": False}).encode()


def decode(payload: Any) -> Reply:
    """The reply in a response's JSON, without its price. NotAReply where there is none."""
    with as_a("response", payload):
        if payload.get("status", "completed") not in _ENDED:
            raise TypeError(f"its status is {payload['status']!r}")
        items = payload["output"]
        if not isinstance(items, list):
            raise TypeError("output is no list of items")
        said = [part for i in items if i["type"] == "message" for part in i.get("content") or ()]
        calls = [i for i in items if i["type"] == "function_call"]
        message = Message(
            "assistant",
            reading.texts(said, "text", "refusal"),
            tuple(
                ToolCall(text(c.get("call_id")), text(c["name"]), written(c.get("arguments")))
                for c in calls
            ),
            reasoning=_thought(items),
            reasoning_field="reasoning",
            sealed=seal("responses", _sealed(items)),
        )
        finish = _finish(payload, said, bool(calls))
        return Reply(message, usage(payload.get("usage")), finish, reading.served(payload))


def _finish(payload: Mapping[str, Any], said: list[Any], calls: bool) -> Finish:
    if any(part.get("type") == "refusal" for part in said):
        return "refusal"
    if payload.get("status") == "incomplete":
        why = (payload.get("incomplete_details") or {}).get("reason")
        return "refusal" if why == "content_filter" else "length"
    return "tool_calls" if calls else "stop"


def _thought(items: list[Any]) -> str | None:
    """What may be read of the thoughts: the whole where a server shows it, else its summary."""
    thoughts = [i for i in items if i["type"] == "reasoning"]
    whole = "".join(reading.texts(i.get("content"), "text") for i in thoughts)
    return whole or "".join(reading.texts(i.get("summary"), "text") for i in thoughts) or None


def _sealed(items: list[Any]) -> list[tuple[int, Any]]:
    """The items of thought as they go back, each before the item that it led to."""
    placed, said, calls = [], 0, 0
    for item in items:
        if item["type"] == "message":
            said = 1
        elif item["type"] == "function_call":
            calls += 1
        elif item["type"] == "reasoning":
            # Of what is not stored, the endpoint knows neither state nor empty fields.
            kept = {k: v for k, v in item.items() if v is not None and k != "status"}
            placed.append((said + calls, {"summary": [], **kept}))
    return placed


def usage(raw: Any) -> Usage:
    """Tokens as the response counts them; no dollars, which are not the endpoint's to say."""
    prompt, output = count(raw, "input_tokens"), count(raw, "output_tokens")
    read = min(prompt, count(raw, "input_tokens_details", "cached_tokens"))
    written = min(prompt - read, count(raw, "input_tokens_details", "cache_write_tokens"))
    thought = count(raw, "output_tokens_details", "reasoning_tokens")
    return Usage(1, prompt - read - written, read, written, output, min(thought, output), None)


class Fold:
    """The events of one response. The last holds all of it, or all but its items."""

    def __init__(self) -> None:
        self.done = False
        self._response: dict[str, Any] = {}
        self._items: list[Any] = []
        self._error: dict[str, Any] | None = None

    def add(self, event: Event) -> None:
        payload = payload_of(event)
        if payload is None:
            return
        if payload.get("error") or event.name == "error" or payload.get("type") == "error":
            self._error = {"error": payload.get("error") or dict(payload)}
            return
        with as_a("stream of a response", payload):
            match payload.get("type") or event.name:
                case "response.output_item.done":
                    self._items.append(payload["item"])
                case "response.completed" | "response.incomplete":
                    self._response, self.done = dict(payload["response"]), True
                case "response.failed":
                    response = payload["response"]
                    self._error = {**response, "error": response.get("error") or "failed"}
                case _:  # deltas of what an item's end, or the response's, holds whole
                    pass

    def whole(self) -> dict[str, Any]:
        if self._error is not None:
            return self._error
        if not self.done:
            raise Cut("the stream ended without response.completed")
        return {**self._response, "output": self._response.get("output") or self._items}
