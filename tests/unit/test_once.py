from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import Fault
from harness.once import GradedOnce, revision
from harness.sandboxes.host import Host
from harness.types import Attempt, Brief, Environment, Grade, Submission, Task, TaskId, Verdict
from harness.verbs.afar.lent import NodeBook
from harness.verbs.graders import twins
from results.store import RunStore

pytestmark = pytest.mark.anyio
TASK = Task(
    Brief(TaskId("t"), "fix it", Environment("", "/work")), {"fail_to_pass": ["a"]}, "g", "o"
)
FIXED, EMPTY = Submission(b"diff --git a/x b/x\n"), Submission(b"")


@dataclass
class Counting:
    """Grades by the length of a patch, and counts how often it was asked."""

    mode: str = "strict"
    asked: list[bytes] = field(default_factory=list, repr=False)
    trouble: list[Fault] = field(default_factory=list, repr=False)

    async def collect(self, task: Task, sandbox: Any, /) -> Submission:
        return FIXED

    async def grade(self, task: Task, submission: Submission, sandboxes: Any, /) -> Grade:
        self.asked.append(submission.patch)
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble.pop()
        solved = bool(submission.patch)
        verdict = Verdict(solved, "resolved" if solved else "empty_patch", self.mode)
        return Grade(verdict, {"a": "passed"}, {"stdout": b"1 passed \xff"})


def once(folder: Path, grader: Counting, *, about: str = "host") -> GradedOnce:
    return GradedOnce(grader, RunStore(folder), about, repr)


async def test_a_node_of_a_cluster_grades_the_same_once_while_it_remembers() -> None:
    grader, book = Counting(), NodeBook(most=1000)
    cached = GradedOnce(grader, book, "host", repr)
    first, again = [await cached.grade(TASK, FIXED, Host()) for _ in range(2)]
    assert grader.asked == [FIXED.patch]
    assert (again.verdict, again.tests, again.logs) == (first.verdict, first.tests, first.logs)
    book.keep(bytes(1000))  # which leaves room for nothing else
    await cached.grade(TASK, FIXED, Host())
    assert grader.asked == [FIXED.patch] * 2


async def test_the_same_patch_is_graded_once_and_its_record_says_so(tmp_path: Path) -> None:
    grader = Counting()
    first = await once(tmp_path, grader).grade(TASK, FIXED, Host())
    again = await once(tmp_path, grader).grade(TASK, FIXED, Host())  # as after a restart
    assert grader.asked == [FIXED.patch]
    assert (again.verdict, again.tests, again.logs) == (first.verdict, first.tests, first.logs)
    assert first.facts["grade_key"] == again.facts["grade_key"]
    assert (first.facts["grade_reused"], again.facts["grade_reused"]) == (False, True)


async def test_whoever_comes_while_the_same_is_being_graded_waits(tmp_path: Path) -> None:
    grader = Counting()
    cached = once(tmp_path, grader)
    grades = await asyncio.gather(*(cached.grade(TASK, EMPTY, Host()) for _ in range(5)))
    assert grader.asked == [b""]
    assert sorted(g.facts["grade_reused"] for g in grades) == [False, True, True, True, True]


async def test_whatever_a_verdict_depends_on_is_graded_anew(tmp_path: Path) -> None:
    grader = Counting()
    await once(tmp_path, grader).grade(TASK, FIXED, Host())
    await once(tmp_path, grader).grade(TASK, EMPTY, Host())
    harder = replace(TASK, oracle={"fail_to_pass": ["a", "b"]})
    await once(tmp_path, grader).grade(harder, FIXED, Host())
    await once(tmp_path, grader, about="docker").grade(TASK, FIXED, Host())
    lenient = Counting("compat")
    await once(tmp_path, lenient).grade(TASK, FIXED, Host())
    assert (len(grader.asked), len(lenient.asked)) == (4, 1)


async def test_machine_trouble_is_never_remembered(tmp_path: Path) -> None:
    grader = Counting(trouble=[Fault("sandbox", "no space left")])
    cached = once(tmp_path, grader)
    with pytest.raises(Fault, match="no space left"):
        await cached.grade(TASK, FIXED, Host())
    assert (await cached.grade(TASK, FIXED, Host())).verdict.resolved
    assert len(grader.asked) == 2


async def test_a_book_that_cannot_be_read_is_no_record_and_costs_a_grading(tmp_path: Path) -> None:
    grader = Counting()
    key = (await once(tmp_path, grader).grade(TASK, FIXED, Host())).facts["grade_key"]
    (tmp_path / "verdicts" / key).write_bytes(b'{"verdict": {"resol')
    assert (await once(tmp_path, grader).grade(TASK, FIXED, Host())).verdict.resolved
    assert len(grader.asked) == 2


def test_a_grader_whose_code_changes_has_another_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "someones_grader"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "main.py").write_text("from someones_grader.rest import Mine\n")
    (package / "rest.py").write_text("class Mine: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    from someones_grader.rest import Mine  # type: ignore[import-not-found]

    before = revision(Mine)
    (package / "main.py").write_text("changed = True\n")
    assert revision(Mine) != before


def test_of_equal_patches_of_a_task_all_but_the_first_are_twins() -> None:
    a, b = TaskId("a"), TaskId("b")
    due = [Attempt(task, system, 0) for task in (a, b) for system in ("x", "y", "z")]
    patches = {(a, "x"): b"1", (a, "y"): b"1", (a, "z"): b"2", (b, "x"): b"1", (b, "z"): b"1"}
    given = {key: Submission(patch) for key, patch in patches.items()}
    assert twins(due, given) == {Attempt(a, "y", 0), Attempt(b, "z", 0)}


def test_a_patch_that_is_graded_several_times_on_purpose_is_no_twin() -> None:
    due = [Attempt(TaskId("a"), "x", repeat) for repeat in range(3)]
    assert not twins(due, {(TaskId("a"), "x"): FIXED})
