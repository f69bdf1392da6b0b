"""The Chat Completions wire: requests to bytes, answers to replies.

A message is encoded once and its bytes are joined into every later request, so that a long
conversation costs a copy and not a walk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from harness.types import Finish, Message, Reply, Request, Tool, ToolCall, Usage

_FINISH: Mapping[str, Finish] = {
    "stop": "stop",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "content_filter": "refusal",
    "refusal": "refusal",
}
_REASONING = ("reasoning_content", "reasoning")
_HALF = re.compile("[\ud800-\udfff]")
_SENSELESS = 1 << 53
"""So many tokens no call has; what is to be added up and priced must stay a number."""
_SHOWN_CHARS = 300


class NotAReply(ValueError):
    """The endpoint answered, but not with a chat completion."""


def encode(request: Request, settings: Mapping[str, Any]) -> bytes:
    """The body of a POST: `settings` (model, temperature...) with the messages and tools."""
    head: dict[str, Any] = dict(settings)
    if request.seed is not None:
        head["seed"] = request.seed
    if request.stop:
        head["stop"] = list(request.stop)
    fields = json.dumps(head)[1:-1]
    parts = [b"{", fields.encode(), b', "messages": [', b",".join(map(_message, request.messages))]
    if request.tools:
        parts += [b'], "tools": [', b",".join(map(_tool, request.tools))]
    return b"".join([*parts, b"]}"])


@lru_cache(maxsize=1 << 14)
def _message(message: Message) -> bytes:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        wire["content"] = message.content or None
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.calls
        ]
    if message.call_id is not None:
        wire["tool_call_id"] = message.call_id
    if message.reasoning:
        wire[message.reasoning_field] = message.reasoning
    return json.dumps(wire).encode()


@lru_cache(maxsize=256)
def _tool(tool: Tool) -> bytes:
    parameters = json.loads(tool.parameters)
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return json.dumps({"type": "function", "function": function}).encode()


def decode(payload: Any) -> Reply:
    """The reply in a response's JSON, without its price. NotAReply where there is none."""
    try:
        choice = payload["choices"][0]
        raw = choice["message"]
        message = Message(
            "assistant",
            _text(raw.get("content")),
            tuple(_call(call, at) for at, call in enumerate(raw.get("tool_calls") or ())),
            reasoning=_first(raw, _REASONING),
            reasoning_field="reasoning" if raw.get("reasoning") else "reasoning_content",
        )
        reason = str(choice.get("finish_reason") or "stop")
        finish = "refusal" if raw.get("refusal") else _FINISH.get(reason, "stop")
        return Reply(message, usage(payload.get("usage")), finish, _served(payload))
    except RecursionError:
        raise NotAReply("not a chat completion: nested too deeply") from None
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {str(error)[:_SHOWN_CHARS]!a}"
        raise NotAReply(f"not a chat completion ({why}): {_shown(payload)}") from None


def usage(raw: Any) -> Usage:
    """Tokens as the response counts them; no dollars, which are not the endpoint's to say."""
    if not isinstance(raw, Mapping):
        return Usage(calls=1, usd=None)
    prompt, output = _int(raw, "prompt_tokens"), _int(raw, "completion_tokens")
    details = raw.get("prompt_tokens_details")
    read = min(prompt, _int(details, "cached_tokens"))
    written = min(prompt - read, _int(details, "cache_write_tokens"))
    thought = _int(raw.get("completion_tokens_details"), "reasoning_tokens")
    return Usage(1, prompt - read - written, read, written, output, min(thought, output), None)


def _int(raw: Any, key: str) -> int:
    """A count, or 0 where there is none that makes sense."""
    value = raw.get(key) if isinstance(raw, Mapping) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return value if 0 < value < _SENSELESS else 0


def _text(content: Any) -> str:
    if isinstance(content, list):  # some servers answer in parts
        parts = (p.get("text") for p in content if isinstance(p, Mapping))
        return "".join(_whole(part) for part in parts if part is not None)
    return "" if content is None else _whole(content)


def _whole(value: Any) -> str:
    """A value as text that any server takes back: half a surrogate pair is no character."""
    return _HALF.sub("\ufffd", str(value))


def _shown(payload: Any) -> str:
    try:
        return json.dumps(payload)[:_SHOWN_CHARS]
    except RecursionError:
        return "nested too deeply to be shown"


def _first(raw: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((_whole(raw[key]) for key in keys if raw.get(key)), None)


def _call(raw: Mapping[str, Any], at: int) -> ToolCall:
    function = raw["function"]
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    name = _whole(function.get("name") or "")
    return ToolCall(_whole(raw.get("id") or f"call_{at}"), name, _whole(text))


def _served(payload: Mapping[str, Any]) -> dict[str, str]:
    wanted = {"model": "model", "system_fingerprint": "fingerprint", "provider": "provider"}
    return {
        ours: _whole(payload[theirs])[:_SHOWN_CHARS]
        for theirs, ours in wanted.items()
        if payload.get(theirs)
    }
