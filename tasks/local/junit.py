"""JUnit XML, the one language in which tests report to the grader.

The report was written beside the code under test, so it is read as hostile: bounded in size by
the caller, refused with a document type (entities are declared there), and where two entries
for one test disagree, the worse one counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from xml.parsers import expat

from harness.types import Status

Naming: TypeAlias = Literal["classname", "suites"]
"""`classname`: `<classname>::<name>`. `suites`: the enclosing suites' names, then the test's."""

SUITES_BY_LANGUAGE = ("javascript", "typescript")
_WORSE: tuple[Status, ...] = ("missing", "passed", "skipped", "error", "failed")
_OUTCOMES: Mapping[str, Status] = {"failure": "failed", "error": "error", "skipped": "skipped"}


class Malformed(ValueError):
    """The file is not a JUnit report; the message says why."""


@dataclass(frozen=True, slots=True)
class Report:
    tests: Mapping[str, Status]
    conflicting: tuple[str, ...] = ()
    """Tests that were reported more than once, and differently."""

    def named(self, name: str) -> Status:
        """The worst status of a test by its own name alone, with any parameters."""
        found = [status for id_, status in self.tests.items() if _bears(id_, name)]
        return max(found, key=_WORSE.index, default="missing")

    def without(self, names: Collection[str]) -> dict[str, Status]:
        return {k: v for k, v in self.tests.items() if not any(_bears(k, name) for name in names)}


def naming(language: str) -> Naming:
    return "suites" if language in SUITES_BY_LANGUAGE else "classname"


def _bears(id_: str, name: str) -> bool:
    """Whether a test's own name, without where it is and what it is called with, is `name`."""
    return any(
        text == name or text.endswith((f"::{name}", f" > {name}"))
        for text in (id_, id_.partition("[")[0])
    )


def read(data: bytes, naming: Naming) -> Report:
    """What a report says became of each test; Malformed where it is none, or is cut short."""
    reader = _Reader(naming)
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise Malformed(f"not well-formed: {error}") from None
    if not reader.is_junit:
        raise Malformed("not a JUnit report: its root is no testsuite")
    return Report(reader.tests, tuple(sorted(reader.conflicting)))


def _refuse_doctype(*_: object) -> None:
    raise Malformed("it declares a document type, as no test runner does")


@dataclass(slots=True)
class _Reader:
    naming: Naming
    tests: dict[str, Status] = field(default_factory=dict)
    conflicting: set[str] = field(default_factory=set)
    is_junit: bool = False
    depth: int = 0
    suites: list[str] = field(default_factory=list)
    case: str | None = None
    case_depth: int = 0
    status: Status = "passed"

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth == 1:
            self.is_junit = tag in ("testsuites", "testsuite")
        if self.case is not None:
            if self.depth == self.case_depth + 1 and tag in _OUTCOMES:
                self.status = max(self.status, _OUTCOMES[tag], key=_WORSE.index)
        elif tag == "testsuite":
            self.suites.append(attributes.get("name", ""))
        elif tag == "testcase":
            self.case, self.case_depth, self.status = self._id(attributes), self.depth, "passed"

    def end(self, tag: str) -> None:
        if self.case is not None and self.depth == self.case_depth:
            self._settle(self.case)
            self.case = None
        elif self.case is None and tag == "testsuite":
            self.suites.pop()
        self.depth -= 1

    def _id(self, attributes: dict[str, str]) -> str:
        name = attributes.get("name", "")
        if self.naming == "classname":
            return f"{attributes.get('classname', '')}::{name}"
        return " > ".join([*self.suites, name])

    def _settle(self, id_: str) -> None:
        before = self.tests.get(id_, self.status)
        if before != self.status:
            self.conflicting.add(id_)
        self.tests[id_] = max(before, self.status, key=_WORSE.index)
