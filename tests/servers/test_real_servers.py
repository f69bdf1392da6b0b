"""The harness against servers that nobody here wrote: `pytest -m servers`, which installs them.

The model is real and tiny and its machine may be slow, so what is asked is short: one task, few
turns, few tokens. What is under test is the wire, the accounts and what we make of malformed calls.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.servers.conftest import KEY, Served, free_port, llama_server

pytestmark = pytest.mark.servers
SHORT = "max_tokens=60,temperature=0.8"
ONE = ("--tasks", "demo", "--limit", "1", "--turns", "2", "--into", "run")
PATIENCE = 600.0


@pytest.fixture(params=["llama", "llama_python", "vllm", "litellm"])
def server(request: pytest.FixtureRequest) -> Served:
    served: Served = request.getfixturevalue(request.param)
    return served


def started(cwd: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *words],
        cwd=cwd,
        env={**os.environ, "OPENAI_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def harness(cwd: Path, *words: str) -> str:
    """What it prints, where all went well."""
    process = started(cwd, *words)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out


def reported(cwd: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(harness(cwd, "report", "run", "--json"))
    return report


def settled(cwd: Path, attempts: int) -> list[dict[str, Any]]:
    """The conditions of a run in which every attempt was measured, and none of them solved."""
    report = reported(cwd)
    counts = {"planned": attempts, "graded": attempts, "resolved": 0, "faulted": 0, "owed": 0}
    assert report["attempts"] == counts
    conditions: list[dict[str, Any]] = report["conditions"]
    return conditions


def test_the_probe_tells_what_it_is(server: Served, tmp_path: Path) -> None:
    words = ("doctor", "--model", "smol", "--base-url", server.url, "--most-tokens", "0", "--json")
    said = harness(tmp_path, *words)
    assert KEY not in said
    found = {row["question"]: row["answer"] for row in json.loads(said)["findings"]}
    assert found["reachable"] == found["chat completions"] == found["usage"] == "yes"
    assert found["preset bash-fenced, calls=xml"] == "yes"


def test_a_run_settles_every_attempt_streaming_or_not(server: Served, tmp_path: Path) -> None:
    models = [f"smol,{SHORT},stream={stream}" for stream in ("false", "true")]
    scaffolds = ["bash", "bash-fenced", "editor"]
    words = [w for model in models for w in ("--model", model)]
    words += [w for scaffold in scaffolds for w in ("--scaffold", scaffold)]
    harness(tmp_path, "run", *ONE, "--base-url", server.url, *words)
    for condition in settled(tmp_path, len(models) * len(scaffolds)):
        assert condition["cost"]["usage"]["output"] > 0, "what the model said was counted"


@pytest.mark.parametrize("name", ["llama", "vllm", "litellm"])
@pytest.mark.parametrize("wire", ["responses", "messages"])
def test_the_other_wires_carry_a_run(
    request: pytest.FixtureRequest, name: str, wire: str, tmp_path: Path
) -> None:
    server: Served = request.getfixturevalue(name)
    model = f"smol,{SHORT},wire={wire},auth=bearer"
    words = ("--base-url", server.url, "--model", model, "--scaffold", "bash")
    harness(tmp_path, "run", *ONE, *words)
    settled(tmp_path, 1)


def test_a_prompt_beyond_the_window_is_an_ending_and_no_fault(tmp_path: Path) -> None:
    with llama_server(window=256) as server:
        words = ("--base-url", server.url, "--model", f"smol,{SHORT}", "--scaffold", "bash")
        harness(tmp_path, "run", *ONE, *words, "--scaffold", "bash,context=elide:1")
    for condition in settled(tmp_path, 2):
        assert condition["endings"] == {"context": 1}


def test_an_answer_that_never_fits_is_a_wrong_setting(vllm: Served, tmp_path: Path) -> None:
    words = ("--base-url", vllm.url, "--scaffold", "bash", "--model", "smol,max_tokens=90000")
    process = started(tmp_path, "run", *ONE, *words)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2 and "smaller max_tokens" in err


def test_two_servers_are_two_endpoints_of_one_run(
    llama: Served, vllm: Served, tmp_path: Path
) -> None:
    models = [f"smol,{SHORT},base_url={server.url}" for server in (llama, vllm)]
    words = [w for model in models for w in ("--model", model)]
    harness(tmp_path, "run", *ONE, *words, "--scaffold", "bash-fenced")
    settled(tmp_path, 2)


def test_a_server_that_is_killed_costs_no_attempt_a_zero(tmp_path: Path) -> None:
    port = free_port()
    model = "smol,max_tokens=120,temperature=0.8,stream=true,attempts=2,first_pause=0.2"
    words = ("run", *ONE, "--model", model, "--scaffold", "bash-fenced", "--repeats", "2")
    with llama_server(port=port) as server:
        run = started(tmp_path, *words, "--base-url", server.url)
        _until(lambda: server.busy(), "the server has been asked")
        server.kill()
    _until(lambda: "fault" in _traces(tmp_path) or run.poll() is not None, "that it is gone shows")
    with llama_server(port=port) as server:
        run.communicate(timeout=PATIENCE)
        assert reported(tmp_path)["attempts"]["resolved"] == 0
        harness(tmp_path, *words, "--base-url", server.url)
        (condition,) = settled(tmp_path, 2)
        assert condition["tries"] > 2, "a try that met no server is no measurement"


def _traces(cwd: Path) -> str:
    return "".join(path.read_text() for path in cwd.glob("run/traces/*.jsonl"))


def _until(true: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)
