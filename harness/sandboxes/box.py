"""A box as the contract has it, whatever it is made of: two channels into it."""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from harness.errors import Fault
from harness.sandboxes.channel import Channel, Warden
from harness.sandboxes.script import command, printf, quote
from harness.sandboxes.shell import Connect
from harness.types import ExecResult

FILE_SECONDS = 120.0
_PIECE_BYTES = 256 << 10
_MISSING, _FOLDER, _UNREADABLE = 201, 202, 203
_LAST_LOOK_SECONDS = 5.0
_OOM_KILLS = b"""for file in memory/memory.oom_control memory.events; do
[ -r /sys/fs/cgroup/$file ] && while read -r key count; do
[ "$key" = oom_kill ] && printf '%s\\n' "$count"
done </sys/fs/cgroup/$file
done"""
_TRUST = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
"""For git, where the repository belongs to somebody else than who works on it."""


@dataclass(frozen=True, slots=True)
class Door:
    """What a kind of box must offer: a new `sh` in it, and death to everything in it."""

    connect: Connect
    purge: Callable[[], Awaitable[None]]
    """Kill every process but the box itself."""
    workdir: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    oom_kills: Callable[[], int] | None = None
    """How many of its processes the kernel has killed for want of memory; None: ask inside."""


class Box:
    """A running box.

    Files travel through a channel of their own, which no command's background children share:
    what is read is what is in the file, whoever is printing meanwhile.
    """

    def __init__(self, door: Door) -> None:
        self._workdir = door.workdir
        self._oom_kills = door.oom_kills
        self._facts = dict(door.facts)
        self._warden = Warden(door.connect, door.workdir, door.purge)
        self._commands = Channel(self._warden)
        self._files = Channel(self._warden)
        self._looked = False

    @property
    def alive(self) -> bool:
        """False once the shell for its commands has died: then the box may be gone as well."""
        return self._commands.alive

    async def warm(self) -> None:
        """Open the shell for commands now rather than at the first of them."""
        await self._commands.ready()

    @property
    def facts(self) -> Mapping[str, Any]:
        return self._facts

    async def exec(
        self,
        argv: Sequence[str],
        /,
        *,
        kill_after: float,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        keep: int = 1 << 20,
    ) -> ExecResult:
        shell = await self._commands.ready()
        variables = {**({} if shell.owns_workdir else _TRUST), **(env or {})}
        body = command(argv, self._workdir, variables)
        return await self._commands.run(body, kill_after=kill_after, stdin=stdin, keep=keep)

    async def read(self, path: str, /, *, limit: int = 1 << 20) -> bytes:
        name = quote(self._at(path))
        most = b"%d" % (limit + 1)
        done = await self._files.run(
            b"[ -d %b ] && exit %d; [ -e %b ] || exit %d; [ -r %b ] || exit %d\n"
            % (name, _FOLDER, name, _MISSING, name, _UNREADABLE)
            + b"head -c %b %b 2>/dev/null && exit; [ $? = 127 ] && exec cat %b"
            % (most, name, name),
            kill_after=FILE_SECONDS,
            keep=limit + 2,
        )
        match done.exit_code:
            case 201:
                raise FileNotFoundError(f"no file {path!r} in the box")
            case 202:
                raise IsADirectoryError(f"{path!r} is a folder")
            case 203:
                raise PermissionError(f"{path!r} may not be read")
            case 0:
                pass
            case _:
                raise Fault("sandbox", f"reading {path!r} failed: {_why(done)}")
        if done.omitted or len(done.output) > limit:
            raise ValueError(f"{path!r} has over {limit} bytes")
        return done.output

    async def write(self, path: str, data: bytes, /) -> None:
        name = quote(self._at(path))
        folder = quote(posixpath.dirname(self._at(path)))
        body = b"[ -d %b ] || mkdir -p %b || exit\n" % (folder, folder)
        for start in range(0, len(data) or 1, _PIECE_BYTES):
            arrow = b" >>" if start else b" >"
            body += printf(data[start : start + _PIECE_BYTES]) + arrow + name
            done = await self._files.run(body, kill_after=FILE_SECONDS)
            if done.ended != "exit":
                raise Fault("sandbox", f"writing {path!r} failed: {_why(done)}")
            if not done.ok:
                raise OSError(f"cannot write {path!r} in the box: {_why(done)}")
            body = b""

    async def last_look(self) -> None:
        """Before the box goes: let its facts say why commands in it died. One that is gone cannot.

        A command that outgrew the memory of its box is the agent's own doing, and no fault; but
        whoever reads of an exit code 137 will want to know.
        """
        if self._looked:
            return
        self._looked = True
        with suppress(Fault):
            kills = self._oom_kills() if self._oom_kills else await self._counted_inside()
            if kills:
                self._facts["oom_kills"] = kills

    async def _counted_inside(self) -> int:
        # To open a shell for this alone would be a good part of what a short attempt takes.
        channel = self._files if self._files.alive and self._files.used else self._commands
        if not channel.used:
            return 0
        done = await channel.run(_OOM_KILLS, kill_after=_LAST_LOOK_SECONDS)
        return sum(int(word) for word in done.text.split() if word.isdecimal())

    def close(self) -> None:
        self._warden.close()

    def _at(self, path: str) -> str:
        return posixpath.join(self._workdir, path)


def _why(done: ExecResult) -> str:
    said = done.text.strip().splitlines()
    return said[-1] if said else f"exit code {done.exit_code}, {done.ended}"
