"""What the door says by itself: refusals in each API's own shape, and answers of an earlier try."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.api import WireName

NEVER_AGAIN = {"x-should-retry": "false", "content-type": "application/json"}


def error(wire: WireName, status: int, message: str, code: str) -> bytes:
    """The body of a refusal as programs of this wire know it."""
    if wire == "messages":
        kinds = {401: "authentication_error", 402: "billing_error", 404: "not_found_error"}
        said = {"type": kinds.get(status, "invalid_request_error"), "message": message}
        return json.dumps({"type": "error", "error": said}).encode()
    told = {"message": message, "type": code, "param": None, "code": code}
    return json.dumps({"error": told}).encode()


def as_event(wire: WireName, body: bytes) -> bytes:
    """The same where a stream has begun, so that no status can be told any more."""
    try:
        payload = dict(json.loads(body))
    except (ValueError, TypeError):
        payload = json.loads(error(wire, 400, body.decode(errors="replace"), "upstream_error"))
    if wire == "chat":
        return b"data: %b\n\n" % json.dumps(payload).encode()
    if wire == "responses":
        inner = payload.get("error")
        told = inner if isinstance(inner, dict) else {"message": str(inner or payload)}
        fields = {key: told.get(key) for key in ("code", "message", "param")}
        payload = {"type": "error", "sequence_number": 0, **fields}
    return b"event: error\ndata: %b\n\n" % json.dumps(payload).encode()


def models(model: str) -> bytes:
    """The list of models, in a form that is both vendors'."""
    one = {"id": model, "object": "model", "created": 0, "owned_by": "harness"}
    both = {**one, "type": "model", "display_name": model, "created_at": "1970-01-01T00:00:00Z"}
    return json.dumps({"object": "list", "data": [both], "has_more": False}).encode()


def streamed(wire: WireName, payload: Mapping[str, Any], *, usage: bool) -> bytes:
    """A whole response as the stream that it could have come in; `usage`: chat's extra chunk."""
    if wire == "chat":
        return _chat(payload, usage=usage)
    events = _EVENTS[wire](payload)
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())
        for event in events
    )


def _chat(payload: Mapping[str, Any], *, usage: bool) -> bytes:
    head = {k: v for k, v in payload.items() if k not in ("choices", "usage")}
    head["object"] = "chat.completion.chunk"
    (choice, *_) = payload["choices"]
    delta = dict(choice["message"])
    if delta.get("tool_calls"):
        delta["tool_calls"] = [{"index": at, **c} for at, c in enumerate(delta["tool_calls"])]
    chunks = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]},
    ]
    if usage and payload.get("usage"):
        chunks.append({**head, "choices": [], "usage": payload["usage"]})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


def _responses(payload: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    number = 0

    def event(kind: str, **fields: Any) -> dict[str, Any]:
        nonlocal number
        number += 1
        return {"type": kind, "sequence_number": number - 1, **fields}

    begun = {**payload, "status": "in_progress", "output": [], "usage": None}
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    for at, item in enumerate(payload["output"]):
        yield event("response.output_item.added", output_index=at, item=_opened(item))
        where = {"output_index": at, "item_id": item.get("id") or f"item_{at}"}
        for kind, fields in _pieces(item):
            yield event(kind, **where, **fields)
        yield event("response.output_item.done", output_index=at, item=item)
    incomplete = payload.get("status") == "incomplete"
    yield event("response.incomplete" if incomplete else "response.completed", response=payload)


def _opened(item: Mapping[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"message": {"content": []}, "function_call": {"arguments": ""}}
    emptied = empty.get(item["type"], {})
    return {**item, **emptied, **({"status": "in_progress"} if "status" in item else {})}


def _pieces(item: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if item["type"] == "function_call":
        yield "response.function_call_arguments.delta", {"delta": item["arguments"]}
        yield "response.function_call_arguments.done", {"arguments": item["arguments"]}
    for at, part in enumerate(item.get("content") or () if item["type"] == "message" else ()):
        where = {"content_index": at}
        yield "response.content_part.added", {**where, "part": {**part, "text": ""}}
        if "text" in part:
            yield "response.output_text.delta", {**where, "delta": part["text"], "logprobs": []}
            yield "response.output_text.done", {**where, "text": part["text"], "logprobs": []}
        yield "response.content_part.done", {**where, "part": part}


def _messages(payload: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    usage = payload.get("usage") or {}
    begun = {**payload, "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": {**begun, "usage": {**usage, "output_tokens": 1}}}
    for at, block in enumerate(payload["content"]):
        opened, deltas = _block(block)
        yield {"type": "content_block_start", "index": at, "content_block": opened}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": at, "delta": delta}
        yield {"type": "content_block_stop", "index": at}
    ended = {key: payload.get(key) for key in ("stop_reason", "stop_sequence")}
    counted = {"output_tokens": usage.get("output_tokens", 0)}
    yield {"type": "message_delta", "delta": ended, "usage": counted}
    yield {"type": "message_stop"}


def _block(block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it begins, and what makes it whole."""
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": block["text"]}]
        case "tool_use":
            told = json.dumps(block["input"])
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": told}]
        case "thinking":
            said = {"type": "thinking_delta", "thinking": block["thinking"]}
            signed = {"type": "signature_delta", "signature": block.get("signature") or ""}
            return {**block, "thinking": "", "signature": ""}, [said, signed]
        case _:
            return dict(block), []


_EVENTS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[dict[str, Any]]]] = {
    "responses": _responses,
    "messages": _messages,
}
