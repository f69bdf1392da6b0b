"""What is printed: task lists and reliability tables; as text or as JSON."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from harness.errors import UsageError, unknown
from harness.experiment import NO_MODEL, Experiment
from harness.progress import steps
from harness.registry import Later
from harness.types import Part, Task, TaskId
from harness.verbs import controls
from harness.verbs.loading import Loaded, load
from harness.verbs.running import Job
from results.report.reliability_text import as_text as reliability_text
from results.store import RunStore
from tasks.swebench_pro.load import default_folder

repositories = Later("tasks.repo")


def reliability(job: Job, times: int, *, as_json: bool) -> None:
    """Print the controls' table, and leave it and the quarantine list beside the ledger."""
    found = controls.table(job.experiment, job.loaded.tasks.values(), RunStore(job.folder))
    controls.publish(found, job.folder)
    if as_json:
        print(json.dumps(controls.as_json(found, times), indent=1))
    else:
        print(reliability_text(found))


def _loaded(part: Part, select: tuple[str, ...], limit: int | None, shard: str | None) -> Loaded:
    asks_nobody = ((NO_MODEL,), (Part("nop"),))
    return load(Experiment(part, *asks_nobody, select=select, limit=limit, shard=shard))


def tasks(
    part: Part, select: tuple[str, ...], limit: int | None, shard: str | None, *, as_json: bool
) -> None:
    loaded = _loaded(part, select, limit, shard)
    if as_json:
        listed = [{"id": t.id, "origin": t.origin, **t.facets} for t in loaded.tasks.values()]
        print(json.dumps({"tasks": listed, "left_out": dict(loaded.left_out)}, indent=1))
        return
    for task in loaded.tasks.values():
        print(f"{task.id}  {task.facets.get('repo', '')}  {task.facets.get('language', '')}")
    print(f"{len(loaded.tasks)} tasks, {len(loaded.left_out)} left out")


def task(part: Part, id_: str, *, as_json: bool) -> None:
    found = _loaded(part, (), None, None).tasks
    if id_ not in found:
        raise unknown("task", id_, found) if len(found) <= 20 else UsageError(f"no task {id_!r}")
    shown = _described(found[TaskId(id_)])
    if as_json:
        print(json.dumps(shown, indent=1))
        return
    statement = shown.pop("statement")
    for name, value in shown.items():
        print(f"{name:14} {value}")
    print("\n" + textwrap.indent(statement, "  "))


def _described(task: Task) -> dict[str, Any]:
    environment = task.brief.environment
    counts = {
        name: len(value)
        for name, value in task.oracle.items()
        if name in ("fail_to_pass", "pass_to_pass")
    }
    return {
        "id": task.id,
        "origin": task.origin,
        **task.facets,
        "environment": environment.name,
        "network": environment.network,
        **counts,
        "grader": task.grader,
        "statement": task.brief.statement,
    }


def pull(source: str) -> None:
    if source != "swebench-pro":
        raise unknown("source to pull", source, ["swebench-pro"])
    target = default_folder()
    with steps(100, "official evaluator") as shown:
        revision = repositories.pull_official(target, say=shown.reach)
    print(f"run scripts and parsers of {revision[:12]} are in {target}")
