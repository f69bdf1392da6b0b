"""What somebody else's file says, as the tasks, conditions and records of a run of its own.

Such records are never taken for ours: scaffold and sandbox of their conditions are `imported`,
with the format and a digest of what was read, and so are the mode and the facts of each record.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.errors import UsageError
from harness.types import (
    Attempt,
    Clocks,
    Condition,
    Culprit,
    Ending,
    Faulted,
    Graded,
    Limits,
    Part,
    Reason,
    Record,
    TaskId,
    Usage,
    Verdict,
)
from results.manifest import Arm, Declared, Manifest
from results.provenance import Provenance

IMPORTED = "imported"
UNDECLARED = "undeclared"
"""The origin of tasks that are known only because a file of results names them."""
UNTOLD = Usage(usd=None)
"""The usage of an attempt of which the source does not say what it consumed."""
UNCLOCKED = Clocks()
UNGRADED = "it has a patch and no verdict; harness grade gives one, or --format NAME,verdicts=FILE"
_UNLIMITED = Limits(turns=None, seconds=None)
_ISSUE = re.compile(r"(?:instance_)?([\w.-]+?)__([\w.-]+?)-(?:[0-9a-f]{40}\b.*|\d+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a source says of one attempt: a verdict's reason, or whose fault it is that none is."""

    task: str
    reason: Reason | None
    repeat: int = 0
    culprit: Culprit = "grader"
    message: str = UNGRADED
    """Of what has no reason: why there is no measurement."""
    ending: Ending = Ending.SUBMITTED
    usage: Usage = UNTOLD
    clocks: Clocks = UNCLOCKED
    patch: bytes | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """One system of a source."""

    model: str
    scaffold: str
    """Empty where the source does not say."""
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """A source as it was read."""

    name: str
    format: str
    digest: str
    """Of the bytes that were read."""
    batches: tuple[Batch, ...]
    ids: tuple[str, ...] = ()
    """Ids that the source names as its set, beside those that have an outcome."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """The tasks that an import is out of, where somebody has said."""

    tasks: Mapping[str, Declared]
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """A source as a run: what goes into `run.json`, the ledger and the blobs."""

    name: str
    manifest: Manifest
    records: tuple[Record, ...]
    patches: tuple[bytes, ...]
    strange: tuple[str, ...]
    """Ids of the source that are not declared: named to the person, and not counted."""


def taken(found: Imported, declaration: Declaration | None, by: Provenance) -> Taken:
    """The run that a source amounts to. Without a declaration it is out of the ids in the source.

    A declared task that the source does not mention has no record: nothing is known of it.
    """
    named = dict.fromkeys([*(o.task for b in found.batches for o in b.outcomes), *found.ids])
    if unfit := [task for task in named if not task or not task.isprintable()]:
        raise UsageError(f"{found.name}: {unfit[0]!a} is no id of a task")
    tasks = declaration.tasks if declaration else {i: Declared(UNDECLARED, repo(i)) for i in named}
    arms: dict[str, Arm] = {}
    records: list[Record] = []
    patches: list[bytes] = []
    for batch in found.batches:
        condition = _condition(found, batch)
        if condition.digest in arms:
            raise UsageError(f"{found.name}: has two systems by the name {batch.model!r}")
        counted = [outcome for outcome in batch.outcomes if outcome.task in tasks]
        repeats = 1 + max((outcome.repeat for outcome in counted), default=0)
        arms[condition.digest] = Arm(condition, _label(found, batch), repeats)
        records += [_record(outcome, condition.digest, found) for outcome in counted]
        patches += [outcome.patch for outcome in counted if outcome.patch is not None]
    asked = {"imported": found.format, "file": found.digest, "source": found.name}
    manifest = Manifest(
        tasks=dict(tasks),
        conditions=arms,
        left_out=dict(declaration.left_out) if declaration else {},
        experiment=asked,
        history=(by,),
    )
    strange = tuple(sorted(set(named) - set(tasks)))
    return Taken(found.name, manifest, tuple(records), tuple(patches), strange)


def repo(task: str) -> dict[str, str]:
    """The repository in an id of the form that SWE-bench and SWE-Bench Pro use, as a facet."""
    parsed = _ISSUE.fullmatch(task)
    return {"repo": f"{parsed[1]}/{parsed[2]}"} if parsed else {}


def renamed(found: Imported, *, model: str = "", scaffold: str = "") -> Imported:
    """The same under names that a person gives it; UsageError for one name for two models."""
    if model and len(found.batches) > 1:
        names = ", ".join(sorted({batch.model for batch in found.batches}))
        raise UsageError(f"{found.name}: has several systems ({names}); --model is for one")
    batches = [
        replace(batch, model=model or batch.model, scaffold=scaffold or batch.scaffold)
        for batch in found.batches
    ]
    return replace(found, batches=tuple(batches))


def judged(found: Imported, verdicts: Imported) -> Imported:
    """A source that has patches and no verdicts, with the verdicts of another file.

    What has no patch keeps its own word: a grader counts it as failed, whatever became of it.
    """
    if len(verdicts.batches) != 1:
        raise UsageError(f"{verdicts.name}: has several systems, so it is not clear whose they are")
    words = {(o.task, o.repeat): o for o in verdicts.batches[0].outcomes}
    batches = []
    for batch in found.batches:
        outcomes = [_judged(o, words.get((o.task, o.repeat))) for o in batch.outcomes]
        batches.append(replace(batch, outcomes=tuple(outcomes)))
    both = hashlib.sha256(f"{found.digest} {verdicts.digest}".encode()).hexdigest()[:12]
    format_ = f"{found.format} + {verdicts.format}"
    return replace(found, format=format_, digest=both, batches=tuple(batches))


def repeated(outcomes: list[Outcome]) -> tuple[Outcome, ...]:
    """Outcomes in their order, those of one task numbered from 0."""
    seen: Counter[str] = Counter()
    numbered = []
    for outcome in outcomes:
        numbered.append(replace(outcome, repeat=seen[outcome.task]))
        seen[outcome.task] += 1
    return tuple(numbered)


def _judged(outcome: Outcome, word: Outcome | None) -> Outcome:
    if word is None or outcome.reason is not None or outcome.patch is None:
        return outcome
    return replace(outcome, reason=word.reason, culprit=word.culprit, message=word.message)


def _condition(found: Imported, batch: Batch) -> Condition:
    knobs = {"format": found.format, "file": found.digest}
    if batch.scaffold:
        knobs["scaffold"] = batch.scaffold
    sandbox, scaffold = Part(IMPORTED), Part(IMPORTED, knobs)
    return Condition(Part(batch.model), scaffold, sandbox, _UNLIMITED)


def _label(found: Imported, batch: Batch) -> str:
    scaffold = f" + {batch.scaffold}" if batch.scaffold else ""
    return f"{batch.model}{scaffold} (imported, {found.format})"


def _record(outcome: Outcome, condition: str, found: Imported) -> Record:
    attempt = Attempt(TaskId(outcome.task), condition, outcome.repeat)
    facts = {IMPORTED: found.format, "file": found.digest, **outcome.facts}
    blobs = {}
    if outcome.patch is not None:
        blobs["patch"] = hashlib.sha256(outcome.patch).hexdigest()
    usage, clocks = outcome.usage, outcome.clocks
    if outcome.reason is None:
        return Faulted(
            attempt,
            outcome.culprit,
            outcome.message,
            usage,
            clocks,
            spent=usage,
            facts=facts,
            blobs=blobs,
        )
    mode = f"{IMPORTED} {found.format}"
    verdict = Verdict(outcome.reason == "resolved", outcome.reason, mode)
    return Graded(
        attempt, verdict, outcome.ending, usage, clocks, spent=usage, facts=facts, blobs=blobs
    )
