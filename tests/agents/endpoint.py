"""A model that gives shell commands in turn, to any agent: three wires, whole or streamed.

It keeps no state. Which turn it is it reads from the tool results in the request, and how a command
is given from the tools that the agent offers. One without tools gets an edit as text.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive, Scope, Send

Body = Mapping[str, Any]
USAGE = 1000, 20
"""Tokens of each request and of each reply."""

SHELLS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "bash": lambda c: {"command": c, "description": "a step"},
    "Bash": lambda c: {"command": c, "description": "a step"},
    "exec_command": lambda c: {"cmd": c},
    "run_shell_command": lambda c: {"command": c, "is_background": False},
    "terminal": lambda c: {"command": c, "security_risk": "LOW", "summary": "a step"},
    "ask_shell": lambda c: {"command": c},
}
"""How the agents' own tools take a command."""
_MINI = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
"""What mini-swe-agent tells its model to print when it has done."""
FINISH = {"finish": {"message": "done", "security_risk": "LOW", "summary": "done"}}
"""Tools by which some say that they have done."""


@dataclass(frozen=True, slots=True)
class Said:
    """A reply: words, or one call of a tool."""

    text: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Voice:
    """Gives the commands, then says that it is done. An ASGI application."""

    commands: Sequence[str]
    edit: str = ""
    """What it says to an agent that has no tools."""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    down: bool = False
    """Whether it is out of order: 500 to each question."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope["path"])
        body = json.loads(await _whole(receive) or b"{}")
        wire = path.rpartition("/")[2]
        if not body and wire in _WIRES:  # somebody asks which wires it knows
            await _answer(send, 400, b'{"error": {"message": "nothing was asked"}}')
            return
        self.requests.append((path, body))
        if self.down and wire in _WIRES:
            await _answer(send, 500, b'{"error": {"message": "the machine is on fire"}}')
        elif path.endswith("/count_tokens"):
            await _answer(send, 200, b'{"input_tokens": 1000}')
        elif wire not in _WIRES:
            await _answer(send, 200, b'{"object": "list", "data": [{"id": "scripted"}]}')
        else:
            whole, streamed, tools, results = _WIRES[wire]
            said = self._next(tools(body), results(body), _MINI in str(body))
            if body.get("stream"):
                events = b"".join(streamed(said, len(self.requests), body))
                await _answer(send, 200, events, b"text/event-stream")
            else:
                told = json.dumps(whole(said, len(self.requests)))
                await _answer(send, 200, told.encode())

    def _next(self, tools: Sequence[str], done: int, mini: bool) -> Said:
        shell = next((tool for tool in tools if tool in SHELLS), "")
        if not shell:
            return Said(self.edit or "a title")
        if done < len(self.commands):
            return Said(tool=shell, arguments=SHELLS[shell](self.commands[done]))
        if mini:
            return Said(tool=shell, arguments=SHELLS[shell](f"echo {_MINI}"))
        for name in tools:
            if name in FINISH:
                return Said(tool=name, arguments=FINISH[name])
        return Said("All done.")


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _answer(send: Send, status: int, body: bytes, kind: bytes = b"application/json") -> None:
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]}
    )
    await send({"type": "http.response.body", "body": body})
    await asyncio.sleep(0)


def _sse(data: Any, name: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


# Chat Completions


def _chat_tools(body: Body) -> list[str]:
    return [tool["function"]["name"] for tool in body.get("tools") or ()]


def _chat_results(body: Body) -> int:
    return sum(message["role"] == "tool" for message in body.get("messages", ()))


def _chat_message(said: Said, n: int) -> dict[str, Any]:
    function = {"name": said.tool, "arguments": json.dumps(said.arguments)}
    calls = [{"id": f"call_{n}", "type": "function", "function": function}]
    return {
        "role": "assistant",
        "content": said.text or None,
        **({"tool_calls": calls} if said.tool else {}),
    }


def _chat_head(n: int, what: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{n}", "object": what, "created": 1, "model": "scripted"}


def _chat_usage() -> dict[str, Any]:
    fresh, output = USAGE
    return {"prompt_tokens": fresh, "completion_tokens": output, "total_tokens": sum(USAGE)}


def _chat(said: Said, n: int) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": _chat_message(said, n),
        "finish_reason": "tool_calls" if said.tool else "stop",
    }
    return {**_chat_head(n, "chat.completion"), "choices": [choice], "usage": _chat_usage()}


def _chat_stream(said: Said, n: int, body: Body) -> Iterator[bytes]:
    head, delta = _chat_head(n, "chat.completion.chunk"), _chat_message(said, n)
    for index, call in enumerate(delta.get("tool_calls", ())):
        call["index"] = index
    end = "tool_calls" if said.tool else "stop"
    for changed, reason in ((delta, None), ({}, end)):
        yield _sse({**head, "choices": [{"index": 0, "delta": changed, "finish_reason": reason}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _sse({**head, "choices": [], "usage": _chat_usage()})
    yield _sse("[DONE]")


# Responses


def _items_tools(body: Body) -> list[str]:
    return [str(tool.get("name", "")) for tool in body.get("tools") or ()]


def _items_results(body: Body) -> int:
    given = body.get("input") if isinstance(body.get("input"), list) else []
    return sum(str(item.get("type", "")).endswith("call_output") for item in given)


def _items(said: Said, n: int) -> dict[str, Any]:
    item: dict[str, Any]
    if said.tool:
        item = {"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}"}
        item |= {"name": said.tool, "arguments": json.dumps(said.arguments)}
    else:
        content = [{"type": "output_text", "text": said.text, "annotations": []}]
        item = {"type": "message", "id": f"msg_{n}", "role": "assistant", "content": content}
    fresh, output = USAGE
    return {
        "id": f"resp_{n}",
        "object": "response",
        "created_at": 1,
        "model": "scripted",
        "status": "completed",
        "output": [{**item, "status": "completed"}],
        "usage": {
            "input_tokens": fresh,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": sum(USAGE),
        },
    }


def _items_stream(said: Said, n: int, body: Body) -> Iterator[bytes]:
    whole = _items(said, n)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    item = whole["output"][0]
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    for number, event in enumerate(events):
        yield _sse({**event, "sequence_number": number}, event["type"])


# Messages


def _blocks_tools(body: Body) -> list[str]:
    return [str(tool.get("name", "")) for tool in body.get("tools") or ()]


def _blocks_results(body: Body) -> int:
    blocks = [m["content"] for m in body.get("messages", ()) if isinstance(m["content"], list)]
    return sum(block.get("type") == "tool_result" for content in blocks for block in content)


def _blocks(said: Said, n: int) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": said.text}
    if said.tool:
        block = {"type": "tool_use", "id": f"toolu_{n}", "name": said.tool}
        block["input"] = dict(said.arguments)
    fresh, output = USAGE
    return {
        "id": f"msg_{n}",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [block],
        "stop_reason": "tool_use" if said.tool else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": fresh, "output_tokens": output},
    }


def _blocks_stream(said: Said, n: int, body: Body) -> Iterator[bytes]:
    whole = _blocks(said, n)
    (block,) = whole["content"]
    if said.tool:
        opened = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    else:
        opened, delta = {**block, "text": ""}, {"type": "text_delta", "text": said.text}
    ending = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    begun = {**whole, "content": [], "stop_reason": None}
    for event in (
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": opened},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ending, "usage": {"output_tokens": USAGE[1]}},
        {"type": "message_stop"},
    ):
        yield _sse(event, str(event["type"]))


_WIRES: Mapping[str, tuple[Any, Any, Any, Any]] = {
    "completions": (_chat, _chat_stream, _chat_tools, _chat_results),
    "responses": (_items, _items_stream, _items_tools, _items_results),
    "messages": (_blocks, _blocks_stream, _blocks_tools, _blocks_results),
}
