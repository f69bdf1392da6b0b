"""A real Ray cluster on this machine: each node a raylet with its workers, killed by its group."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 120.0
POLL_SECONDS = 0.2
_TRIES = 5
"""Of a node: Ray gives up on a start that a busy machine makes slow."""


@dataclass
class Node:
    host: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """As a machine dies: raylet and workers at one stroke."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass
class Nodes:
    folder: Path
    port: int
    boxes: Sequence[int]
    up: list[Node] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, boxes: int) -> Node:
        """Another node; it is known to the cluster on return."""
        host = f"127.0.0.{len(self.up) + 1}"
        alone = f"--port={self.port} --include-dashboard=false"
        head = ["--head", *alone.split(), f"--temp-dir={self.folder}"]
        where = [f"--address={self.address}"] if self.up else head
        for _ in range(_TRIES):
            process = self._begin(host, [*where, "--resources", json.dumps({"boxes": boxes})])
            if self._known(host, process):
                self.up.append(Node(host, process))
                return self.up[-1]
            Node(host, process).kill()
        raise AssertionError((self.folder / f"{host}.log").read_text()[-2000:])

    def _begin(self, host: str, more: Sequence[str]) -> subprocess.Popen[bytes]:
        size = ["--num-cpus=1", "--object-store-memory=80000000"]
        words = [f"--node-ip-address={host}", *size, "--block", *more]
        env = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
        with (self.folder / f"{host}.log").open("wb") as log:
            return subprocess.Popen(
                [str(Path(sys.executable).parent / "ray"), "start", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=env,
            )

    def _known(self, host: str, process: subprocess.Popen[bytes]) -> bool:
        """Ray says so once the raylet has registered."""
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up and process.poll() is None:
            if b"Ray runtime started" in (self.folder / f"{host}.log").read_bytes():
                return True
            time.sleep(POLL_SECONDS)  # another process's log has no event
        return False


@contextmanager
def cluster(folder: Path, boxes: Sequence[int]) -> Iterator[Nodes]:
    """So many nodes, each with so many boxes; all of it is gone at the end."""
    # Unix sockets lie below it, and their paths may not be long.
    folder.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    nodes = Nodes(folder, port, boxes)
    try:
        for count in boxes:
            nodes.start(count)
        yield nodes
    finally:
        for node in reversed(nodes.up):
            node.kill()
        shutil.rmtree(folder, ignore_errors=True)
