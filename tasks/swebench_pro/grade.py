"""The grader of SWE-Bench Pro, in its two modes."""

from __future__ import annotations

from dataclasses import dataclass

from harness.api import Sandbox, Sandboxes
from harness.errors import UsageError
from harness.types import Environment, Grade, Submission, Task
from tasks import patches
from tasks.swebench_pro import compat
from tasks.swebench_pro.oracle import Deadlines, Oracle
from tasks.swebench_pro.strict import Strict, environments

MODES = ("strict", "compat")


@dataclass(frozen=True, slots=True)
class ProGrader:
    """`strict` mends what makes the official verdict wrong; `compat` reproduces it.

    Without a mode it is the one with which the tasks were loaded. Seconds are for one phase each.
    """

    mode: str = ""
    tests_seconds: float = 3600.0
    setup_seconds: float = 600.0
    apply_seconds: float = 120.0

    def __post_init__(self) -> None:
        if self.mode and self.mode not in MODES:
            raise UsageError(f"no mode {self.mode!r} of swebench-pro; choose {' or '.join(MODES)}")

    async def collect(self, task: Task, sandbox: Sandbox, /) -> Submission:
        base, ignore = task.oracle["base_commit"], task.oracle["ignore"]
        return Submission(await patches.collect(sandbox, base=base, ignore=ignore))

    async def grade(self, task: Task, submission: Submission, sandboxes: Sandboxes, /) -> Grade:
        oracle, patch = Oracle.of(task), submission.patch
        deadlines = Deadlines(self.apply_seconds, self.setup_seconds, self.tests_seconds)
        if self._compat(task):
            return await compat.grade(oracle, patch, sandboxes, deadlines)
        return await Strict(oracle, patch, deadlines).grade(sandboxes)

    def opens(self, task: Task, /) -> tuple[Environment, ...]:
        oracle = Oracle.of(task)
        return (compat.environment(oracle),) if self._compat(task) else environments(oracle)

    def _compat(self, task: Task) -> bool:
        return (self.mode or task.oracle.get("mode", "strict")) == "compat"
