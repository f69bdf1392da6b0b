"""Runs to look at: with traces, patches, tests and logs, as `run` would have left them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from harness import codec
from harness.types import Attempt, Graded, Message, Reply, Tally, ToolCall, Usage, Verdict
from results.store import RunStore
from results.view.app import app
from tests.unit.run_folders import attempt, declared, faulted, graded, stored

PATCH = b"""diff --git a/src/x.py b/src/x.py
index 1..2 100644
--- a/src/x.py
+++ b/src/x.py
@@ -1,3 +1,3 @@
 first
-a value of one
+a value of two
 last
"""


def client(folder: Path) -> TestClient:
    return TestClient(app(folder), base_url="http://127.0.0.1:8731")


def says(content: str, *calls: tuple[str, Mapping[str, Any]], reasoning: str = "") -> Reply:
    """A reply with calls of tools by name and arguments."""
    made = tuple(ToolCall(f"c{i}", name, json.dumps(a)) for i, (name, a) in enumerate(calls))
    message = Message("assistant", content, made, reasoning=reasoning or None)
    return Reply(message, Usage(calls=1, fresh=100, output=20, usd=0.01), "tool_calls")


def traced(
    store: RunStore, key: Attempt, talk: Sequence[tuple[Reply, str]], number: int = 1
) -> None:
    """Write the trace of a try: each reply, what its first call printed, and the answer to it."""
    with store.trace(key, number) as trace:
        trace.emit("try", {"attempt": codec.dump(key), "number": number, "from": 0})
        for role, said in (("system", "You are an engineer."), ("user", "Resolve this issue.")):
            trace.emit("message", {"id": role, "message": {"role": role, "content": said}})
        for at, (reply, output) in enumerate(talk, start=1):
            told = {"n": at, "request": "r", "reply": codec.dump(reply), "seconds": 1.5}
            trace.emit("reply", told | {"live": True})
            for call in reply.message.calls[:1]:
                command = json.loads(call.arguments).get("command", "")
                ran = {"argv": ["bash", "-c", command], "exit_code": 0, "ended": "exit"}
                trace.emit("exec", ran | {"seconds": 0.25, "omitted": 0, "output": output})
                answer = {"role": "tool", "content": output, "call_id": call.id}
                trace.emit("message", {"id": str(at), "message": answer})
        trace.emit("ending", {"ending": "submitted"})


def evidence(store: RunStore, record: Graded, patch: bytes = PATCH) -> Graded:
    """The record with a patch, tests of both lists and a log among its blobs."""
    passes = record.verdict.resolved
    tests = {"test_new": "passed" if passes else "failed", "test_old": "passed", "test_x": "passed"}
    lists = {"fail_to_pass": ["test_new"], "pass_to_pass": ["test_old", "test_gone"]}
    kept = {
        "patch": patch,
        "tests": json.dumps(tests).encode(),
        "expected": json.dumps(lists).encode(),
        "log.eval": b"collecting\n\x1b[31m1 failed\x1b[0m\n",
    }
    verdict = Verdict(
        passes, record.verdict.reason, "strict", Tally(int(passes), 1 - passes), Tally(1, 0, 1)
    )
    blobs = {name: store.keep(data) for name, data in kept.items()}
    return replace(record, verdict=verdict, blobs=blobs)


def small_run(folder: Path) -> RunStore:
    """Three tasks, two conditions, two repeats: all four states, one attempt with everything."""
    store = RunStore(folder)
    whole = attempt("t0", 0, "editor")
    talk = [
        (says("Look.", ("bash", {"command": "ls src"}), reasoning="Where is it?"), "x.py\n"),
        (says("Done.", ("submit", {})), ""),
    ]
    traced(store, whole, talk)
    records = [
        evidence(store, graded(whole, True, usd=0.02)),
        evidence(store, graded(attempt("t0", 1, "editor"), False)),
        graded(attempt("t0", 0, "bash"), False, usd=3.0),
        faulted(attempt("t1", 0, "editor"), "model", "the endpoint is gone"),
        graded(attempt("t1", 0, "bash"), True),
    ]
    return stored(folder, declared(3, "editor", "bash", repeats=2), records)
