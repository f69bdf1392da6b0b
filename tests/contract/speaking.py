"""A server's side of each wire: a reply as its whole response, and that response as a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.types import Reply

PIECE = 3
"""Characters in one delta."""


def pieces(text: str) -> list[str]:
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)]


def _chat(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.message.content}
    if reply.message.reasoning:
        message["reasoning_content"] = reply.message.reasoning
    if reply.message.calls:
        message["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in reply.message.calls
        ]
    usage = reply.usage
    return {
        "id": "r1",
        "model": "m-served",
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish}],
        "usage": {
            "prompt_tokens": usage.prompt,
            "prompt_tokens_details": {
                "cached_tokens": usage.cache_read,
                "cache_write_tokens": usage.cache_write,
            },
            "completion_tokens": usage.output,
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
        },
    }


def _chat_stream(payload: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    choice = payload["choices"][0]
    message = choice["message"]

    def chunk(delta: Any, finish: Any = None) -> tuple[str, Any]:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return "", {"id": "r1", "model": payload["model"], "choices": choices, "usage": None}

    yield chunk({"role": "assistant", "content": ""})
    for key in ("reasoning_content", "content"):
        for piece in pieces(message.get(key) or ""):
            yield chunk({key: piece})
    for at, call in enumerate(message.get("tool_calls", ())):
        function = call["function"]
        opening = {**call, "index": at, "function": {**function, "arguments": ""}}
        yield chunk({"tool_calls": [opening]})
        for piece in pieces(function["arguments"]):
            yield chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
    yield chunk({}, choice["finish_reason"])
    yield "", {"id": "r1", "model": payload["model"], "choices": [], "usage": payload["usage"]}
    yield "", "[DONE]"


_STATUS = {"length": ("incomplete", {"reason": "max_output_tokens"})}


def _responses(reply: Reply) -> dict[str, Any]:
    said = reply.message
    items: list[dict[str, Any]] = []
    if said.reasoning:
        summary = [{"type": "summary_text", "text": said.reasoning}]
        items.append(
            {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAA="}
        )
    if said.content:
        kind, key = ("refusal",) * 2 if reply.finish == "refusal" else ("output_text", "text")
        part = {"type": kind, key: said.content}
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "content": [part]})
    items += [
        {
            "type": "function_call",
            "id": f"fc_{at}",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }
        for at, call in enumerate(said.calls)
    ]
    status, why = _STATUS.get(reply.finish, ("completed", None))
    usage = reply.usage
    return {
        "id": "resp_1",
        "object": "response",
        "model": "m-served",
        "status": status,
        "incomplete_details": why,
        "error": None,
        "output": items,
        "usage": {
            "input_tokens": usage.prompt,
            "input_tokens_details": {
                "cached_tokens": usage.cache_read,
                "cache_write_tokens": usage.cache_write,
            },
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        },
    }


def _responses_stream(payload: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    def event(kind: str, **data: Any) -> tuple[str, Any]:
        return kind, {"type": kind, **data}

    begun = {**payload, "status": "in_progress", "output": [], "usage": None}
    yield event("response.created", response=begun)
    for at, item in enumerate(payload["output"]):
        yield event("response.output_item.added", output_index=at, item=item)
        if item["type"] == "function_call":
            for piece in pieces(item["arguments"]):
                yield event("response.function_call_arguments.delta", output_index=at, delta=piece)
        yield event("response.output_item.done", output_index=at, item=item)
    yield event(f"response.{payload['status']}", response=payload)


_STOP = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "refusal": "refusal",
}


def _messages(reply: Reply) -> dict[str, Any]:
    said, usage = reply.message, reply.usage
    blocks: list[dict[str, Any]] = []
    if said.reasoning:
        blocks.append({"type": "thinking", "thinking": said.reasoning, "signature": "EqQB=="})
    if said.content:
        blocks.append({"type": "text", "text": said.content})
    blocks += [
        {"type": "tool_use", "id": c.id, "name": c.name, "input": json.loads(c.arguments)}
        for c in said.calls
    ]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m-served",
        "content": blocks,
        "stop_reason": _STOP[reply.finish],
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage.fresh,
            "cache_read_input_tokens": usage.cache_read,
            "cache_creation_input_tokens": usage.cache_write,
            "output_tokens": usage.output,
            "output_tokens_details": {"thinking_tokens": usage.reasoning},
        },
    }


_EMPTY = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}


def _messages_stream(payload: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    def event(kind: str, **data: Any) -> tuple[str, Any]:
        return kind, {"type": kind, **data}

    usage = payload["usage"]
    begun = {**payload, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield event("message_start", message=begun)
    for at, block in enumerate(payload["content"]):
        yield event(
            "content_block_start", index=at, content_block={**block, **_EMPTY[block["type"]]}
        )
        yield event("ping")
        for delta in _deltas(block):
            yield event("content_block_delta", index=at, delta=delta)
        yield event("content_block_stop", index=at)
    yield event(
        "message_delta",
        delta={"stop_reason": payload["stop_reason"], "stop_sequence": None},
        usage={"output_tokens": usage["output_tokens"]},
    )
    yield event("message_stop")


def _deltas(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "text":
            yield from ({"type": "text_delta", "text": p} for p in pieces(block["text"]))
        case "thinking":
            for piece in pieces(block["thinking"]):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case _:
            for piece in pieces(json.dumps(block["input"])):
                yield {"type": "input_json_delta", "partial_json": piece}


WHOLE: Mapping[str, Callable[[Reply], dict[str, Any]]] = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
}
_STREAMS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[tuple[str, Any]]]] = {
    "chat": _chat_stream,
    "responses": _responses_stream,
    "messages": _messages_stream,
}


def streamed(wire: str, payload: Mapping[str, Any]) -> list[bytes]:
    """The events of a response, each as the bytes of one chunk."""
    return [_event(name, data) for name, data in _STREAMS[wire](payload)]


def _event(name: str, data: Any) -> bytes:
    named = f"event: {name}\n" if name else ""
    return f"{named}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
