"""One `sh` at the far end of a wire, running one command at a time."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from harness.errors import Fault
from harness.sandboxes.capture import Capture
from harness.sandboxes.processes import TICKS_PER_SECOND, parse
from harness.sandboxes.script import framed, quote

OPENING_SECONDS = 60.0
_SLACK_TICKS = 2


class Wire(Protocol):
    """The way into a running `sh`: its standard input."""

    def send(self, data: bytes, /) -> None: ...

    def close(self) -> None: ...


class Listener(Protocol):
    """The way out: told of output as it comes, and once of the end."""

    def feed(self, data: bytes, /) -> None: ...

    def lost(self) -> None: ...


Connect: TypeAlias = Callable[[Listener], Awaitable[Wire]]
"""Start a `sh` in a box. A box that is gone raises Fault."""


class Shell:
    """A `sh` that has said hello. What comes between commands is nobody's, and dropped."""

    def __init__(self) -> None:
        self.alive = True
        self.pid = 0
        self.parent = 0
        self.owns_workdir = True
        self._born = 0
        self._born_at = 0.0
        self._reopens_output = False
        self._wire: Wire | None = None
        self._capture: Capture | None = None

    @classmethod
    async def open(cls, connect: Connect, workdir: str) -> Shell:
        shell = cls()
        shell._wire = await connect(shell)
        try:
            await shell._greet(workdir)
        except BaseException:
            shell.close()
            raise
        return shell

    def begin(self, body: bytes, *, stdin: bytes = b"", keep: int = 1 << 20) -> Capture:
        """Send a command; the capture says when and how it ended."""
        nonce = secrets.token_hex(16)
        capture = self._capture = Capture(nonce, keep)
        if self.alive and self._wire:
            out = b"/proc/self/fd/1" if self._reopens_output else b""
            self._wire.send(framed(body, nonce, stdin=stdin, out=out))
        else:
            capture.lose()
        return capture

    def ticks(self, moment: float) -> int:
        """A moment of our monotonic clock on the box's clock of births; never too late."""
        return self._born + int((moment - self._born_at) * TICKS_PER_SECOND) - _SLACK_TICKS

    def feed(self, data: bytes, /) -> None:
        if self._capture:
            self._capture.feed(data)

    def lost(self) -> None:
        self.alive = False
        if self._capture:
            self._capture.lose()

    def close(self) -> None:
        self.lost()
        if self._wire:
            self._wire.close()

    async def _greet(self, workdir: str) -> None:
        assert self._wire
        # What the shell itself has to say ("Killed") would stand between a command and its output.
        self._wire.send(b"exec 2>/dev/null\n")
        capture = self.begin(
            b"read -r row </proc/$$/stat; printf '%s\\n' \"$row\"\n"
            b"[ -d " + quote(workdir) + b" ] && ! [ -O " + quote(workdir) + b" ] && echo foreign\n"
            # Where memory runs out, a command goes before the first process of its box.
            b"printf 500 >/proc/$$/oom_score_adj\n"
            b": >/proc/self/fd/1 && echo reopens"
        )
        done, _ = await asyncio.wait([capture.ended], timeout=OPENING_SECONDS)
        said, _ = capture.result()
        row, *remarks = said.decode(errors="replace").splitlines() or [""]
        process = parse(row)
        if not done or process is None:
            raise Fault("sandbox", f"the box is gone, or its shell is silent: {said[-200:]!r}")
        self._born_at = time.monotonic()
        self.pid, self.parent, self._born = process.pid, process.parent, process.born
        self.owns_workdir = "foreign" not in remarks
        self._reopens_output = "reopens" in remarks
