"""The graders of attempts: nothing is graded twice, unless the verdict is what is measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.api import Grader
from harness.experiment import CONTROLS, PREDICTIONS
from harness.once import Book, GradedOnce
from harness.types import Attempt, Submission, Task, TaskId
from harness.verbs.assemble import Assembly
from harness.verbs.controls import fingerprint


class Graders:
    """One for each attempt, with what was found out before in `book`."""

    def __init__(self, assembly: Assembly, book: Book) -> None:
        self._assembly = assembly
        self._book = book
        self._once: dict[str, GradedOnce] = {}

    def of(self, attempt: Attempt, task: Task) -> Grader:
        grader = self._assembly.grader(task.grader)
        if self._anew(attempt):
            return grader
        if task.grader not in self._once:
            about = str(self._assembly.experiment.sandbox)
            self._once[task.grader] = GradedOnce(grader, self._book, about, fingerprint)
        return self._once[task.grader]

    def _anew(self, attempt: Attempt) -> bool:
        """Controls, and patches that are graded again to see whether they get the same."""
        name = self._assembly.conditions[attempt.condition].scaffold.name
        return name in CONTROLS or (name == PREDICTIONS and self._assembly.experiment.repeats > 1)


def twins(
    due: Iterable[Attempt], given: Mapping[tuple[TaskId, str], Submission]
) -> frozenset[Attempt]:
    """Attempts whose task and patch are those of one before them, whose verdict will do for them.

    None where patches are graded again to see whether they get the same.
    """
    seen, found = set[tuple[TaskId, bytes]](), set[Attempt]()
    for attempt in due:
        submission = given.get((attempt.task, attempt.condition))
        if attempt.repeat or submission is None:
            continue
        key = attempt.task, submission.patch
        if key in seen:
            found.add(attempt)
        seen.add(key)
    return frozenset(found)
