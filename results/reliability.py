"""Does grading repeat itself? Every expected test of every task, under both controls, K times.

`oracle` submits the reference patch and `nop` an empty one, so what they should get is known. The
table is `reliability.json` in the run's folder; it is derived from the ledger and the blobs.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from harness.codec import dump, load
from harness.errors import UsageError
from harness.types import Graded, Record, Value
from results.blobs import publish
from results.stats.estimate import Estimate
from results.stats.flips import Errors, flip_rate
from results.stats.regrading import FlipChances, flip_chances

SCHEMA = "harness-reliability/1"
NAME = "reliability.json"

Word: TypeAlias = Literal[
    "stable", "flaky", "never passes with the gold", "not a fail-to-pass", "not measured"
]
LISTS = ("fail_to_pass", "pass_to_pass")


@dataclass(frozen=True, slots=True)
class Subject:
    """A task as a table knows it."""

    task: str
    origin: str
    sha256: str
    """Of all that the task consists of, paths of this machine left out."""
    expected: Mapping[str, Sequence[str]]
    """The tests of each of `LISTS`."""


@dataclass(frozen=True, slots=True)
class Control(Value):
    """The gradings of one control on one task."""

    graded: int = 0
    resolved: int = 0
    faults: int = 0
    """Tries that came to no measurement, whether or not a later one did."""
    evidence: tuple[str, ...] = ()
    """The blob of test statuses of each grading, in the order of its repeats."""

    @property
    def flips(self) -> bool:
        return 0 < self.resolved < self.graded


@dataclass(frozen=True, slots=True)
class Tested(Value):
    """In how many of the gradings of its task an expected test passed."""

    oracle: int
    nop: int
    word: Word


@dataclass(frozen=True, slots=True)
class Entry(Value):
    """One task."""

    origin: str
    sha256: str
    sandbox: str
    images: tuple[str, ...]
    """Digests of the images it was tried in; more than one says that the image changed."""
    times: int
    """K: how many gradings of each control were asked for."""
    oracle: Control
    nop: Control
    trouble: str | None
    """Why this task cannot be trusted."""
    words: Mapping[str, int]
    """How many of its expected tests are what."""
    pattern: str
    """Hash of what every test is and does. Tables agree on a task where it is equal, whatever K."""
    fail_to_pass: Mapping[str, Tested]
    pass_to_pass: Mapping[str, Tested]

    def tests(self) -> Iterator[tuple[str, str, Tested]]:
        """Every expected test, with the list that it is of and its name."""
        for kind, tests in zip(LISTS, (self.fail_to_pass, self.pass_to_pass), strict=True):
            yield from ((kind, name, test) for name, test in tests.items())


@dataclass(frozen=True, slots=True)
class Table:
    tasks: Mapping[str, Entry]

    @property
    def pattern(self) -> str:
        """Hash of the patterns of all tasks: two tables with the same one found the same."""
        return _hash({task: [entry.sha256, entry.pattern] for task, entry in self.tasks.items()})

    @property
    def errors(self) -> Errors:
        """The mistakes of the graders, on patches whose truth is known."""
        good, bad = [e.oracle for e in self.tasks.values()], [e.nop for e in self.tasks.values()]
        return Errors(
            good_failed=sum(c.graded - c.resolved for c in good),
            good=sum(c.graded for c in good),
            bad_passed=sum(c.resolved for c in bad),
            bad=sum(c.graded for c in bad),
        )

    def flip_rate(self, *, level: float = 0.95) -> Estimate:
        """How often the gradings of one control on one task were not all the same."""
        controls = [c for e in self.tasks.values() for c in (e.oracle, e.nop) if c.graded > 1]
        return flip_rate(sum(c.flips for c in controls), len(controls), level=level)

    def flip_chances(self, *, level: float = 0.95) -> FlipChances:
        """That a grading is not the usual one, of each control by `task/control`."""
        return flips_of(self.tasks, level=level)

    def unfit(self) -> dict[str, str]:
        """The quarantine list."""
        return {task: entry.trouble for task, entry in self.tasks.items() if entry.trouble}

    def over(self, earlier: Table) -> Table:
        """This table, with the tasks of an earlier one that it does not have."""
        return Table({**earlier.tasks, **self.tasks})


def flips_of(entries: Mapping[str, Entry], *, level: float = 0.95) -> FlipChances:
    """From the controls of these tasks, by beta-binomial."""
    each = {
        f"{task}/{name}": (control.resolved, control.graded)
        for task, entry in entries.items()
        for name, control in (("oracle", entry.oracle), ("nop", entry.nop))
    }
    return flip_chances(each, level=level)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the gradings of a table are: which condition is which control, and their records."""

    controls: Mapping[str, str]
    """`oracle` or `nop`, by the digest of the condition."""
    sandbox: str
    records: Sequence[Record]
    fetch: Callable[[str], bytes]
    """A blob by its digest."""


def tabulate(subjects: Iterable[Subject], source: Source, times: int) -> Table:
    """The table of these tasks. A test that was skipped, or that never ran, did not pass."""
    found: dict[tuple[str, str], list[Record]] = {}
    for record in source.records:
        if name := source.controls.get(record.attempt.condition):
            found.setdefault((record.attempt.task, name), []).append(record)
    return Table(
        {
            subject.task: _entry(
                subject,
                (found.get((subject.task, "oracle"), []), found.get((subject.task, "nop"), [])),
                source,
                times,
            )
            for subject in subjects
        }
    )


def _entry(
    subject: Subject, both: tuple[list[Record], list[Record]], source: Source, times: int
) -> Entry:
    oracle, nop = (_control(records) for records in both)
    passes = [_passes(control, source.fetch) for control in (oracle, nop)]
    tests = {
        kind: {
            _plain(name): _test(
                kind, (passes[0][name], oracle.graded), (passes[1][name], nop.graded)
            )
            for name in dict.fromkeys(subject.expected[kind])
        }
        for kind in LISTS
    }
    images = {str(r.facts["image_digest"]) for rs in both for r in rs if "image_digest" in r.facts}
    entry = Entry(
        origin=subject.origin,
        sha256=subject.sha256,
        sandbox=source.sandbox,
        images=tuple(sorted(images)),
        times=times,
        oracle=oracle,
        nop=nop,
        trouble=_trouble(oracle, nop, times) or None,
        words={},
        pattern="",
        **tests,
    )
    words = Counter(test.word for _, _, test in entry.tests())
    return replace(entry, words=dict(sorted(words.items())), pattern=_pattern(entry))


def _control(records: Sequence[Record]) -> Control:
    grades = sorted(
        (r for r in records if isinstance(r, Graded)), key=lambda grade: grade.attempt.repeat
    )
    return Control(
        graded=len(grades),
        resolved=sum(grade.verdict.resolved for grade in grades),
        faults=len(records) - len(grades),
        evidence=tuple(grade.blobs["tests"] for grade in grades if "tests" in grade.blobs),
    )


def _passes(control: Control, fetch: Callable[[str], bytes]) -> Counter[str]:
    """In how many gradings each test passed."""
    passes: Counter[str] = Counter()
    for digest, gradings in Counter(control.evidence).items():
        for name, status in json.loads(fetch(digest)).items():
            passes[name] += gradings * (status == "passed")
    return passes


def _test(kind: str, oracle: tuple[int, int], nop: tuple[int, int]) -> Tested:
    return Tested(oracle[0], nop[0], _word(kind, oracle, nop))


def _word(kind: str, oracle: tuple[int, int], nop: tuple[int, int]) -> Word:
    """What a test is, from its passes and gradings under each control.

    A pass-to-pass test may fail without the gold: so it is where hidden tests do not compile.
    """
    if not oracle[1] or not nop[1]:
        return "not measured"
    if any(0 < passes < gradings for passes, gradings in (oracle, nop)):
        return "flaky"
    if not oracle[0]:
        return "never passes with the gold"
    return "not a fail-to-pass" if kind == "fail_to_pass" and nop[0] else "stable"


def _trouble(oracle: Control, nop: Control, times: int) -> str:
    """Why a task cannot be trusted, or nothing."""
    if nop.resolved:
        return f"solved by doing nothing, {nop.resolved} of {nop.graded}"
    if oracle.resolved < oracle.graded:
        return f"not solved by its reference patch, {oracle.resolved} of {oracle.graded}"
    if oracle.graded < times or nop.graded < times:
        return f"not measured {times} times: {oracle.faults + nop.faults} faults"
    return ""


def _plain(name: str) -> str:
    """A name as JSON can carry it: bytes that were not UTF-8 are spelt out."""
    return name.encode(errors="backslashreplace").decode()


def _pattern(entry: Entry) -> str:
    """Of what does not depend on luck or on K: so not of a flaky test's counts."""
    tests = sorted(entry.tests(), key=lambda test: test[:2])
    return _hash(
        [[kind, name, t.word, t.word == "stable" and t.nop > 0] for kind, name, t in tests]
    )


def _hash(plain: Any) -> str:
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def as_json(table: Table) -> dict[str, Any]:
    """Keys are added under one schema, never renamed or given another meaning."""
    return {
        "schema": SCHEMA,
        "pattern": table.pattern,
        "flip_rate": dump(table.flip_rate()),
        "flip_chances": dump(table.flip_chances()),
        "errors": dump(table.errors),
        "tasks": {task: dump(entry) for task, entry in table.tasks.items()},
    }


def write(folder: Path, table: Table) -> None:
    """Publish the table as a whole or not at all."""
    publish(folder / NAME, json.dumps(as_json(table), indent=1).encode() + b"\n")


def read(folder: Path) -> Table:
    """The table of a run's folder, empty where it has none; UsageError where it is no table."""
    path = folder / NAME
    try:
        raw = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Table({})
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}; remove it and check again") from None
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise UsageError(f"{path} is no table of {SCHEMA}; remove it and check again")
    return Table(load(dict[str, Entry], raw.get("tasks"), where=str(path)))
