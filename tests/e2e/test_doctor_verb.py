"""`doctor --model` against endpoints over real sockets, of which we know what they can do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from starlette.types import Receive, Scope, Send

from tests.e2e.endpoints import answer, serving, whole

JSON = "application/json"
KEY = "sk-a-key-that-nobody-may-see"


class Able:
    """Does all that is asked of it; its window is 8,192 tokens."""

    def __init__(self) -> None:
        self.seen = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if scope["path"].endswith("/models"):
            await say(send, {"data": [{"id": "able"}, {"id": "other"}]})
            return
        raw = await whole(receive)
        if headers[b"authorization"] != f"Bearer {KEY}".encode():
            await say(send, {"error": {"message": f"wrong key, not {KEY}"}}, 401)
            return
        if not scope["path"].endswith("/chat/completions"):
            await say(send, {"detail": "Not Found"}, 404)
            return
        try:
            body = json.loads(raw)
        except ValueError:
            await say(send, {"error": {"message": "that is no JSON"}}, 400)
            return
        await self.reply(body, send)

    async def reply(self, body: dict[str, Any], send: Send) -> None:
        if body["model"] != "able":
            await say(send, {"error": {"message": "no such model"}}, 404)
        elif len(json.dumps(body)) // 6 > 8192:
            told = "This model's maximum context length is 8192 tokens."
            await say(send, {"error": {"message": told}}, 400)
        elif body.get("stream"):
            await self.stream(send)
        else:
            self.seen += 1
            await say(send, completion(said(body), body))

    async def stream(self, send: Send) -> None:
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        for n in range(20):
            delta = {"choices": [{"index": 0, "delta": {"content": f"{n} "}}]}
            await event(send, delta)
        await event(send, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        await event(send, {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 20}})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


class Plain(Able):
    """Knows of no tools: it refuses their results, answers in prose, and never stops early."""

    async def reply(self, body: dict[str, Any], send: Send) -> None:
        if any(message["role"] == "tool" for message in body["messages"]):
            await say(send, {"error": {"message": "unknown role: tool"}}, 400)
        elif body.get("stream"):
            await say(send, {"error": {"message": "stream is not supported"}}, 400)
        else:
            await say(send, completion({"content": "one two three four five"}, {}))


def said(body: dict[str, Any]) -> dict[str, Any]:
    asked = body["messages"][-1]["content"]
    if "Call the tool" in asked or "call the tool" in asked:
        call = {"type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
        return {"content": "", "tool_calls": [{"id": "a", **call}, {"id": "b", **call}]}
    if "Which file" in asked:
        return {"content": "heron.txt"}
    if "Invent" in asked:
        return {"content": f"ship {body['seed']}"}
    if body.get("stop"):
        return {"content": "one two three "}
    return {"content": "391", "reasoning_content": "17 times 23"}


def completion(message: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    usage = {
        "prompt_tokens": 2000,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 1500},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"model": "able-2026", "choices": [choice], "usage": usage}


async def say(send: Send, payload: Any, status: int = 200) -> None:
    await answer(send, status, json.dumps(payload).encode(), content_type=JSON)


async def event(send: Send, payload: Any) -> None:
    body = b"data: " + json.dumps(payload).encode() + b"\n\n"
    await send({"type": "http.response.body", "body": body, "more_body": True})


def doctor(url: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "doctor", "--base-url", url, *flags]
    environment = {**os.environ, "OPENAI_API_KEY": KEY}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def found(url: str) -> dict[str, tuple[str, str]]:
    done = doctor(url, "--model", "able", "--json")
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    rows = json.loads(done.stdout)["findings"]
    return {row["question"]: (row["answer"], row["said"]) for row in rows}


def test_what_an_able_endpoint_can_do_is_found_by_asking() -> None:
    with serving(Able()) as server:
        answers = found(server.url)
    words = {question: word for question, (word, _) in answers.items()}
    refused = {"wire=responses", "wire=messages"}
    assert {q for q, word in words.items() if word == "no"} == refused
    assert {q for q, word in words.items() if word == "unclear"} <= {"speed"}
    assert answers["usage"][1] == "counts prompt_tokens, completion_tokens, cached, reasoning"
    assert "able-2026" in answers["chat completions"][1]
    assert answers["context limit"][1].startswith("8192 tokens")


def test_what_a_plain_endpoint_lacks_decides_which_scaffolds_it_carries() -> None:
    with serving(Plain()) as server:
        answers = found(server.url)
    lacking = {
        "native tool calls",
        "parallel calls",
        "tool results",
        "streaming",
        "stop",
        "reasoning",
    }
    assert {q for q in lacking if answers[q][0] == "no"} == lacking
    assert answers["presets bash, editor, editor-elide"][0] == "no"
    assert answers["preset bash-fenced, calls=xml"][0] == "yes"
    assert answers["error for an unknown model"] == ("no", "none: it answers all the same")


def test_for_a_person_the_findings_are_lines_of_a_hundred_columns() -> None:
    with serving(Able()) as server:
        done = doctor(server.url, "--model", "able")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "yes      streaming" in done.stdout


def test_where_nobody_answers_it_says_so_in_one_line() -> None:
    silent = doctor("http://127.0.0.1:9/v1", "--model", "able")
    assert silent.returncode == 2 and "no endpoint answers" in silent.stderr
