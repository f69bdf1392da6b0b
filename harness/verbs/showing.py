"""What is printed: reports, task lists, reliability tables; as text or as JSON."""

from __future__ import annotations

import json
import shlex
import textwrap
from pathlib import Path
from typing import Any

from harness.errors import UsageError, unknown
from harness.experiment import Experiment
from harness.progress import steps
from harness.registry import Later
from harness.types import Part, Task, TaskId
from harness.verbs import controls
from harness.verbs.assemble import NO_MODEL, Loaded, load
from harness.verbs.running import Job
from results import quarantine
from results.blobs import publish
from results.grader import of_a_check
from results.report.build import build
from results.report.plain import as_json as report_json
from results.report.reliability_text import as_text as reliability_text
from results.report.text import as_text
from results.store import RunStore
from tasks.swebench_pro.load import default_folder

whole = Later("results.report.page.whole")
marking = Later("results.report.markdown")
repositories = Later("tasks.repo")


def report(
    folders: list[Path], *, as_json: bool, full: bool = False, fenced_by: Path | None = None
) -> None:
    """Print each run's report, and leave `report.json` beside its ledger.

    `fenced_by` is a quarantine list, or the folder of the check that wrote one.
    """
    fenced = None if fenced_by is None else quarantine.of_another(fenced_by)
    checked = of_a_check(fenced_by)
    answers: list[Any] = []
    for folder in folders:
        built = build(RunStore(folder), fenced=fenced, checked=checked)
        answer = report_json(built)
        answers.append(answer)
        (folder / "report.json").write_text(json.dumps(answer, indent=1) + "\n")
        if not as_json:
            print(as_text(built, full=full))
    if as_json:
        print(json.dumps(answers[0] if len(answers) == 1 else answers, indent=1))


def page(folders: list[Path], *, fenced_by: Path | None = None) -> None:
    """Write each run's report as one file that needs no other: `report.html` beside its ledger."""
    fenced = None if fenced_by is None else quarantine.of_another(fenced_by)
    flags = {"report": f"--quarantine {shlex.quote(str(fenced_by))}"} if fenced_by else {}
    for folder in folders:
        told = whole.page([folder], typed=[str(folder)], beside=folder, fenced=fenced, flags=flags)
        publish(folder / whole.NAME, told.encode())
        print(folder / whole.NAME)


def markdown(folders: list[Path], *, fenced_by: Path | None = None) -> None:
    """Print each run's report for a pull request."""
    fenced = None if fenced_by is None else quarantine.of_another(fenced_by)
    for folder in folders:
        built = build(RunStore(folder), fenced=fenced, checked=of_a_check(fenced_by))
        print(marking.as_markdown(built, str(folder)))


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
