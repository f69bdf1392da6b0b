"""Tasks as many and as long as those of the public set, made up; it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.types import Brief, Environment, Task, TaskId

TASKS = 731


@dataclass
class Many:
    """A source of as many tasks as the public set has, with statements of a usual length."""

    n: int = TASKS

    def load(self) -> Iterable[Task]:
        environment = Environment("image", "/app", base="b" * 40)
        oracle = {"fail_to_pass": ["test"] * 3, "pass_to_pass": ["test"] * 30}
        for at in range(self.n):
            id_ = TaskId(f"instance_org__repo-{at:04d}-{'a' * 40}")
            brief = Brief(id_, "x" * 3000, environment)
            yield Task(brief, oracle, "local", "bench@1", {"repo": f"org/repo{at % 11}"})

    def left_out(self) -> Mapping[str, str]:
        return {}
