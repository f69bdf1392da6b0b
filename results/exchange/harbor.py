"""Harbor's job folder: one folder for each trial, with its `result.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.types import Clocks, Culprit, Ending, Usage
from results.exchange.imported import UNTOLD, Batch, Imported, Outcome, repeated
from results.exchange.reading import Reading, count, mapping, number, optional, shown, text

FORMAT = "harbor"
_BLAMED: tuple[tuple[str, Culprit], ...] = (
    ("Verifier", "grader"),
    ("Reward", "grader"),
    ("Environment", "sandbox"),
    ("Docker", "sandbox"),
    ("Sandbox", "sandbox"),
    ("Api", "model"),
    ("API", "model"),
    ("RateLimit", "model"),
)


@dataclass(frozen=True, slots=True)
class HarborJob:
    """Each agent, model and agent's configuration is a system; its trials of a task are repeats.

    Harbor counts a trial that raised as reward 0. Here it is a fault, unless its verifier spoke.
    """

    def read(self, path: Path) -> Imported:
        reading = Reading(path)
        rows: dict[tuple[str, str], list[tuple[str, Outcome]]] = {}
        ids: dict[str, None] = {}
        for file in sorted(path.glob("*/result.json")):
            raw = reading.object(file)
            task = text(raw.get("task_name"), f"{file}: task_name")
            ids[task] = None
            if outcome := _outcome(task, raw, file):
                began = optional(raw.get("started_at"), f"{file}: started_at")
                rows.setdefault(_system(raw, file), []).append((began, outcome))
        if not ids:
            raise UsageError(f"{path}: has no <trial>/result.json; name the folder of one job")
        batches = []
        for (model, scaffold), trials in rows.items():
            ordered = [outcome for _, outcome in sorted(trials, key=lambda row: row[0])]
            batches.append(Batch(model, scaffold, repeated(ordered)))
        name = path.resolve().name
        return Imported(name, FORMAT, reading.digest, tuple(batches), tuple(ids))


def _system(raw: Mapping[str, Any], file: Path) -> tuple[str, str]:
    agent = mapping(raw.get("agent_info"), f"{file}: agent_info")
    name = text(agent.get("name"), f"{file}: agent_info.name")
    said = mapping(agent.get("model_info"), f"{file}: agent_info.model_info")
    model = optional(said.get("name"), f"{file}: model_info.name") or "none"
    if provider := optional(said.get("provider"), f"{file}: model_info.provider"):
        model = f"{provider}/{model}"
    version = optional(agent.get("version"), f"{file}: agent_info.version")
    scaffold = f"{name} {version}".strip()
    asked = mapping(raw.get("config"), f"{file}: config").get("agent")
    knobs = mapping(asked, f"{file}: config.agent").get("kwargs")
    if knobs:
        # Harbor itself would put two configurations of one agent together.
        canonical = json.dumps(knobs, sort_keys=True, default=str)
        scaffold += f" @{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"
    return model, scaffold


def _outcome(task: str, raw: Mapping[str, Any], file: Path) -> Outcome | None:
    """What became of a trial; None while it is under way."""
    trouble = mapping(raw.get("exception_info"), f"{file}: exception_info")
    kind = optional(trouble.get("exception_type"), f"{file}: exception_type")
    rewards = mapping(raw.get("verifier_result"), f"{file}: verifier_result").get("rewards")
    known = Outcome(
        task,
        None,
        ending=Ending.TIME if "Timeout" in kind else Ending.SUBMITTED,
        usage=_usage(raw, file),
        clocks=_clocks(raw, file),
        facts={
            "trial": raw.get("trial_name"),
            "rewards": rewards,
            "task": raw.get("task_checksum"),
        },
    )
    if rewards:
        solved = _reward(mapping(rewards, f"{file}: rewards"), file) >= 1
        return replace(known, reason="resolved" if solved else "tests_failed")
    if kind:
        lines = optional(trouble.get("exception_message"), f"{file}: message").splitlines()
        message = f"{kind}: {lines[0]}" if lines else kind
        whose: Culprit = "scaffold"
        whose = next((who for word, who in _BLAMED if word in kind), whose)
        return replace(known, culprit=whose, message=message[:500])
    if raw.get("finished_at") is None:
        return None
    return replace(known, culprit="grader", message="the verifier gave no reward")


def _reward(rewards: Mapping[str, Any], file: Path) -> float:
    """The reward by the name `reward`, else the lowest of them: solved is all of it."""
    values = {k: number(v, f"{file}: rewards.{shown(k)}") or 0.0 for k, v in rewards.items()}
    return values.get("reward", min(values.values()))


def _usage(raw: Mapping[str, Any], file: Path) -> Usage:
    """Harbor's input tokens include those of the cache."""
    where = f"{file}: agent_result"
    said = mapping(raw.get("agent_result"), where)
    if not said:
        return UNTOLD
    cached = count(said.get("n_cache_tokens"), where)
    return Usage(
        fresh=max(0, count(said.get("n_input_tokens"), where) - cached),
        cache_read=cached,
        output=count(said.get("n_output_tokens"), where),
        usd=number(said.get("cost_usd"), where),
    )


def _clocks(raw: Mapping[str, Any], file: Path) -> Clocks:
    def between(key: str) -> float:
        return _seconds(mapping(raw.get(key), f"{file}: {key}"), f"{file}: {key}")

    return Clocks(
        total=_seconds(raw, str(file)),
        prepare=between("environment_setup") + between("agent_setup"),
        grade=between("verifier"),
    )


def _seconds(raw: Mapping[str, Any], where: str) -> float:
    """From start to finish; 0 where either is not told."""
    times = [optional(raw.get(key), f"{where}: {key}") for key in ("started_at", "finished_at")]
    if not all(times):
        return 0.0
    try:
        began, ended = (datetime.fromisoformat(time) for time in times)
        return max(0.0, (ended - began).total_seconds())
    except (ValueError, TypeError):
        raise UsageError(f"{where}: {shown(times)} are no two times") from None
