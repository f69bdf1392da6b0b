"""The command line as a person starts it: a process of its own, with nothing of ours around it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "harness", *map(str, words)]


def environment(**more: str) -> dict[str, str]:
    """This process's, without what would point a run at somebody's endpoint."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    return {**kept, **more}


def harness(
    *words: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        command(*words),
        cwd=cwd,
        env=environment(**(env or {})),
        capture_output=True,
        text=True,
        check=False,
    )


class Running:
    """A command under way, whose words on standard error can be waited for."""

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment(**(env or {})),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._said: queue.Queue[str | None] = queue.Queue()
        self.heard: list[str] = []
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join()

    def until(self, words: str, seconds: float = 120.0) -> None:
        """Return once a line has these words; fail, with all that was said, if none ever has."""
        give_up = time.monotonic() + seconds
        while True:
            try:
                line = self._said.get(timeout=max(0.0, give_up - time.monotonic()))
            except queue.Empty:
                line = None
            assert line is not None, f"it never said {words!r}, but: {''.join(self.heard)}"
            self.heard.append(line)
            if words in line:
                return

    def ended(self, seconds: float = 120.0) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(seconds)

    def _listen(self) -> None:
        assert self.process.stderr
        with self.process.stderr as said:
            for line in said:
                self._said.put(line)
        self._said.put(None)
