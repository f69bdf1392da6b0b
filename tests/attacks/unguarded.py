"""A grader without guard: what an attack would get where nobody expects one.

It shows that the attacks of the set are real: patch, hidden tests, eval.sh, report, and no more.
"""

from __future__ import annotations

from pathlib import Path

from harness.api import Sandbox, Sandboxes
from harness.types import Task
from tasks import patches, verdicts
from tasks.local import folder, junit, placing

_REPORT = "/tmp/unguarded/report.xml"


async def passes(task: Task, patch: bytes, sandboxes: Sandboxes) -> bool:
    """Whether every expected test passed, by the report that was there in the end."""
    oracle = task.oracle
    async with sandboxes.open(task.brief.environment) as box:
        applied = await patches.apply(box, patch) if patch.strip() else patches.Applied(True)
        if not applied.ok:
            return False
        root = Path(oracle["tests"])
        files = {f.relative_to(root).as_posix(): f.read_bytes() for f in folder.files_of(root)}
        await placing.place(box, files)
        await box.write("/tmp/unguarded/eval.sh", str(oracle["eval_script"]).encode())
        await box.exec(
            ["sh", "/tmp/unguarded/eval.sh"],
            kill_after=oracle["test_seconds"],
            env={"HARNESS_REPORT": _REPORT},
        )
        report = await _report(box, oracle["language"])
    if report is None:
        return False
    return verdicts.judge(report.tests, oracle["fail_to_pass"], oracle["pass_to_pass"]).resolved


async def _report(box: Sandbox, language: str) -> junit.Report | None:
    try:
        data = await box.read(_REPORT, limit=64 << 20)
        return junit.read(data, junit.naming(language))
    except (OSError, ValueError):
        return None
