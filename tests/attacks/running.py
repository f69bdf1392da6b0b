"""Every case graded, in boxes of their own, some at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from harness.api import Sandboxes
from harness.errors import Fault
from harness.types import Submission, Task, Verdict
from tasks.local.grade import LocalGrader
from tests.attacks import building
from tests.attacks.cases import Case
from tests.attacks.unguarded import passes

Standing: TypeAlias = Literal[
    "as it should be", "FALSE PASS", "FALSE FAIL", "CALLED TAMPERED", "NO VERDICT"
]


@dataclass(frozen=True, slots=True)
class Outcome:
    case: Case
    language: str
    verdict: Verdict | None
    trouble: str
    """Why there is no verdict."""
    seconds: float
    unguarded: bool | None = None
    """Whether an attack passes a grader without guard; None where that was not tried."""

    @property
    def standing(self) -> Standing:
        if self.verdict is None:
            return "NO VERDICT"
        if self.case.kind == "right":
            return "as it should be" if self.verdict.resolved else "FALSE FAIL"
        if self.verdict.resolved:
            return "FALSE PASS"
        if self.case.kind == "wrong" and self.verdict.reason == "tampered":
            return "CALLED TAMPERED"
        return "as it should be"

    @property
    def accused(self) -> bool:
        """Whether an honest submission was called dishonest."""
        return (
            self.case.kind != "attack"
            and self.verdict is not None
            and self.verdict.reason in ("tampered", "patch_refused")
        )


@dataclass(frozen=True, slots=True)
class Plan:
    width: int = 2
    """Boxes at a time."""
    unguarded: bool = False
    """Try each attack on a grader without guard, too."""
    told: Callable[[Outcome], None] = lambda outcome: None


async def run(
    cases: Sequence[Case], tasks: Mapping[str, Task], sandboxes: Sandboxes, plan: Plan
) -> list[Outcome]:
    """What became of each case, in their order."""
    named = sorted({case.task for case in cases})
    trees = {name: await building.tree(tasks[name], sandboxes) for name in named}
    seats = asyncio.Semaphore(plan.width)

    async def one(case: Case) -> Outcome:
        async with seats:
            task, base = tasks[case.task], trees[case.task]
            patch = await asyncio.to_thread(building.patch, case, task, base)
            outcome = await _graded(case, task, patch, sandboxes)
            if plan.unguarded and case.kind == "attack":
                outcome = replace(outcome, unguarded=await passes(task, patch, sandboxes))
            plan.told(outcome)
            return outcome

    async with asyncio.TaskGroup() as group:
        running = [group.create_task(one(case), name=case.id) for case in cases]
    return [each.result() for each in running]


async def _graded(case: Case, task: Task, patch: bytes, sandboxes: Sandboxes) -> Outcome:
    started = time.monotonic()
    verdict, trouble = None, ""
    try:
        verdict = (await LocalGrader().grade(task, Submission(patch), sandboxes)).verdict
    except Fault as fault:
        trouble = str(fault)
    language = str(task.oracle["language"])
    return Outcome(case, language, verdict, trouble, time.monotonic() - started)
