"""How long it takes to be told something: `--help`, and a run of 36,550 attempts that is settled.

The baseline of the first is Python importing typer, of the second Python importing what every run
needs (openai, docker, numpy, scipy.special) and parsing the ledger once as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import codec
from harness.experiment import Experiment
from harness.types import (
    Brief,
    Clocks,
    Ending,
    Environment,
    Graded,
    Part,
    Tally,
    Task,
    TaskId,
    Usage,
    Verdict,
)
from results.manifest import manifest
from results.provenance import provenance
from tests.bench.endpoint import ROOT
from tests.bench.figures import Figure, ms

ROUNDS = 5
MODELS, REPEATS, TASKS = 5, 10, 731


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


def settled(folder: Path) -> list[str]:
    """A run whose every attempt is graded, and the command that finds nothing owed."""
    tasks = list(Many().load())
    models = tuple(Part(f"m{at}") for at in range(MODELS))
    source = Part("tests.bench.start:Many")
    scaffolds = (Part("bash"),)
    wanted = Experiment(source, models, scaffolds, sandbox=Part("host"), repeats=REPEATS)
    folder.mkdir()
    usage = Usage(40, 100_000, 500_000, 0, 9_000, 1_000, 0.3)
    facts = {"sandbox": "docker", "image": "x" * 90, "image_digest": f"sha256:{'a' * 64}"}
    blobs = {"patch": "a" * 64, "tests": "b" * 64, "log.stdout": "c" * 64}
    with (folder / "ledger.jsonl").open("wb") as ledger:
        for at, attempt in enumerate(wanted.plan([task.id for task in tasks])):
            solved = at % 3 == 0
            tally = Tally(3, 0, 0) if solved else Tally(1, 2, 0)
            reason = "resolved" if solved else "tests_failed"
            verdict = Verdict(solved, reason, "strict", tally, Tally(30, 0, 0))  # type: ignore[arg-type]
            clocks = Clocks(300, 1, 1, 200, 50, 30)
            record = Graded(attempt, verdict, Ending.SUBMITTED, usage, clocks, 1, usage)
            line = codec.dump(record) | {"facts": facts, "blobs": blobs, "at": "2026-01-01T00:00"}
            ledger.write(json.dumps(line).encode() + b"\n")
    declared = codec.dump(wanted)
    manifest(
        tasks,
        wanted.conditions,
        repeats=REPEATS,
        left_out={},
        experiment=declared,
        by=provenance("host"),
    ).write(folder)
    flags = [flag for model in models for flag in ("--model", model.name)]
    boxes = ["--scaffold", "bash", "--sandbox", "host", "--repeats", str(REPEATS)]
    return ["run", "--tasks", source.name, *flags, *boxes, "--into", str(folder)]


async def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        argv = settled(Path(folder) / "run")
        ledger = Path(folder) / "run" / "ledger.jsonl"
        parse = f"import json\nfor line in open({str(ledger)!r}): json.loads(line)"
        needed = f"import openai, docker, numpy, scipy.special\n{parse}"
        help_, bare = list[Cost](), list[Cost]()
        run, base = list[Cost](), list[Cost]()
        for _ in range(ROUNDS):
            help_.append(_python("-m", "harness", "--help"))
            bare.append(_python("-c", "import typer"))
            run.append(_python("-m", "harness", *argv))
            base.append(_python("-c", needed))
    return [
        *_figures("harness --help", help_, bare, 0.3),
        *_figures("harness run, 36,550 settled", run, base, 2.0),
        Figure("harness run, 36,550 settled: memory", run[-1].mb, 250, "MB"),
    ]


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float
    mb: float


def _figures(what: str, ours: list[Cost], base: list[Cost], aim: float) -> list[Figure]:
    walls, cpus = [c.wall for c in ours], [c.cpu for c in ours]
    return [
        Figure(f"{what}: wall, best", min(walls), aim, "s", ms(walls), ms([c.wall for c in base])),
        Figure(f"{what}: CPU, best", min(cpus), aim, "s", ms(cpus), ms([c.cpu for c in base])),
    ]


def _python(*argv: str) -> Cost:
    env = {**os.environ, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *argv], cwd=ROOT, env=env, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{argv[:4]} ended with {process.returncode}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3)
