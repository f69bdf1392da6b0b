"""The harness against servers that nobody here wrote: `pytest -m servers`, which installs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.conftest import KEY, Served

pytestmark = pytest.mark.servers


@pytest.fixture(params=["llama", "llama_python", "vllm", "litellm"])
def server(request: pytest.FixtureRequest) -> Served:
    served: Served = request.getfixturevalue(request.param)
    return served


def harness(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OPENAI_API_KEY": KEY}
    return subprocess.run(
        [sys.executable, "-m", "harness", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_probe_tells_what_it_is(server: Served, tmp_path: Path) -> None:
    done = harness(tmp_path, "doctor", "--model", server.model, "--base-url", server.url, "--json")
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    found = {row["question"]: row["answer"] for row in json.loads(done.stdout)["findings"]}
    assert found["reachable"] == found["chat completions"] == found["usage"] == "yes"
    assert found["preset bash-fenced, calls=xml"] == "yes"


@pytest.mark.parametrize("stream", ["false", "true"])
def test_a_run_of_the_demo_tasks_settles_every_attempt(
    server: Served, stream: str, tmp_path: Path
) -> None:
    model = f"{server.model},max_tokens=200,temperature=0.8,stream={stream}"
    done = harness(
        tmp_path,
        *("run", "--tasks", "demo", "--model", model, "--base-url", server.url),
        *("--scaffold", "bash", "--scaffold", "bash-fenced", "--turns", "4", "--limit", "3"),
        *("--into", "run"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(harness(tmp_path, "report", "run", "--json").stdout)
    attempts = report["attempts"]
    assert attempts["planned"] == attempts["graded"] == 6
    assert attempts["faulted"] == attempts["owed"] == 0
    for condition in report["conditions"]:
        assert condition["cost"]["usage"]["output"] > 0, "what the model said was counted"


@pytest.mark.parametrize("wire", ["responses", "messages"])
def test_the_other_wires_carry_a_run(llama: Served, wire: str, tmp_path: Path) -> None:
    done = harness(
        tmp_path,
        *("run", "--tasks", "demo", "--base-url", llama.url, "--limit", "1", "--turns", "3"),
        *("--model", f"smol,max_tokens=100,wire={wire},auth=bearer", "--scaffold", "bash"),
        *("--into", "run"),
    )
    assert done.returncode == 0, done.stderr
