"""mini-swe-agent's output folder: `<id>/<id>.traj.json` and `preds.json`. It has no verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.types import Culprit, Ending, Usage
from results.exchange.imported import Batch, Imported, Outcome
from results.exchange.patches import encoded, predicted
from results.exchange.reading import Reading, count, mapping, number, optional, sequence

FORMAT = "mini-swe-agent"
SUFFIX = ".traj.json"
_MODEL_TROUBLE = ("API", "RateLimit", "Authentication", "Connection", "Unavailable", "BadRequest")
_BOX_TROUBLE = ("Docker", "Container", "CalledProcess", "Environment", "Sandbox")


@dataclass(frozen=True, slots=True)
class MiniSweAgent:
    """Costs, endings and patches. An exit status that is an exception's name is a fault."""

    def read(self, path: Path) -> Imported:
        reading = Reading(path)
        patches = predicted(path, reading)
        outcomes: dict[str, Outcome] = {}
        models: set[str] = set()
        versions: set[str] = set()
        for file in sorted(path.rglob(f"*{SUFFIX}")):
            raw = reading.object(file)
            info = mapping(raw.get("info"), f"{file}: info")
            task = optional(raw.get("instance_id"), str(file)) or file.name.removesuffix(SUFFIX)
            outcomes[task] = _outcome(task, raw, info, patches.get(task), file)
            models.add(_model(info))
            versions.add(str(info.get("mini_version") or ""))
        for task, patch in patches.items():
            outcomes.setdefault(task, Outcome(task, None if patch else "empty_patch", patch=patch))
        if not outcomes:
            raise UsageError(f"{path}: has no {SUFFIX} files, and no preds.json")
        name = path.resolve().name
        model = models.pop() if len(models) == 1 else ""
        version = versions.pop() if len(versions) == 1 else ""
        batch = Batch(model or name, f"{FORMAT} {version}".strip(), tuple(outcomes.values()))
        return Imported(name, FORMAT, reading.digest, (batch,))


def fits(raw: Any) -> bool:
    said = raw.get("trajectory_format") if isinstance(raw, Mapping) else None
    return isinstance(said, str) and said.startswith("mini-swe-agent")


def _outcome(
    task: str, raw: Mapping[str, Any], info: Mapping[str, Any], patch: bytes | None, file: Path
) -> Outcome:
    status = optional(info.get("exit_status"), f"{file}: info.exit_status")
    if patch is None:
        patch = encoded(optional(info.get("submission"), f"{file}: info.submission"))
    ending = _ending(status, info, file)
    known = Outcome(
        task,
        None,
        ending=ending or Ending.GAVE_UP,
        usage=_usage(raw, info, file),
        facts={"exit_status": status or None},
    )
    if patch:
        return replace(known, patch=patch)
    if ending is None:
        said = optional(info.get("exception_str"), f"{file}: info.exception_str").splitlines()
        message = f"exit status {status or 'none'}, and no patch"
        message = f"{message}: {said[0][:200]}" if said else message
        return replace(known, culprit=_culprit(status), message=message)
    return replace(known, reason="empty_patch", patch=b"")


def _ending(status: str, info: Mapping[str, Any], file: Path) -> Ending | None:
    """Why the agent stopped; None where an exception ended it."""
    match status:
        case "Submitted":
            return Ending.SUBMITTED
        case "TimeExceeded":
            return Ending.TIME
        case "ContextWindowExceededError":
            return Ending.CONTEXT
        case "RepeatedFormatError" | "FormatError":
            return Ending.GAVE_UP
        case "LimitsExceeded":
            where = f"{file}: info"
            agent = mapping(mapping(info.get("config"), where).get("agent"), where)
            calls = count(mapping(info.get("model_stats"), where).get("api_calls"), where)
            most = count(agent.get("step_limit"), where)
            return Ending.TURNS if 0 < most <= calls else Ending.COST
        case _:
            return None


def _culprit(status: str) -> Culprit:
    if any(word in status for word in _MODEL_TROUBLE):
        return "model"
    return "sandbox" if any(word in status for word in _BOX_TROUBLE) else "scaffold"


def _usage(raw: Mapping[str, Any], info: Mapping[str, Any], file: Path) -> Usage:
    """Calls and dollars as the agent counted them, tokens as each reply of the model says."""
    where = f"{file}: model_stats"
    stats = mapping(info.get("model_stats"), where)
    total = Usage(
        calls=count(stats.get("api_calls"), where),
        usd=number(stats.get("instance_cost"), where) or None,
    )
    for message in sequence(raw.get("messages"), f"{file}: messages"):
        extra = mapping(message, str(file)).get("extra")
        response = mapping(extra, str(file)).get("response")
        if isinstance(response, Mapping):
            total += _tokens(mapping(response.get("usage"), f"{file}: usage"), f"{file}: usage")
    return total


def _tokens(said: Mapping[str, Any], where: str) -> Usage:
    """In either dialect of the API; the prompt's tokens include those of the cache there."""
    prompt = count(said.get("prompt_tokens", said.get("input_tokens")), where)
    details = said.get("prompt_tokens_details", said.get("input_tokens_details"))
    cached = min(prompt, count(mapping(details, where).get("cached_tokens"), where))
    output = count(said.get("completion_tokens", said.get("output_tokens")), where)
    return Usage(fresh=prompt - cached, cache_read=cached, output=output)


def _model(info: Mapping[str, Any]) -> str:
    config = info.get("config")
    for key in ("model", "model_name"):
        config = config.get(key) if isinstance(config, Mapping) else None
    return config if isinstance(config, str) else ""
