"""The whole analysis of a large study, timed: `python -m tests.bench.analysis [FOLDER]`.

731 tasks x 10 conditions x 5 repeats, 36,550 records, as a run's folder; then the report, the
comparison and the page of it, each in a process of its own on one core. The aim is 5 seconds for
report and comparison.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from harness.codec import encode
from harness.types import (
    Attempt,
    Brief,
    Clocks,
    Condition,
    Ending,
    Environment,
    Graded,
    Part,
    Task,
    TaskId,
    Usage,
    Verdict,
)
from results.manifest import manifest
from results.provenance import Provenance

TASKS, MODELS, SCAFFOLDS, REPEATS = 731, 5, 2, 5
BY = Provenance(at="2026-01-02T03:04:05+00:00", harness="1", revision="abc", python="3.11")
HASH = "0123456789abcdef" * 4
VERBS = {
    "report": ["report", "RUN"],
    "report --json": ["report", "RUN", "--json"],
    "compare": ["compare", "RUN"],
    "compare --json": ["compare", "RUN", "--json"],
    "report --html": ["report", "RUN", "--html"],
}


def written(folder: Path) -> None:
    """A run's folder as a study of that size would leave it."""
    rng = np.random.default_rng(0)
    box = Environment("image", "/app")
    tasks = [
        Task(
            Brief(TaskId(f"repo{i % 11}__issue-{i}"), "?", box),
            {},
            "g",
            "set@1",
            {"repo": f"repo{i % 11}"},
        )
        for i in range(TASKS)
    ]
    conditions = [
        Condition(Part(f"model-{m}"), Part("editor", {"context": context}), Part("docker"))
        for m in range(MODELS)
        for context in ("all", "elide:5")
    ]
    call = manifest(tasks, conditions, repeats=REPEATS, left_out={}, experiment={}, by=BY)
    call.write(folder)
    hard = rng.normal(0, 1.8, TASKS)
    with (folder / "ledger.jsonl").open("wb") as ledger:
        for k, condition in enumerate(conditions):
            rates = 1 / (1 + np.exp(-(0.3 * k - 1 + hard)))
            for i, task in enumerate(tasks):
                for repeat in range(REPEATS):
                    ledger.write(
                        encode(_record(task, condition, repeat, rng.random() < rates[i])) + b"\n"
                    )


def _record(task: Task, condition: Condition, repeat: int, resolved: bool) -> Graded:
    usage = Usage(40, 20_000, 800_000, 0, 12_000, 4_000, 0.9)
    return Graded(
        Attempt(task.id, condition.digest, repeat),
        Verdict(bool(resolved), "resolved" if resolved else "tests_failed"),
        Ending.SUBMITTED,
        usage,
        Clocks(600.0, 1.0, 2.0, 400.0, 100.0, 60.0),
        spent=usage,
        facts={"model": "m", "backend": "docker", "image": HASH, "scaffold_code": "aaa"},
        blobs={"patch": HASH, "tests": HASH, "log.tests": HASH},
        at="2026-01-02T03:04:05+00:00",
    )


def timed(verb: list[str], folder: Path) -> float:
    """Seconds of processor time: what one core would take, whatever else the machine does."""
    words = [str(folder) if word == "RUN" else word for word in verb]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    subprocess.run(
        [sys.executable, "-m", "harness", *words],
        stdout=subprocess.DEVNULL,
        env={**os.environ, **one_thread, "PYTHONDONTWRITEBYTECODE": ""},
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else scratch) / "study"
        if not folder.exists():
            folder.mkdir(parents=True)
            written(folder)
        for verb in VERBS.values():  # once unmeasured: an installed program is compiled already
            timed(verb, folder)
        seconds = {name: round(timed(verb, folder), 2) for name, verb in VERBS.items()}
        size = (folder / "report.html").stat().st_size
    print(json.dumps({"seconds": seconds, "page_bytes": size}, indent=1))


if __name__ == "__main__":
    main()
