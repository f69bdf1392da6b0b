"""How long it takes to be told something: `--help`, and a run of 36,550 attempts that is settled.

The baseline of the first is Python importing typer, of the second Python importing what every run
needs (openai, docker, numpy, scipy.special) and parsing the ledger once as JSON. The
first time, a settled run's report is computed; after that it is said again as it was kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from harness import codec
from harness.experiment import Experiment
from harness.types import (
    Clocks,
    Ending,
    Graded,
    Part,
    Tally,
    Usage,
    Verdict,
)
from results.manifest import manifest
from results.provenance import provenance
from tests.bench.endpoint import ROOT
from tests.bench.figures import Figure, ms
from tests.bench.source import TASKS, Many

ROUNDS = 5
MODELS, REPEATS = 5, 10


def settled(folder: Path, n: int = TASKS, repeats: int = REPEATS) -> list[str]:
    """A run whose every attempt is graded, and the command that finds nothing owed."""
    tasks = list(Many(n).load())
    models = tuple(Part(f"m{at}") for at in range(MODELS))
    source = Part("tests.bench.source:Many", {"n": n})
    scaffolds = (Part("bash"),)
    wanted = Experiment(source, models, scaffolds, sandbox=Part("host"), repeats=repeats)
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
        repeats=repeats,
        left_out={},
        experiment=declared,
        by=provenance("host"),
    ).write(folder)
    flags = [flag for model in models for flag in ("--model", model.name)]
    boxes = ["--scaffold", "bash", "--sandbox", "host", "--repeats", str(repeats)]
    return ["run", "--tasks", str(source), *flags, *boxes, "--into", str(folder)]


async def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        argv = settled(Path(folder) / "run")
        ledger = Path(folder) / "run" / "ledger.jsonl"
        parse = f"import json\nfor line in open({str(ledger)!r}): json.loads(line)"
        needed = f"import openai, docker, numpy, scipy.special\n{parse}"
        help_, bare = list[Cost](), list[Cost]()
        run, base = list[Cost](), list[Cost]()
        first = _python("-m", "harness", *argv)
        for _ in range(ROUNDS):
            help_.append(_python("-m", "harness", "--help"))
            bare.append(_python("-c", "import typer"))
            run.append(_python("-m", "harness", *argv))
            base.append(_python("-c", needed))
    return [
        *_figures("harness --help", help_, bare, 0.3),
        *_figures("harness run, 36,550 settled", run, base, 2.0),
        Figure("harness run, 36,550 settled: memory", run[-1].mb, 250, "MB"),
        Figure("the same for the first time: CPU", first.cpu, 12, "s", f"{first.mb:.0f} MB"),
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
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # else Python compiles everything at every start
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
