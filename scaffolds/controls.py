"""The two scaffolds whose result is known: what they score says whether a task can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from harness.api import Session
from harness.types import Brief, Ending, Task

APPLY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Nop:
    """Hands in the repository as it was found. A task that this solves measures nothing."""

    async def solve(self, brief: Brief, session: Session, /) -> Ending:
        return Ending.SUBMITTED


@dataclass(frozen=True, slots=True)
class Oracle:
    """Applies the reference patch. A task that this does not solve each time is broken."""

    async def solve_knowing(self, task: Task, session: Session, /) -> Ending:
        patch = task.oracle.get("patch")
        if patch is None:
            raise RuntimeError(f"task {task.id} has no reference patch")
        if not patch.strip():
            return Ending.SUBMITTED
        # Data sets strip the last newline now and then, and git calls that a corrupt patch.
        whole = patch if patch.endswith("\n") else patch + "\n"
        # The repository need not belong to the user that commands run as.
        argv = ["git", "-c", "safe.directory=*", "apply", "--whitespace=nowarn", "-"]
        result = await session.sandbox.exec(
            argv, kill_after=APPLY_SECONDS, stdin=whole.encode(errors="surrogateescape")
        )
        if not result.ok:
            said = result.text.strip() or f"exit code {result.exit_code}, {result.ended}"
            raise RuntimeError(f"the reference patch of {task.id} does not apply: {said}")
        return Ending.SUBMITTED
