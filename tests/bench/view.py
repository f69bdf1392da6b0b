"""What a large run costs to look at: `python -m tests.bench.view [FOLDER] [--json]`.

It writes a run of 731 tasks x 10 conditions x 5 repeats (36,550 attempts, a fault in every 50th)
with one trajectory of 1,000 steps, unless FOLDER holds it already, serves it in a process of its
own, and asks for pages as a browser would.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from harness import codec
from harness.types import Attempt, Condition, Faulted, Graded, Part
from results.manifest import Arm
from results.store import RunStore
from tests.unit.run_folders import BY, declared, faulted, graded
from tests.unit.view_runs import evidence, says, traced

TASKS, CONDITIONS, REPEATS, STEPS, ROUNDS = 731, 10, 5, 1000, 15
FACTS = {
    "sandbox": "docker",
    "engine": "20.10.24",
    "image": "jefzda/sweap-images:" + "a" * 80,
    "image_digest": "sha256:" + "e" * 64,
    "cpus": 2.0,
    "memory_mb": 4096,
    "certificate": {"base": "b" * 40, "repository": "/app", "clean": True, "commits_visible": 4000},
    "model_model": "recorded",
}


def made(folder: Path) -> Attempt:
    """The run, in `folder`; the attempt that has the long trajectory."""
    tasks = [f"instance_organisation{i % 11}__repository-{i:040x}-v{i:040x}" for i in range(TASKS)]
    arms = [
        Condition(Part(f"model-{i % 5}"), Part("editor" if i < 5 else "bash"), Part("docker"))
        for i in range(CONDITIONS)
    ]
    first = Attempt(declared(tasks[:1]).planned().__next__().task, arms[0].digest, 0)
    if (folder / "run.json").exists():
        return first
    call = codec.load(type(declared(1)), codec.dump(declared(tasks)), where="the bench")
    conditions = {arm.digest: Arm(arm, arm.label, REPEATS) for arm in arms}
    call = type(call)(tasks=call.tasks, conditions=conditions, history=(BY,))
    store = RunStore(folder)
    store.declare(call)
    output = "".join(f"src/module_{i}.py:{i}: something that was found there\n" for i in range(150))
    say = "I look at what the module does before I change it."
    talk = [(says(say, ("bash", {"command": f"grep -rn {i} src"})), output) for i in range(STEPS)]
    traced(store, first, talk)
    with store.ledger.path.open("wb") as ledger:
        for at, key in enumerate(call.planned()):
            ledger.write(codec.encode(_record(store, key, at)) + b"\n")
    return first


def _record(store: RunStore, key: Attempt, at: int) -> Graded | Faulted:
    if at % 50 == 49:
        return faulted(key, message="the endpoint answered 503 eight times: overloaded " * 4)
    record = graded(key, at * 7919 % 10 < 4, usd=0.5, facts=FACTS, at="2026-04-01T12:00:00+00:00")
    return evidence(store, record) if at == 0 else record


def _resident(pid: int) -> float:
    """Megabytes that a process holds now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(x for x in status.splitlines() if x.startswith("VmRSS")).split()[1]) / 1024


def _times(client: httpx.Client, place: str) -> dict[str, float]:
    """Milliseconds of several askings, and the size of the last answer."""
    taken, size = [], 0
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer = client.get(place).raise_for_status()
        taken.append(1000 * (time.perf_counter() - started))
        size = len(answer.content)
    return {
        "ms_median": round(statistics.median(taken), 1),
        "ms_worst": round(max(taken), 1),
        "kb": round(size / 1024),
    }


def measured(folder: Path) -> dict[str, Any]:
    key = made(folder)
    command = [sys.executable, "-m", "harness", "view", str(folder), "--json", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        run = f"/r/{folder.name}"
        before = _resident(server.pid)
        with httpx.Client(base_url=url, follow_redirects=True, timeout=120) as client:
            started = time.perf_counter()
            client.get(run).raise_for_status()
            cold = time.perf_counter() - started
            indexed = _resident(server.pid)
            places = {
                "first page": run,
                "last page": f"{run}?page=999",
                "filtered": f"{run}?o=mixed&q=organisation3",
                "list, dearest": f"{run}?view=list&sort=usd",
                "attempt": f"{run}/a/{key.id}",
                "attempt, last steps": f"{run}/a/{key.id}?from=961",
                "found in 1,000 steps": f"{run}/a/{key.id}?find=module_149",
                "state": f"/api{run}/state",
            }
            pages = {name: _times(client, place) for name, place in places.items()}
            for page in range(1, 20):
                client.get(f"{run}?page={page}").raise_for_status()
        return {
            "attempts": TASKS * CONDITIONS * REPEATS,
            "ledger_mb": round((folder / "ledger.jsonl").stat().st_size / 1e6, 1),
            "cold_index_seconds": round(cold, 2),
            "mb_before": round(before),
            "mb_with_index": round(indexed),
            "mb_after_all_pages": round(_resident(server.pid)),
            "pages": pages,
        }
    finally:
        server.terminate()
        server.wait()
        if server.stdout:
            server.stdout.close()


def main() -> None:
    given = [word for word in sys.argv[1:] if not word.startswith("-")]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given[0] if given else os.path.join(temporary, "large"))  # noqa: PTH118
        found = measured(folder)
    if "--json" in sys.argv:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        if name != "pages":
            print(f"{name:>20} {value}")
    for name, row in found["pages"].items():
        print(f"{name:>20} {row['ms_median']:8} ms, worst {row['ms_worst']:8}, {row['kb']:5} kB")


if __name__ == "__main__":
    main()
