"""The run report of SWE-bench, `<model>.<run id>.json`: of version 4, and of schema 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.types import Culprit, Reason
from results.exchange.imported import Batch, Imported, Outcome
from results.exchange.reading import Reading, count, mapping, names, shown

FORMAT = "swebench"
_GRADED: Mapping[str, Reason] = {
    "resolved": "resolved",
    "unresolved": "tests_failed",
    "empty_patch": "empty_patch",
}
_FAULTED: Mapping[str, tuple[Culprit, str]] = {
    "error": ("grader", "the report counts it as an error: its patch has no test report"),
    "infra_failure": ("sandbox", "infrastructure failure"),
    "ambiguous_failure": ("grader", "ambiguous failure"),
    "incomplete": ("scaffold", "incomplete: the report has no prediction for it"),
}


@dataclass(frozen=True, slots=True)
class RunReport:
    """What is an error, an infrastructure failure or incomplete there is no measurement here."""

    def read(self, path: Path) -> Imported:
        reading = Reading(path)
        raw = reading.object(path)
        if not fits(raw):
            raise UsageError(f"{path}: is no SWE-bench run report: it lists no resolved_ids")
        version = raw.get("schema_version", 2)
        if version not in (1, 2):
            raise UsageError(f"{path}: schema_version {shown(version)}; schemas 1 and 2 are known")
        model = path.stem.rpartition(".")[0] or path.stem
        batch = Batch(model.replace("__", "/"), "", tuple(_outcomes(raw, path).values()))
        return Imported(path.stem, FORMAT, reading.digest, (batch,), tuple(_named(raw, path)))


def fits(raw: Any) -> bool:
    return isinstance(raw, Mapping) and "resolved_ids" in raw


def _outcomes(raw: Mapping[str, Any], path: Path) -> dict[str, Outcome]:
    reasons = mapping(raw.get("failure_reasons"), f"{path}: failure_reasons")
    found: dict[str, Outcome] = {}
    for word in (*_GRADED, *_FAULTED):
        for task in _ids(raw, word, path):
            culprit, message = _FAULTED.get(word, ("grader", ""))
            if task in reasons and word in _FAULTED:
                message = f"{message}: {shown(reasons[task])}"
            outcome = Outcome(task, _GRADED.get(word), culprit=culprit, message=message)
            # Schema 2 lists a failure of the infrastructure among the errors too.
            if word in _FAULTED and task in found and found[task].reason is None:
                if word in ("infra_failure", "ambiguous_failure"):
                    found[task] = outcome
            elif task in found:
                raise UsageError(f"{path}: {shown(task)} is in {word}_ids and in another list")
            else:
                found[task] = outcome
    return found


def _ids(raw: Mapping[str, Any], word: str, path: Path) -> list[str]:
    """The ids of one list; UsageError where they are not as many as the report says."""
    listed = names(raw.get(f"{word}_ids"), f"{path}: {word}_ids")
    key = f"{word}_instances"
    if f"{word}_ids" in raw and key in raw and count(raw[key], f"{path}: {key}") != len(listed):
        raise UsageError(f"{path}: says {key} {raw[key]}, and lists {len(listed)} (cut short?)")
    return listed


def _named(raw: Mapping[str, Any], path: Path) -> list[str]:
    return names(raw.get("submitted_ids"), f"{path}: submitted_ids")
