"""The rules of ATIF, the agents' trajectory format: what is wrong with a trajectory, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

VERSION = "ATIF-v1.8"
_VERSIONS = re.compile(r"ATIF-v1\.[0-8]")
_SOURCES = ("system", "user", "agent")
_AGENTS_ONLY = (
    "model_name",
    "reasoning_effort",
    "reasoning_content",
    "tool_calls",
    "metrics",
)
_KEYS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "trajectory": (
        ("schema_version", "agent", "steps"),
        (
            "session_id",
            "trajectory_id",
            "notes",
            "final_metrics",
            "continued_trajectory_ref",
            "extra",
            "subagent_trajectories",
        ),
    ),
    "agent": (("name", "version"), ("model_name", "tool_definitions", "extra")),
    "step": (
        ("step_id", "source", "message"),
        (
            *("timestamp", *_AGENTS_ONLY),
            *("observation", "is_copied_context", "llm_call_count", "extra"),
        ),
    ),
    "tool call": (("tool_call_id", "function_name", "arguments"), ("extra",)),
    "observation": (("results",), ()),
    "result": ((), ("source_call_id", "content", "subagent_trajectory_ref", "extra")),
    "metrics": (
        (),
        (
            *("prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd"),
            *("prompt_token_ids", "completion_token_ids", "logprobs", "extra"),
        ),
    ),
    "final metrics": (
        (),
        (
            *("total_prompt_tokens", "total_completion_tokens", "total_cached_tokens"),
            *("total_cost_usd", "total_steps", "extra"),
        ),
    ),
}
"""Of each object the keys that must, and those that may be there. Any other is an error."""


def violations(raw: Mapping[str, Any]) -> list[str]:
    """Every rule that a trajectory breaks, each with its place; none for a valid one."""
    return list(_trajectory(raw))


def _trajectory(raw: Mapping[str, Any]) -> Iterator[str]:
    yield from _keys("trajectory", raw, "trajectory")
    if not _VERSIONS.fullmatch(str(raw.get("schema_version"))):
        yield f"schema_version {raw.get('schema_version')!r} is not ATIF-v1.0 to v1.8"
    yield from _keys("agent", raw.get("agent"), "agent")
    yield from _keys("final metrics", raw.get("final_metrics") or {}, "final_metrics")
    steps = raw.get("steps")
    if not isinstance(steps, Sequence) or not steps:
        yield "steps: at least one is needed"
        return
    for number, step in enumerate(steps, start=1):
        yield from _step(step, number)


def _step(step: Any, number: int) -> Iterator[str]:
    where = f"step {number}"
    yield from _keys("step", step, where)
    if not isinstance(step, Mapping):
        return
    if step.get("step_id") != number:
        yield f"{where}: step_id is {step.get('step_id')!r}, and they count from 1"
    if step.get("source") not in _SOURCES:
        yield f"{where}: source {step.get('source')!r} is not one of {', '.join(_SOURCES)}"
    if not isinstance(step.get("message"), str | list):
        yield f"{where}: message is neither text nor a list of parts"
    if "timestamp" in step and not _is_time(step["timestamp"]):
        yield f"{where}: timestamp {step['timestamp']!r} is not ISO 8601"
    yield from _roles(step, where)
    yield from _calls(step, where)
    yield from _keys("metrics", step.get("metrics") or {}, f"{where}: metrics")


def _roles(step: Mapping[str, Any], where: str) -> Iterator[str]:
    """What only an agent has, and only one that asked a model."""
    if step.get("source") != "agent":
        for key in _AGENTS_ONLY:
            if step.get(key) is not None:
                yield f"{where}: {key} is for steps of the agent"
    if step.get("llm_call_count") == 0:
        for key in ("metrics", "reasoning_content", "reasoning_effort"):
            if step.get(key) is not None:
                yield f"{where}: {key} without a call to a model"


def _calls(step: Mapping[str, Any], where: str) -> Iterator[str]:
    """Every result that names a call names one of the same step."""
    ids = set()
    for call in step.get("tool_calls") or ():
        yield from _keys("tool call", call, f"{where}: tool call")
        if isinstance(call, Mapping):
            ids.add(call.get("tool_call_id"))
            if not isinstance(call.get("arguments"), Mapping):
                yield f"{where}: arguments of a tool call are no object"
    observation = step.get("observation")
    if observation is None:
        return
    yield from _keys("observation", observation, f"{where}: observation")
    for result in observation.get("results") or ():
        yield from _keys("result", result, f"{where}: result")
        named = result.get("source_call_id")
        if named is not None and named not in ids:
            yield f"{where}: source_call_id {named!r} names no tool call of this step"


def _keys(kind: str, raw: Any, where: str) -> Iterator[str]:
    if not isinstance(raw, Mapping):
        yield f"{where}: is no object"
        return
    needed, optional = _KEYS[kind]
    for key in needed:
        if key not in raw:
            yield f"{where}: {key} is missing"
    for key in raw:
        if key not in needed and key not in optional:
            yield f"{where}: {key!r} is no key of it"


def _is_time(said: Any) -> bool:
    try:
        datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return False
    return True
