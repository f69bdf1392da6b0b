"""An OpenAI-compatible endpoint that replays recorded replies to the demo tasks.

It keeps no state: which task is asked about it reads from the statement, which preset from the
tools, how far the talk has come from the number of assistant messages, and which recording from
the request's seed. So a run that is killed and continued hears the same voice. Usage is counted
at four characters a token; nothing else is invented.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

MODEL = "recorded"
_SUBMIT: Mapping[str, Any] = {"bash": ("bash", {"command": "submit"}), "editor": ("submit", {})}


@dataclass(frozen=True, slots=True)
class Recording:
    """Replies to one task, by preset: each a list of turns."""

    task: str
    statement: str
    takes: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]


def recordings(root: Path) -> list[Recording]:
    """What the task folders under `root` hold in `recordings.json`."""
    found = []
    for path in sorted(root.glob("*/recordings.json")):
        raw = json.loads(path.read_text())
        takes = {preset: [take["turns"] for take in raw[preset]] for preset in _SUBMIT}
        statement = (path.parent / "problem_statement.md").read_text().strip()
        found.append(Recording(path.parent.name, statement, takes))
    return found


def app(tapes: Sequence[Recording]) -> Starlette:
    """The endpoint over `tapes`: `/v1/chat/completions` and `/v1/models`."""

    async def complete(request: Request) -> JSONResponse:
        body = await request.json()
        tape = next((t for t in tapes if _asks_about(body["messages"], t)), None)
        if tape is None:
            said = "no recording answers this conversation: only the demo tasks are recorded"
            return JSONResponse({"error": {"message": said, "code": "no_recording"}}, 400)
        return JSONResponse(_answer(body, tape))

    async def models(request: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/models", models),
        ]
    )


def _asks_about(messages: Sequence[Mapping[str, Any]], tape: Recording) -> bool:
    return any(m["role"] == "user" and tape.statement in str(m["content"]) for m in messages[:3])


def _answer(body: Mapping[str, Any], tape: Recording) -> dict[str, Any]:
    messages = body["messages"]
    tools = {tool["function"]["name"] for tool in body.get("tools", ())}
    preset = "editor" if "editor" in tools else "bash"
    takes = tape.takes[preset]
    turns = takes[_draw(f"{body.get('seed')} {tape.task}", len(takes))]
    at = sum(message["role"] == "assistant" for message in messages)
    name, arguments = _SUBMIT[preset]
    closing = {"content": "", "calls": [{"name": name, "arguments": arguments}]}
    turn = turns[at] if at < len(turns) else closing
    calls = [
        {
            "id": f"call_{at}_{n}",
            "type": "function",
            "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
        }
        for n, call in enumerate(turn["calls"])
    ]
    message = {"role": "assistant", "content": turn["content"], "tool_calls": calls}
    return {
        "id": f"chatcmpl-{_draw(json.dumps(messages), 1 << 48):012x}",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": _usage(messages, message),
    }


def _usage(messages: Sequence[Mapping[str, Any]], reply: Mapping[str, Any]) -> dict[str, Any]:
    last = max((i for i, m in enumerate(messages) if m["role"] == "assistant"), default=0)
    return {
        "prompt_tokens": _tokens(messages),
        "prompt_tokens_details": {"cached_tokens": _tokens(messages[:last])},
        "completion_tokens": _tokens([reply]),
    }


def _tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    return sum(len(json.dumps(message)) for message in messages) // 4


def _draw(text: str, below: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % below
