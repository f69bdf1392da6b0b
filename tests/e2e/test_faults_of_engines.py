"""An engine of the test's own, killed and started again in the middle of a run."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from tests.conftest import REQUIRED
from tests.e2e import tiny_task
from tests.e2e.commands import Running, command, harness
from tests.e2e.endpoints import Script, serving
from tests.e2e.tiny_run import TinyRun, left_of
from tests.e2e.tiny_task import FIX

pytestmark = pytest.mark.docker
START_SECONDS = 60.0


class Engine:
    """A `dockerd` with sockets and folders of its own.

    In a network namespace of its own: one that is told to have no bridge removes `docker0` from
    the one that it is in, whoever is using it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"unix://{folder}/engine.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        folder = self._folder
        places = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        options = [f"--{key}={folder}/{at}" for key, at in places.items()]
        options += ["--bridge=none", "--iptables=false"]
        (folder / "pid").unlink(missing_ok=True)
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--net", "dockerd", "-H", self.url, *options],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        give_up = time.monotonic() + START_SECONDS
        while not self._listens():
            if time.monotonic() > give_up or self._process.poll() is not None:
                raise TimeoutError((folder / "log").read_text()[-2000:])
            time.sleep(0.1)
        client = self.client()  # which leaves a socket behind where nobody listens
        client.ping()
        client.close()

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.url.removeprefix("unix://")) == 0

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(self.url)

    def kill(self) -> None:
        """As a machine does: no time to tell anyone, least of all its boxes."""
        assert self._process
        self._process.kill()
        self._process.wait()
        for left in ("engine.sock", "exec/containerd/containerd.pid"):
            # Of processes that are dead, though perhaps nobody has buried them.
            (self._folder / left).unlink(missing_ok=True)

    def end(self) -> None:
        """Stop it and what it started, and leave no mount."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(START_SECONDS)
        for pid in _of(self._folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        for place in reversed([line.split()[1] for line in mounts]):
            if place.startswith(f"{self._folder}/"):
                subprocess.run(["umount", "-l", place], check=False)
        shutil.rmtree(self._folder, ignore_errors=True)


def _of(folder: Path) -> list[int]:
    """Processes that were started with a path in this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{folder}/".encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


@pytest.fixture
def engine() -> Iterator[Engine]:
    missing = [name for name in ("dockerd", "unshare") if shutil.which(name) is None]
    trouble = f"no {missing[0]} here" if missing else ""
    if os.geteuid():
        trouble = "only root may start an engine"
    if trouble:
        (pytest.fail if REQUIRED else pytest.skip)(trouble)
    # Not in tmp_path: the name of a socket may not be long.
    made = Engine(Path(tempfile.mkdtemp(prefix="engine-")))
    try:
        made.start()
        yield made
    finally:
        made.end()


def test_an_engine_that_is_killed_in_the_middle_is_waited_for(
    engine: Engine, tmp_path: Path
) -> None:
    client, middle, back = engine.client(), threading.Event(), threading.Event()

    def on_call(calls: int) -> None:
        if calls == 6:
            middle.set()
            back.wait(START_SECONDS)

    script = Script(["ls", "cat state", FIX])
    script.on_call = on_call
    width = ("--scaffold", "bash", "--scaffold", "editor", "--width", "2")
    with tiny_task.image(client, "harness-test-tiny:engine", tmp_path / "image") as image:
        run = TinyRun(tmp_path, script, image, {"copies": 3}, width)
        with serving(script) as server:
            words = command(*run.words(server.url))
            with Running(words, cwd=tmp_path, env={"DOCKER_HOST": engine.url}) as running:
                assert middle.wait(START_SECONDS)
                engine.kill()
                back.set()
                running.until("paused: waiting for the sandbox: no Docker engine answers")
                engine.start()
                running.until("the sandbox is back; going on")
                assert running.ended() == 0
        records = run.records()
        swept = harness("sweep", cwd=tmp_path, env={"DOCKER_HOST": engine.url})
        assert swept.returncode == 0, swept.stderr
        assert not left_of(client, run.id)
    client.close()
    graded = [r for r in records if r["kind"] == "graded"]
    assert [r["verdict"]["reason"] for r in graded] == ["resolved"] * 6
    assert {r["culprit"] for r in records if r["kind"] == "faulted"} <= {"sandbox", "grader"}
    assert sum(script.asked.values()) <= 6 * 4 + 1, "what was paid for was replayed"
