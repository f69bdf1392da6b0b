"""Commands into a box over a persistent shell, and the end of those that outstay."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from harness.errors import Fault
from harness.hearing import STOPPED
from harness.sandboxes.processes import LIST, Hunt, parse_table, stirred
from harness.sandboxes.shell import Connect, Shell
from harness.sandboxes.threads import unhurried
from harness.types import ExecResult

HUNT_SECONDS = 20.0
HUNT_ROUNDS = 5
HUNT_CROWD = 64
"""A hunt that takes so long, or faces such a crowd after so many rounds, hunts a fork bomb:
then everything in the box is killed at one stroke instead."""
HUNT_LOOKS = 8
"""How often to look again for somebody born meanwhile, or dead and unburied, before it is over."""
OPENING_TRIES = 2
"""How often a box is emptied where no shell opens, before it is given up."""
LAST_WORDS_SECONDS = 5.0
"""How long a shell whose command was killed may need to say so."""
_TABLE_BYTES = 16 << 20

Ended: TypeAlias = "asyncio.Future[int | None]"


class Warden:
    """Opens the shells of one box, and ends the process tree of a command.

    It works from a shell of its own, since the one that runs the command is busy with it.
    """

    def __init__(
        self, connect: Connect, workdir: str, purge: Callable[[], Awaitable[None]]
    ) -> None:
        self._connect = connect
        self._workdir = workdir
        self._kill_all = purge
        self._lock = asyncio.Lock()
        self._own: Shell | None = None
        self._shells: list[Shell] = []

    async def open(self) -> Shell:
        """A new shell; never while a hunt is on, which would take it for an orphan."""
        async with self._lock:
            for _ in range(OPENING_TRIES):
                try:
                    return await self._open()
                except Fault:  # gone, or so full that not even a shell fits in
                    await self._purge()
            return await self._open()

    async def end(self, shell: Shell, ended: Ended, began: float) -> None:
        """Kill what a command that began then in `shell` has started, and all that came of it."""
        async with self._lock:
            for _ in range(2):  # the first may find its shell killed by the very command
                try:
                    async with asyncio.timeout(HUNT_SECONDS):
                        await self._hunt(shell, ended, began)
                except TimeoutError:
                    break
                except Fault:
                    continue
                return
            await self._purge()

    def close(self) -> None:
        for shell in self._shells:
            shell.close()
        self._shells.clear()

    async def _open(self) -> Shell:
        for dead in [shell for shell in self._shells if not shell.alive]:
            dead.close()  # what led to it is still open
            self._shells.remove(dead)
        shell = await Shell.open(self._connect, self._workdir)
        self._shells.append(shell)
        return shell

    async def _purge(self) -> None:
        await self._kill_all()
        for shell in self._shells:
            shell.close()  # dead by now, though news of it may be slow

    async def _hunt(self, shell: Shell, ended: Ended, began: float) -> None:
        own = await self._awake()
        spared = {s.pid for s in self._shells if s.alive}
        hunt = Hunt(shell.pid, (shell.ticks(began), 0), own.parent or 1, spared)
        pause, quiet = 0.0, 0
        for round_ in itertools.count():
            over = ended.done()  # asked first: a command that was just sent may yet have to start
            seen = await self._ask(own, LIST)
            table = parse_table(seen)
            hunt = hunt.narrowed(table)
            doomed = hunt.doomed(table)
            quiet = quiet + 1 if over and not doomed else 0
            settled = not stirred(seen) and not hunt.unburied(table)
            if quiet and (settled or quiet >= HUNT_LOOKS):
                return
            if round_ >= HUNT_ROUNDS and len(doomed) > HUNT_CROWD:
                raise TimeoutError(f"{len(doomed)} processes outrun their warden")
            if doomed:
                await self._ask(own, b"kill -9 " + b" ".join(b"%d" % pid for pid in sorted(doomed)))
            if over:
                await asyncio.sleep(pause)  # the dying take their time; nothing tells us
            else:
                await asyncio.wait([ended], timeout=pause)
            pause = min(0.2, pause * 2 + 0.002)

    async def _awake(self) -> Shell:
        if self._own is None or not self._own.alive:
            self._own = await self._open()
        return self._own

    async def _ask(self, own: Shell, body: bytes) -> str:
        capture = own.begin(body, keep=_TABLE_BYTES)
        if await asyncio.shield(capture.ended) is None:
            raise Fault("sandbox", "the box killed its warden")
        return capture.result()[0].decode(errors="replace")


class Channel:
    """One command after the other through one shell, which is replaced when it dies."""

    def __init__(self, warden: Warden) -> None:
        self._warden = warden
        self._lock = asyncio.Lock()
        self._shell: Shell | None = None

    async def run(
        self, body: bytes, *, kill_after: float, stdin: bytes = b"", keep: int = 1 << 20
    ) -> ExecResult:
        async with self._lock:
            shell = await self._ready()
            began = time.monotonic()
            capture = shell.begin(body, stdin=stdin, keep=keep)
            patience = None if math.isinf(kill_after) else max(0.0, kill_after)
            try:
                done, _ = await asyncio.wait([capture.ended], timeout=patience)
            except asyncio.CancelledError:
                await unhurried(self._stop(shell, capture.ended, began))
                STOPPED.tell(capture.result()[0])
                raise
            if not done:
                await unhurried(self._stop(shell, capture.ended, began))
            code = capture.ended.result() if done else None
            seconds = time.monotonic() - began
            if done and code is None:
                await unhurried(self._replace(shell, capture.ended, began))
            output, omitted = capture.result()
        if not done:
            return ExecResult(None, output, seconds, omitted, "deadline")
        return ExecResult(code, output, seconds, omitted, "lost" if code is None else "exit")

    @property
    def used(self) -> bool:
        return self._shell is not None

    @property
    def alive(self) -> bool:
        """Whether its shell lives, or has yet to be opened."""
        return self._shell is None or self._shell.alive

    async def ready(self) -> Shell:
        """Open the shell now rather than at the first command."""
        async with self._lock:
            return await self._ready()

    async def _ready(self) -> Shell:
        shell = self._shell
        if shell is None or not shell.alive:
            shell = await unhurried(self._open())
        return shell

    async def _open(self) -> Shell:
        self._shell = await self._warden.open()
        return self._shell

    async def _stop(self, shell: Shell, ended: Ended, began: float) -> None:
        await self._warden.end(shell, ended, began)
        done, _ = await asyncio.wait([ended], timeout=LAST_WORDS_SECONDS)
        if not done:
            shell.close()

    async def _replace(self, shell: Shell, ended: Ended, began: float) -> None:
        """After the death of a shell: its command goes too, and a box that is gone raises."""
        shell.close()
        await self._open()
        await self._warden.end(shell, ended, began)
