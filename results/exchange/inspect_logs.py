"""Inspect's logs, `.eval` or `.json`, through inspect_ai itself. The only module that knows it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from harness.errors import UsageError
from results.exchange.imported import Imported
from results.exchange.inspect_samples import Samples
from results.exchange.reading import Reading

FORMAT = "inspect"
# By name, since it is an extra: type checkers are run where it is not installed.
_log: Any = import_module("inspect_ai.log")


@dataclass(frozen=True, slots=True)
class InspectLog:
    """`scorer` says whose score counts, where a log has the scores of several."""

    scorer: str = ""

    def read(self, path: Path) -> Imported:
        reading = Reading(path)
        reading.data(path)
        try:
            log = _log.read_eval_log(str(path)).model_dump(mode="json")
        except (ValueError, OSError, KeyError, EOFError, BadZipFile) as error:
            why = " ".join(str(error).split())[:200]
            raise UsageError(f"{path}: inspect_ai cannot read it: {why}") from None
        samples = Samples(str(path), self.scorer)
        batch, ids = samples.batch(log), samples.ids(log)
        return Imported(path.stem, FORMAT, reading.digest, (batch,), ids)
