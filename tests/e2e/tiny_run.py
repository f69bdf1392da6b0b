"""A run of the command line over tiny tasks: how it is started, what it left, who waits in it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from harness.sandboxes.docker import RUN_LABEL
from harness.verbs.running import run_name
from tests.e2e import tiny_task
from tests.e2e.commands import harness
from tests.e2e.endpoints import Script, serving

POLL_SECONDS = 0.05
LEAVING_SECONDS = 10


@dataclass
class TinyRun:
    folder: Path
    script: Script
    image: str = ""
    """Empty: by bubblewrap."""
    task: Mapping[str, Any] = field(default_factory=dict)
    knobs: tuple[str, ...] = ("--scaffold", "bash")

    @property
    def into(self) -> Path:
        return self.folder / "run"

    @property
    def id(self) -> str:
        return run_name(self.into)

    def words(self, url: str) -> list[str]:
        tasks = tiny_task.write(self.folder / "source", self.image, **self.task)
        sandbox = "docker" if self.image else f"bubblewrap,cache={self.folder / 'cache'}"
        what = ["--tasks", f"local,folder={tasks}", "--model", "m,first_pause=0.01", *self.knobs]
        return ["run", *what, "--base-url", url, "--sandbox", sandbox, "--into", str(self.into)]

    def done(self) -> list[dict[str, Any]]:
        """Run to the end, which must be a good one; the records in their order."""
        with serving(self.script) as server:
            done = harness(*self.words(server.url), cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return self.records()

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.into / "ledger.jsonl").read_bytes().splitlines()]

    def commands(self, number: int = 1) -> dict[str, dict[str, Any]]:
        """What became of each of the agent's commands in its only attempt's try of that number."""
        (trace,) = (self.into / "traces").glob(f"*.{number}.jsonl")
        events = [json.loads(line) for line in trace.read_bytes().splitlines()]
        return {event["argv"][-1]: event for event in events if event["kind"] == "exec"}


def boxes(engine: docker.DockerClient, run: str) -> list[Container]:
    found = engine.containers.list(
        all=True, filters={"label": f"{RUN_LABEL}={run}"}, ignore_removed=True
    )
    return list(found)


def left_of(engine: docker.DockerClient, run: str) -> list[Container]:
    """The boxes of a run that stay; an engine may need a moment for one that is on its way out."""
    for box in boxes(engine, run):
        with suppress(docker.errors.NotFound, OSError):
            box.wait(timeout=LEAVING_SECONDS, condition="removed")
    return boxes(engine, run)


@contextmanager
def meeting_those_who_wait(
    engine: docker.DockerClient, run: str, *acts: Callable[[Container], object]
) -> Iterator[None]:
    """Act on each box of a run once it lasts until `/tmp/go` is there; let later ones go on."""
    over, due = threading.Event(), list(acts)
    met: set[str] = set()

    def watch() -> None:
        while not over.wait(POLL_SECONDS):  # an engine has no event for what runs in a box
            for box in boxes(engine, run):
                if str(box.id) not in met and "/tmp/go" in _processes(box):
                    met.add(str(box.id))
                    (due.pop(0) if due else let_go)(box)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not due, "somebody was never met"


def _processes(box: Container) -> str:
    try:
        return str(box.top())
    except docker.errors.APIError:  # it is starting, or going
        return ""


def let_go(box: Container) -> None:
    box.exec_run(["touch", "/tmp/go"])
