"""What the official parser made of the logs, and whether the logs themselves agree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.types import Status

_STATUSES: dict[str, Status] = {
    "PASSED": "passed",
    "FAILED": "failed",
    "SKIPPED": "skipped",
    "ERROR": "error",
}
_WORST: tuple[Status, ...] = ("failed", "error", "skipped", "passed")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FAILURES = (
    re.compile(r"(?:FAILED|ERROR)\s+(\S+::.*?)(?: - .*)?"),  # pytest's summary
    re.compile(r"(\S+::.*?)\s+(?:FAILED|ERROR)(?:\s+\[\s*\d+%\])?"),  # pytest -v
    re.compile(r"--- FAIL: (\S+) \(.*\)"),  # go test -v
)


@dataclass(frozen=True, slots=True)
class Results:
    """Each test once, with the statuses that it was reported under."""

    reported: Mapping[str, frozenset[Status]]

    @classmethod
    def read(cls, data: bytes) -> Results:
        """ValueError where this is not the output of a parser."""
        try:
            tests = json.loads(data)["tests"]
            pairs: list[tuple[str, Status]] = [
                (str(test["name"]), _STATUSES.get(test["status"], "failed")) for test in tests
            ]
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"not a list of tests: {error!r}") from error
        reported: dict[str, set[Status]] = {}
        for name, status in pairs:
            reported.setdefault(name, set()).add(status)
        return cls({name: frozenset(found) for name, found in reported.items()})

    def official(self) -> dict[str, Status]:
        """One status each as the official rule has it: passed if anything says so."""
        return {
            name: "passed" if "passed" in found else _worst(found)
            for name, found in self.reported.items()
        }

    def strict(self, log: str) -> tuple[dict[str, Status], list[str]]:
        """One status each, any failure winning, and the names where that made a difference.

        A failure counts if the parser saw it, or if the log has a line that says so of exactly
        this name. Parsers cut some names at a space, so that several tests share what is left
        (`test_x[a` for `test_x[a b]` and `test_x[a c]`): these are judged as officially.
        """
        failures = set(_failures(log))
        statuses, conflicts = self.official(), []
        for name, found in self.reported.items():
            said: set[Status] = set(found)
            if name in failures:
                said.add("failed")
            if len(said) > 1 and name.count("[") <= name.count("]"):
                statuses[name] = _worst(said)
                if "passed" in said:
                    conflicts.append(name)
        return statuses, conflicts


def _worst(found: Iterable[Status]) -> Status:
    return min(found, key=_WORST.index)


def _failures(log: str) -> Iterable[str]:
    for line in re.split(r"[\r\n]", _ESCAPES.sub("", log)):
        for pattern in _FAILURES:
            if match := pattern.fullmatch(line.strip()):
                yield match[1]
