"""Runs made of whole cloth, for the tests of tables and reports."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.types import (
    Attempt,
    Brief,
    Clocks,
    Condition,
    Culprit,
    Ending,
    Environment,
    Faulted,
    Graded,
    Part,
    Record,
    Task,
    TaskId,
    Usage,
    Verdict,
)
from results.manifest import Manifest, manifest
from results.provenance import Provenance
from results.store import RunStore

BY = Provenance(at="2026-01-02T03:04:05+00:00", harness="1", revision="abc", python="3.11")


def condition(scaffold: str = "editor") -> Condition:
    return Condition(Part("m"), Part(scaffold), Part("docker"))


def declared(
    tasks: int | Iterable[str], *scaffolds: str, repeats: int = 1, **changed: Any
) -> Manifest:
    names = [f"t{i}" for i in range(tasks)] if isinstance(tasks, int) else tasks
    box = Environment("i", "/w")
    whole = [
        Task(Brief(TaskId(name), "?", box), {}, "g", "set@1", {"repo": "acme/x"}) for name in names
    ]
    asked = {"left_out": {}, "experiment": {}, "by": BY} | changed
    conditions = [condition(scaffold) for scaffold in scaffolds or ("editor",)]
    return manifest(whole, conditions, repeats=repeats, **asked)


def attempt(task: str, repeat: int = 0, scaffold: str = "editor") -> Attempt:
    return Attempt(TaskId(task), condition(scaffold).digest, repeat)


def graded(key: Attempt, resolved: bool, usd: float | None = 1.0, **changed: Any) -> Graded:
    verdict = Verdict(resolved, "resolved" if resolved else "tests_failed")
    usage = Usage(calls=2, fresh=100, output=20, usd=usd)
    settled = {"spent": usage, "clocks": Clocks(total=30.0, model=20.0)} | changed
    return Graded(key, verdict, Ending.SUBMITTED, usage, **settled)


def faulted(
    key: Attempt, culprit: Culprit = "sandbox", message: str = "no box", usd: float = 0.5
) -> Faulted:
    spent = Usage(calls=1, fresh=50, usd=usd)
    return Faulted(key, culprit, message, spent, Clocks(total=10.0), spent=spent)


def stored(folder: Path, call: Manifest, records: Iterable[Record]) -> RunStore:
    with RunStore(folder) as store:
        store.declare(call)
        for record in records:
            store.append(record)
    return RunStore(folder)
