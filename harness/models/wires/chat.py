"""The Chat Completions wire: requests to bytes, answers and streams to replies.

A message is encoded once and its bytes are joined into every later request, so that a long
conversation costs a copy and not a walk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from harness.models.wires import reading
from harness.models.wires.reading import Cut, NotAReply, as_a, count, payload_of, text, written
from harness.models.wires.remembered import in_pieces, remembered
from harness.models.wires.sealing import seal, unseal
from harness.models.wires.sse import Event
from harness.models.wires.writing import body
from harness.types import Finish, Message, Reply, Request, Tool, ToolCall, Usage

__all__ = ["PATH", "Fold", "NotAReply", "decode", "encode", "settings", "usage"]

PATH = "/chat/completions"
_FINISH: Mapping[str, Finish] = {
    "stop": "stop",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "content_filter": "refusal",
    "refusal": "refusal",
}
_REASONING = ("reasoning_content", "reasoning")
THINK = "<think>"
"""The field of thoughts that a server leaves in the text, where it has no parser for them."""
_THOUGHT = re.compile(r"\s*<think>(.*?)(?:</think>\s*|\Z)", re.DOTALL)
_ORPHAN = re.compile(r"(.*?)(?:\A|\n)[ \t]*</think>[ \t]*(?:\n\s*|\Z)", re.DOTALL)
"""Some templates open the thought themselves, so that only its end is in the answer."""
_PLAIN = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "reasoning_effort")


def settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs that go into each body. A stream is asked to end with its usage."""
    sent = {name: asked[name] for name in _PLAIN if asked.get(name) is not None}
    if asked.get("stream"):
        sent |= {"stream": True, "stream_options": {"include_usage": True}}
    return sent


def encode(request: Request, settings: Mapping[str, Any]) -> bytes:
    """The body of a POST: `settings` (model, temperature...) with the messages and tools."""
    head: dict[str, Any] = dict(settings)
    if request.seed is not None:
        head["seed"] = request.seed
    if request.stop:
        head["stop"] = list(request.stop)
    said, tools = b",".join(_messages(request.messages)), b",".join(map(_tool, request.tools))
    return body(head, "messages", said, tools)


@remembered
def _message(message: Message) -> bytes:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    sealed = unseal("chat", message.sealed) or {}
    if message.calls:
        wire["content"] = message.content or None
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
                **sealed.get("calls", {}).get(str(at), {}),
            }
            for at, call in enumerate(message.calls)
        ]
    if message.call_id is not None:
        wire["tool_call_id"] = message.call_id
    if message.reasoning and message.reasoning_field == THINK:
        thought = f"{THINK}{message.reasoning}</think>"
        wire["content"] = f"{thought}\n\n{message.content}" if message.content else thought
    elif message.reasoning:
        wire[message.reasoning_field] = message.reasoning
    return json.dumps(wire | sealed.get("fields", {})).encode()


@in_pieces
def _messages(messages: tuple[Message, ...]) -> bytes:
    return b",".join(map(_message, messages))


@lru_cache(maxsize=256)
def _tool(tool: Tool) -> bytes:
    parameters = json.loads(tool.parameters)
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return json.dumps({"type": "function", "function": function}).encode()


def decode(payload: Any) -> Reply:
    """The reply in a response's JSON, without its price. NotAReply where there is none."""
    with as_a("chat completion", payload):
        choice = payload["choices"][0]
        raw = choice["message"]
        reason = str(choice.get("finish_reason") or "stop")
        finish = "refusal" if raw.get("refusal") else _FINISH.get(reason, "stop")
        return Reply(_read(raw), usage(payload.get("usage")), finish, reading.served(payload))


def _read(raw: Mapping[str, Any]) -> Message:
    said = _text(raw.get("content"))
    thought = next((text(raw[key]) for key in _REASONING if raw.get(key)), None)
    field = "reasoning" if raw.get("reasoning") else "reasoning_content"
    if thought is None and (found := _THOUGHT.match(said) or _ORPHAN.match(said)):
        thought, said, field = found[1] or None, said[found.end() :], THINK
    calls = raw.get("tool_calls") or ()
    return Message(
        "assistant",
        said or _text(raw.get("refusal")),
        tuple(_call(call) for call in calls),
        reasoning=thought,
        reasoning_field=field,
        sealed=seal("chat", _sealed(raw, calls)),
    )


def _sealed(raw: Mapping[str, Any], calls: Any) -> dict[str, Any]:
    """OpenRouter's details of reasoning, and the signatures that Gemini ties to its calls."""
    details, extra = raw.get("reasoning_details"), "extra_content"
    signed = {str(at): {extra: call[extra]} for at, call in enumerate(calls) if call.get(extra)}
    return {
        **({"fields": {"reasoning_details": details}} if details else {}),
        **({"calls": signed} if signed else {}),
    }


def usage(raw: Any) -> Usage:
    """Tokens as the response counts them; no dollars, which are not the endpoint's to say."""
    prompt, output = count(raw, "prompt_tokens"), count(raw, "completion_tokens")
    read = min(prompt, count(raw, "prompt_tokens_details", "cached_tokens"))
    written = min(prompt - read, count(raw, "prompt_tokens_details", "cache_write_tokens"))
    thought = count(raw, "completion_tokens_details", "reasoning_tokens")
    return Usage(1, prompt - read - written, read, written, output, min(thought, output), None)


def _text(content: Any) -> str:
    # Some servers answer in parts.
    return reading.texts(content, "text") if isinstance(content, list) else text(content)


def _call(raw: Mapping[str, Any]) -> ToolCall:
    function = raw["function"]
    name = text(function.get("name") or "")
    return ToolCall(text(raw.get("id") or ""), name, written(function.get("arguments")))


class Fold:
    """The chunks of one answer. It is complete with its finish_reason; `[DONE]` proves nothing."""

    def __init__(self) -> None:
        self.done = False
        self._head: dict[str, Any] = {"object": "chat.completion"}
        self._texts: dict[str, list[str]] = {}
        self._calls: list[dict[str, Any]] = []
        self._places: dict[Any, int] = {}
        self._details: list[dict[str, Any]] = []
        self._finish: Any = None
        self._error: dict[str, Any] | None = None

    def add(self, event: Event) -> None:
        chunk = payload_of(event)
        if chunk is None:
            return
        if chunk.get("error") or event.name == "error":
            self._error = dict(chunk) if chunk.get("error") else {"error": dict(chunk)}
            return
        with as_a("chunk of a chat completion", chunk):
            self._head |= {k: v for k, v in chunk.items() if v is not None and k not in _OURS}
            for choice in chunk.get("choices") or ():
                if not choice.get("index"):
                    self._choice(choice)

    def _choice(self, choice: Mapping[str, Any]) -> None:
        # A server that cannot stream sends its whole message as the only chunk.
        delta = choice.get("delta") or choice.get("message") or {}
        for key in ("content", "refusal", *_REASONING):
            if piece := _text(delta.get(key)):
                self._texts.setdefault(key, []).append(piece)
        for call in delta.get("tool_calls") or ():
            self._call(call)
        for detail in delta.get("reasoning_details") or ():
            self._detail(detail)
        self._finish = choice.get("finish_reason") or self._finish
        self.done = self._finish is not None

    def _call(self, delta: Mapping[str, Any]) -> None:
        function, id_ = delta.get("function") or {}, delta.get("id") or ""
        call = self._calls[place] if (place := self._place(delta.get("index"), id_)) >= 0 else None
        if call is None:
            call = {"id": id_, "type": "function", "function": {"name": "", "arguments": []}}
            self._places[delta.get("index")] = len(self._calls)
            self._calls.append(call)
        call["id"] = call["id"] or id_
        # Some send the whole name with each piece.
        call["function"]["name"] = call["function"]["name"] or function.get("name") or ""
        if arguments := function.get("arguments"):
            call["function"]["arguments"].append(written(arguments))
        if delta.get("extra_content"):
            call["extra_content"] = delta["extra_content"]

    def _place(self, index: Any, id_: Any) -> int:
        """Which call a piece belongs to; -1 for a new one.

        Some number no call and some number all of them alike: then a new id begins a new call.
        """
        place = self._places.get(index, -1) if index is not None else len(self._calls) - 1
        known = self._calls[place]["id"] if place >= 0 else ""
        return -1 if id_ and known and id_ != known else place

    def _detail(self, detail: Mapping[str, Any]) -> None:
        last = self._details[-1] if self._details else {}
        same = all(last.get(key) == detail.get(key) for key in ("index", "type"))
        if not last or not same or detail.get("index") is None:
            self._details.append(dict(detail))
            return
        for key, value in detail.items():
            grows = key in ("text", "summary", "data") and isinstance(value, str)
            last[key] = f"{last.get(key) or ''}{value}" if grows else value or last.get(key)

    def whole(self) -> dict[str, Any]:
        if self._error is not None:
            return self._error
        if not self.done:
            raise Cut("the stream ended without a finish_reason")
        message: dict[str, Any] = {"role": "assistant", "content": None}
        message |= {key: "".join(pieces) for key, pieces in self._texts.items()}
        if self._calls:
            message["tool_calls"] = [_joined(call) for call in self._calls]
        if self._details:
            message["reasoning_details"] = self._details
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        return {**self._head, "choices": [choice]}


_OURS = ("choices", "object")


def _joined(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": "".join(function["arguments"])}}
