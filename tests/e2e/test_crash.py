"""A run that dies, however often and whenever, ends as though it had not.

`HARNESS_KILLS=50 pytest tests/e2e/test_crash.py` kills it as often as the design promises to bear.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tasks.demo.endpoint import app, recordings
from tests.e2e.commands import command, environment, harness
from tests.e2e.endpoints import serving
from tests.e2e.evidence import paid_replies, verdicts

pytestmark = pytest.mark.bubblewrap
KILLS = int(os.environ.get("HARNESS_KILLS", "4"))
REPEATS = max(2, KILLS // 5)
WIDTH = 3
ATTEMPTS = 3 * 2 * REPEATS
DEMO = Path(__file__).parents[2] / "tasks" / "demo"
TASKS = ("humanize-naturalsize-carry", "parse-trailing-newline", "sqlparse-in-place-truncation")


class Counted:
    """An endpoint that counts what it has answered, and answers nothing while it is held."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner
        self.answered = 0
        self.free = threading.Event()
        self.free.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["path"].endswith("/chat/completions")
        if asked:
            await asyncio.to_thread(self.free.wait)
        await self.inner(scope, receive, send)
        self.answered += asked


@contextmanager
def endpoint() -> Iterator[tuple[str, Counted]]:
    """The recorded model in a thread of the test: it outlives every run that asks it."""
    counted = Counted(app(recordings(DEMO)))
    with serving(counted) as server:
        yield server.url, counted


def words(url: str, into: Path) -> list[str]:
    chosen = [word for task in TASKS for word in ("--select", task)]
    scaffolds = ["--scaffold", "bash", "--scaffold", "editor"]
    run = [
        "run",
        "--tasks",
        "demo",
        *chosen,
        "--model",
        "recorded",
        *scaffolds,
        "--repeats",
        str(REPEATS),
    ]
    how = ["--seed", "1", "--base-url", url, "--sandbox", "bubblewrap", "--width", str(WIDTH)]
    return [*run, *how, "--into", str(into), "--json"]


HEEDING_INTERRUPTS = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
"""A shell that runs the tests in its background has SIGINT ignored, and that is inherited."""


def started(url: str, into: Path, cwd: Path) -> subprocess.Popen[bytes]:
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-c", HEEDING_INTERRUPTS, *command(*words(url, into))],
        cwd=cwd,
        env=environment(),
        stdout=nowhere,
        stderr=nowhere,
        start_new_session=True,
    )


def test_a_run_killed_at_random_moments_ends_as_though_it_had_not(tmp_path: Path) -> None:
    moments = random.Random(20260422)
    with endpoint() as (url, counted):
        whole = harness(*words(url, tmp_path / "whole"), cwd=tmp_path)
        assert whole.returncode == 0, whole.stderr
        before, seen = counted.answered, b""
        for _ in range(KILLS):
            process = started(url, tmp_path / "killed", tmp_path)
            try:
                process.wait(moments.uniform(1.0, 6.0))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            ledger = tmp_path / "killed" / "ledger.jsonl"
            now = ledger.read_bytes() if ledger.exists() else b""
            sealed = seen[: seen.rfind(b"\n") + 1]
            assert now.startswith(sealed), "the ledger only grew"
            seen = now
        last = harness(*words(url, tmp_path / "killed"), cwd=tmp_path)
        asked = counted.answered - before
    assert last.returncode == 0, last.stderr
    assert verdicts(tmp_path / "killed") == verdicts(tmp_path / "whole")
    paid = paid_replies(tmp_path / "killed")
    assert set(paid.values()) == {1}, "no reply that was on disk was asked for again"
    assert set(paid) == set(paid_replies(tmp_path / "whole"))
    assert asked - len(paid) <= KILLS * WIDTH, "only what was in flight when it died was lost"


def test_one_interrupt_parks_the_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    with endpoint() as (url, _):
        first = started(url, tmp_path / "run", tmp_path)
        ledger = tmp_path / "run" / "ledger.jsonl"
        while not (ledger.exists() and b"\n" in ledger.read_bytes()):
            assert first.poll() is None
            threading.Event().wait(0.02)
        os.kill(first.pid, signal.SIGINT)
        assert first.wait(60) == 130
        assert len(ledger.read_bytes().splitlines()) < ATTEMPTS
        last = harness(*words(url, tmp_path / "run"), cwd=tmp_path)
    assert last.returncode == 0, last.stderr
    assert len(verdicts(tmp_path / "run")) == ATTEMPTS
    assert set(paid_replies(tmp_path / "run").values()) == {1}


def test_a_second_interrupt_leaves_at_once_and_loses_nothing(tmp_path: Path) -> None:
    with endpoint() as (url, _):
        first = started(url, tmp_path / "run", tmp_path)
        ledger = tmp_path / "run" / "ledger.jsonl"
        while not (ledger.exists() and b"\n" in ledger.read_bytes()):
            assert first.poll() is None
            threading.Event().wait(0.02)
        while first.poll() is None:  # the first parks; whichever comes next leaves
            os.kill(first.pid, signal.SIGINT)
            threading.Event().wait(0.05)
        assert first.returncode in (130, -signal.SIGINT)
        last = harness(*words(url, tmp_path / "run"), cwd=tmp_path)
    assert last.returncode == 0, last.stderr
    assert len(verdicts(tmp_path / "run")) == ATTEMPTS
    assert set(paid_replies(tmp_path / "run").values()) == {1}


def test_the_second_of_two_writers_gets_one_line(tmp_path: Path) -> None:
    with endpoint() as (url, counted):
        counted.free.clear()
        first = started(url, tmp_path / "run", tmp_path)
        while not (tmp_path / "run" / "run.json").exists():
            assert first.poll() is None
            threading.Event().wait(0.02)
        second = harness(*words(url, tmp_path / "run"), cwd=tmp_path)
        counted.free.set()
        assert first.wait() == 0
    assert second.returncode == 2
    assert "being written by" in second.stderr.splitlines()[-1]
