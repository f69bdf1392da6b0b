"""SWE-agent's output folder: `<id>/<id>.traj` and `.pred`, or `preds.json`. It has no verdicts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.types import Clocks, Culprit, Ending, Usage
from results.exchange.imported import UNTOLD, Batch, Imported, Outcome
from results.exchange.patches import encoded, predicted
from results.exchange.reading import Reading, count, mapping, number, optional, parse, sequence

FORMAT = "swe-agent"
_ENDINGS = {
    "submitted": Ending.SUBMITTED,
    "exit_cost": Ending.COST,
    "exit_context": Ending.CONTEXT,
    "exit_format": Ending.GAVE_UP,
    "exit_forfeit": Ending.GAVE_UP,
    "exit_command": Ending.SUBMITTED,
    "exit_total_execution_time": Ending.TIME,
    "exit_command_timeout": Ending.TIME,
}
_FAULTS: Mapping[str, Culprit] = {
    "exit_api": "model",
    "exit_environment_error": "sandbox",
    "exit_error": "scaffold",
    "early_exit": "scaffold",
}


@dataclass(frozen=True, slots=True)
class SweAgent:
    """Costs, endings and patches. A task whose try is to be made again has no measurement."""

    def read(self, path: Path) -> Imported:
        reading = Reading(path)
        patches = predicted(path, reading)
        outcomes: dict[str, Outcome] = {}
        models: set[str] = set()
        for file in sorted(path.rglob("*.traj")):
            raw = reading.object(file)
            outcomes[file.stem] = _outcome(file, raw, patches.get(file.stem))
            models.add(_model(raw))
        for task, patch in patches.items():
            outcomes.setdefault(task, Outcome(task, None if patch else "empty_patch", patch=patch))
        if not outcomes:
            raise UsageError(f"{path}: has neither .traj nor .pred files, and no preds.json")
        name = path.resolve().name
        model = models.pop() if len(models) == 1 else ""
        batch = Batch(model or name, "swe-agent", tuple(outcomes.values()))
        return Imported(name, FORMAT, reading.digest, (batch,))


def _outcome(file: Path, raw: Mapping[str, Any], patch: bytes | None) -> Outcome:
    info = mapping(raw.get("info"), f"{file}: info")
    status = optional(info.get("exit_status"), f"{file}: info.exit_status")
    if patch is None:
        patch = encoded(optional(info.get("submission"), f"{file}: info.submission"))
    submitted = re.fullmatch(r"submitted(?: \((\w+)\))?", status)
    word = (submitted[1] if submitted else status) or status
    known = Outcome(
        file.stem,
        None,
        ending=_ENDINGS.get(word, Ending.GAVE_UP),
        usage=_usage(info, file),
        clocks=Clocks(tool=_seconds(raw, file)),
        facts={"exit_status": status or None},
    )
    if patch:
        return replace(known, patch=patch)
    if word in _FAULTS or not status:
        message = f"exit status {status or 'none'}, and no patch"
        return replace(known, culprit=_FAULTS.get(word, "scaffold"), message=message)
    return replace(known, reason="empty_patch", patch=b"")


def _usage(info: Mapping[str, Any], file: Path) -> Usage:
    """What the agent says of itself. No price and free look alike there: both are no price."""
    where = f"{file}: info.model_stats"
    stats = mapping(info.get("model_stats"), where)
    if not stats:
        return UNTOLD
    return Usage(
        calls=count(stats.get("api_calls"), where),
        fresh=count(stats.get("tokens_sent"), where),
        output=count(stats.get("tokens_received"), where),
        usd=number(stats.get("instance_cost"), where) or None,
    )


def _seconds(raw: Mapping[str, Any], file: Path) -> float:
    steps = sequence(raw.get("trajectory"), f"{file}: trajectory")
    where = f"{file}: execution_time"
    return sum(number(mapping(s, where).get("execution_time"), where) or 0.0 for s in steps)


def _model(raw: Mapping[str, Any]) -> str:
    """The model that the replay of this trajectory would ask, where the file says it."""
    said = raw.get("replay_config")
    config = parse(said, "replay_config") if isinstance(said, str) and said else said
    for key in ("agent", "model", "name"):
        config = config.get(key) if isinstance(config, Mapping) else None
    return config if isinstance(config, str) else ""
