"""An identical submission is graded once: same patch, image, task and grader, same verdict.

Repeats of a task often end in the same patch, most of all in none, and to test a patch takes
minutes of a machine. A verdict that was reused says so in the facts of its record.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from harness import codec
from harness.api import Grader, Sandbox, Sandboxes
from harness.errors import UsageError
from harness.types import Grade, Submission, Task, TaskId, Value, Verdict


class Book(Protocol):
    """Where verdicts are kept by what they depend on, and their evidence by what it holds."""

    def recall(self, key: str, /) -> bytes | None: ...

    def remember(self, key: str, data: bytes, /) -> None: ...

    def keep(self, data: bytes, /) -> str: ...

    def fetch(self, digest: str, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Known(Value):
    """A grade as the book has it: its logs and test statuses are blobs."""

    verdict: Verdict
    tests: str
    logs: dict[str, str]


@dataclass(slots=True)
class GradedOnce:
    """A grader that looks first whether it has graded just this before. Implements Grader."""

    inner: Grader
    book: Book
    surroundings: str
    """What else a verdict may depend on: the kind of box."""
    fingerprint: Callable[[Task], str]
    """Of all that a task says, its tests and scripts included."""
    _marks: dict[TaskId, str] = field(default_factory=dict)
    _turns: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def collect(self, task: Task, sandbox: Sandbox, /) -> Submission:
        return await self.inner.collect(task, sandbox)

    async def grade(self, task: Task, submission: Submission, sandboxes: Sandboxes, /) -> Grade:
        image = (await sandboxes.prepare(task.brief.environment.untouched)).digest
        key = await asyncio.to_thread(self._key, task, submission.patch, image)
        async with self._turns[key]:  # who comes second waits for the first one's verdict
            grade = self._known(key)
            reused = grade is not None
            if grade is None:
                grade = await self.inner.grade(task, submission, sandboxes)
                self._remember(key, grade)
        return replace(grade, facts={**grade.facts, "grade_key": key, "grade_reused": reused})

    def _key(self, task: Task, patch: bytes, image: str) -> str:
        if task.id not in self._marks:
            self._marks[task.id] = self.fingerprint(task)
        parts = [hashlib.sha256(patch).hexdigest(), image, self._marks[task.id]]
        parts += [self.surroundings, _spelt(self.inner), revision(type(self.inner))]
        return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()

    def _known(self, key: str) -> Grade | None:
        """What the book says; None where it cannot be read: it is no record, only a short cut."""
        data = self.book.recall(key)
        if data is None:
            return None
        try:
            known = codec.load(_Known, json.loads(data), where=key)
            tests = json.loads(self.book.fetch(known.tests))
            logs = {name: self.book.fetch(digest) for name, digest in known.logs.items()}
        except (ValueError, UsageError):
            return None
        return Grade(known.verdict, tests, logs)

    def _remember(self, key: str, grade: Grade) -> None:
        tests = self.book.keep(json.dumps(dict(grade.tests)).encode())
        logs = {name: self.book.keep(log) for name, log in grade.logs.items()}
        known: dict[str, Any] = codec.dump(_Known(grade.verdict, tests, logs))
        self.book.remember(key, json.dumps(known).encode())


def _spelt(grader: Grader) -> str:
    """A grader with its knobs, the same in every process."""
    kind = type(grader)
    return repr(grader) if is_dataclass(kind) else f"{kind.__module__}.{kind.__qualname__}"


def revision(grader: type) -> str:
    """The sha256 of the code that a grader's verdict is made by: its folder's and its parent's."""
    digest, path = hashlib.sha256(), Path(inspect.getfile(grader))
    inside = "." in grader.__module__
    folders = [path.parent, path.parent.parent] if inside else [path.parent]
    for folder in folders:
        for file in sorted(folder.glob("*.py")):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
