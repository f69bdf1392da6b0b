"""ATIF: each attempt's trajectory, from the trace of the try that settled it, as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from harness.api import Event
from harness.errors import UsageError
from harness.types import Graded, Record
from results.blobs import publish
from results.exchange.atif_rules import VERSION, violations
from results.exchange.settled import Settled, Written, folder, settled
from results.store import RunStore

_NO_TRACE = "no trace with a model's reply was left of them"


def export(store: RunStore, into: Path) -> Written:
    """A file for each attempt that talked to a model. Each is checked before it is written."""
    place = folder(into)
    versions = [call.harness for call in store.manifest().history]
    files: list[Path] = []
    without = 0
    for each in settled(store):
        made = _trajectory(store, each, versions[-1] if versions else "unknown")
        if made is None:
            without += 1
            continue
        if wrong := violations(made):
            raise ValueError(f"attempt {each.attempt.id} is no valid ATIF: {wrong[0]}")
        file = place / f"{each.attempt.id}.json"
        publish(file, json.dumps(made, indent=1).encode() + b"\n")
        files.append(file)
    if not files:
        raise UsageError(f"{store.folder}: no attempt has a trace with a model's reply in it")
    return Written(tuple(files), len(files), without, _NO_TRACE)


def _trajectory(store: RunStore, each: Settled, version: str) -> dict[str, Any] | None:
    if each.record is None:
        return None
    told = _Told(_began(each.record))
    told.follow(store.events(each.attempt, each.record.tried))
    if not told.replies:
        return None
    condition = each.arm.condition
    agent: dict[str, Any] = {"name": str(condition.scaffold), "version": version}
    agent["model_name"] = condition.model.name
    return {
        "schema_version": VERSION,
        "session_id": f"{each.attempt.id}.{each.record.tried}",
        "agent": agent,
        "steps": told.steps,
        "final_metrics": _totals(each.record, len(told.steps)),
        "extra": _outcome(each, each.record),
    }


def _began(record: Record) -> datetime | None:
    try:
        return datetime.fromisoformat(record.at) - timedelta(seconds=record.clocks.total)
    except ValueError:
        return None


def _totals(record: Record, steps: int) -> dict[str, Any]:
    usage = record.usage
    found: dict[str, Any] = {
        "total_prompt_tokens": usage.prompt,
        "total_completion_tokens": usage.output,
        "total_cached_tokens": usage.cache_read,
        "total_steps": steps,
    }
    # No price is not zero dollars.
    return found if usage.usd is None else {**found, "total_cost_usd": usage.usd}


def _outcome(each: Settled, record: Record) -> dict[str, Any]:
    found: dict[str, Any] = {
        "task": each.attempt.task,
        "condition": each.attempt.condition,
        "repeat": each.attempt.repeat,
        "try": record.tried,
    }
    if isinstance(record, Graded):
        verdict = record.verdict
        found |= {"resolved": verdict.resolved, "reason": verdict.reason, "mode": verdict.mode}
        return {**found, "ending": record.ending.value}
    return {**found, "faulted": record.culprit, "message": record.message}


@dataclass(slots=True)
class _Told:
    """A trace as steps. The trace has every view of the transcript; a step is said once."""

    began: datetime | None
    steps: list[dict[str, Any]] = field(default_factory=list)
    replies: int = 0
    _messages: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _view: list[str] = field(default_factory=list)
    _said: set[str] = field(default_factory=set)

    def follow(self, events: Iterable[Event]) -> None:
        for event in events:
            match event["kind"]:
                case "message":
                    self._messages[event["id"]] = event["message"]
                case "request":
                    self._asked(event)
                case "reply":
                    self._replied(event)
                case _:
                    pass

    def _asked(self, event: Event) -> None:
        """Say what is new in this view: what was added to the last one, and follows its reply.

        A policy that blanks or drops old messages changes only what stands further up; one that
        begins afresh has no reply in its view, and what it says there for the first time is new.
        """
        before, view = self._view, [*self._view[: event["keep"]], *event["then"]]
        self._view = view
        replies = [i for i, mark in enumerate(view) if self._role(mark) == "assistant"]
        grown = bool(before) and view[: len(before)] == before
        start = max(replies[-1] + 1 if replies and self.steps else 0, len(before) if grown else 0)
        for mark in view[start:]:
            if start or mark not in self._said:
                self._say(self._messages[mark], event)
        self._said.update(view)

    def _role(self, mark: str) -> str:
        return str(self._messages[mark]["role"])

    def _say(self, message: Mapping[str, Any], event: Event) -> None:
        match message["role"]:
            case "tool":
                self._observed(message, event)
            case "system" | "user" as role:
                self._step(event, source=role, message=message["content"])
            case _:
                # An example that the scaffold put there: no model was asked for it.
                self._step(event, source="agent", message=message["content"], llm_call_count=0)

    def _observed(self, message: Mapping[str, Any], event: Event) -> None:
        """A tool's answer belongs to the step that called it, else it is told to the agent."""
        step = next((s for s in reversed(self.steps) if s["source"] == "agent"), None)
        calls = step.get("tool_calls", ()) if step else ()
        if step and any(call["tool_call_id"] == message["call_id"] for call in calls):
            results = step.setdefault("observation", {"results": []})["results"]
            results.append({"source_call_id": message["call_id"], "content": message["content"]})
        else:
            self._step(event, source="user", message=message["content"])

    def _replied(self, event: Event) -> None:
        self.replies += 1
        reply = event["reply"]
        message, usage = reply["message"], reply["usage"]
        metrics: dict[str, Any] = {
            "prompt_tokens": usage["fresh"] + usage["cache_read"] + usage["cache_write"],
            "completion_tokens": usage["output"],
            "cached_tokens": usage["cache_read"],
            "extra": {k: usage[k] for k in ("cache_write", "reasoning")},
        }
        if usage["usd"] is not None:
            metrics["cost_usd"] = usage["usd"]
        step: dict[str, Any] = {"source": "agent", "message": message["content"] or ""}
        if served := reply["served"].get("model"):
            step["model_name"] = served
        if message["reasoning"]:
            step["reasoning_content"] = message["reasoning"]
        if message["calls"]:
            step["tool_calls"] = [_call(call) for call in message["calls"]]
        extra = {"finish": reply["finish"], "seconds": event["seconds"], "live": event["live"]}
        self._step(event, **step, metrics=metrics, llm_call_count=1, extra=extra)

    def _step(self, event: Event, **step: Any) -> None:
        made: dict[str, Any] = {"step_id": len(self.steps) + 1}
        if self.began is not None:
            at = self.began + timedelta(seconds=event["at"])
            made["timestamp"] = at.isoformat(timespec="milliseconds")
        self.steps.append({**made, **step})


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as the object that they should be; what is none is kept as the model wrote it."""
    found = {"tool_call_id": call["id"], "function_name": call["name"]}
    try:
        arguments = json.loads(call["arguments"])
    except (ValueError, RecursionError):
        arguments = None
    if isinstance(arguments, dict):
        return {**found, "arguments": arguments}
    return {**found, "arguments": {}, "extra": {"arguments": call["arguments"]}}
