"""`eval_results.json` of the official SWE-Bench Pro evaluator: `{id: true or false}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from results.exchange.imported import Batch, Imported, Outcome
from results.exchange.reading import Reading, kind, shown

FORMAT = "pro"
NAME = "eval_results.json"


@dataclass(frozen=True, slots=True)
class EvalResults:
    """The evaluator writes false for machine trouble too, and nothing for a missing patch.

    So an id that is not there is not known to have failed, and has no record here either.
    """

    def read(self, path: Path) -> Imported:
        place = path / NAME if path.is_dir() else path
        reading = Reading(place)
        raw = reading.object(place)
        if not raw:
            raise UsageError(f"{place}: holds no verdict")
        outcomes = tuple(_outcome(place, task, verdict) for task, verdict in raw.items())
        # Every such file has the same name; its folder then says whose it is.
        name = place.resolve().parent.name if place.name == NAME else place.stem
        return Imported(name, FORMAT, reading.digest, (Batch(name, "", outcomes),))


def fits(raw: Any) -> bool:
    return isinstance(raw, Mapping) and bool(raw) and all(isinstance(v, bool) for v in raw.values())


def _outcome(place: Path, task: str, verdict: object) -> Outcome:
    if not isinstance(verdict, bool):
        raise UsageError(f"{place}: under {shown(task)} stands {kind(verdict)}, not true or false")
    return Outcome(task, "resolved" if verdict else "tests_failed")
