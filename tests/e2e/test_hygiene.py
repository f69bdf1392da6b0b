"""What is left of a run that was killed: nothing, once it has been swept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from tests.e2e.commands import command, environment, harness
from tests.e2e.endpoints import Script, serving
from tests.e2e.tiny_run import TinyRun, boxes, left_of

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0


def left_by(pid: int) -> list[str]:
    """Folders, control groups, mounts and processes that carry the mark of a dead owner."""
    mark = f"harness-{pid}-"
    found = [str(folder) for folder in Path(tempfile.gettempdir()).glob(f"{mark}*")]
    # Unlike a glob, a walk minds no group of somebody else's that goes meanwhile.
    groups = ((at, name) for at, names, _ in os.walk("/sys/fs/cgroup") for name in names)
    found += [f"{at}/{name}" for at, name in groups if name.startswith(mark)]
    found += [m for m in Path("/proc/self/mounts").read_text().splitlines() if mark in m]
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "mountinfo").read_text():
                found.append(str(process))
    return found


def killed_at_work(run: TinyRun) -> int:
    """Start a run and kill it while its agent is busy; its process id."""
    busy = threading.Event()
    run.script.on_call = lambda calls: busy.set() if calls == 2 else None
    with serving(run.script) as server:
        process = subprocess.Popen(
            command(*run.words(server.url)),
            cwd=run.folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert busy.wait(PATIENCE_SECONDS), "the agent never came to work"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.pid


@pytest.mark.docker
def test_no_container_is_left_of_a_killed_run_that_was_swept(
    engine: docker.DockerClient, image: str, tmp_path: Path
) -> None:
    run = TinyRun(tmp_path, Script(["ls", "sleep 600"]), image)
    pid = killed_at_work(run)
    (left,) = boxes(engine, run.id)
    volumes = [mount for mount in left.attrs["Mounts"] if mount["Type"] == "volume"]
    assert not volumes and set(left.attrs["NetworkSettings"]["Networks"]) == {"none"}

    swept = harness("sweep", cwd=tmp_path)

    assert swept.returncode == 0, swept.stderr
    assert str(left.name) in swept.stdout
    assert not left_of(engine, run.id) and not left_by(pid)


@pytest.mark.bubblewrap
def test_nothing_is_left_of_a_killed_run_by_bubblewrap_that_was_swept(tmp_path: Path) -> None:
    pid = killed_at_work(TinyRun(tmp_path, Script(["ls", "sleep 600"])))
    give_up = time.monotonic() + PATIENCE_SECONDS
    while left_by(pid):  # the dying take their time, and what they are in cannot be removed
        assert time.monotonic() < give_up, left_by(pid)
        swept = harness("sweep", cwd=tmp_path)
        assert swept.returncode == 0, swept.stderr


ORPHANING = """
import asyncio, sys
from harness.sandboxes.docker import Docker
from harness.types import Environment

async def main():
    async with Docker({run!r}, lifetime=3).open(Environment({image!r}, "/app")) as box:
        await box.exec(["true"], kill_after=60)
        print("open", flush=True)
        await box.exec(["sleep", "600"], kill_after=600)

asyncio.run(main())
"""


@pytest.mark.docker
def test_a_box_whose_harness_died_ends_by_itself_within_its_lifetime(
    engine: docker.DockerClient, image: str
) -> None:
    run = f"hygiene-{uuid.uuid4().hex[:12]}"
    process = subprocess.Popen(
        [sys.executable, "-c", ORPHANING.format(run=run, image=image)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    with process:
        assert process.stdout and process.stdout.readline() == b"open\n"
        process.kill()
    with suppress(docker.errors.NotFound, ValueError):  # over already
        (left,) = boxes(engine, run)
        left.wait(timeout=PATIENCE_SECONDS, condition="removed")
    assert not left_of(engine, run)
