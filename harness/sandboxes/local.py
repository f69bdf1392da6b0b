"""Boxes on this machine: a keeper process, the sockets and pipes that lead to it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from harness.errors import Fault
from harness.sandboxes.shell import Listener, Wire

START_SECONDS = 60.0
CLOSE_SECONDS = 10.0
_KEEPER = Path(__file__).with_name("keeper.py")


def python() -> Path:
    """The interpreter without its virtual environment."""
    here = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return here if here.exists() else Path(sys.executable).resolve()


class Kept:
    """A running keeper, seen from outside."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._orders = 0
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._wires: dict[int, PipeWire] = {}
        self._gone = False
        self.port: socket.socket | None = None
        """Listens on the loopback of the box, where that was asked for."""

    @classmethod
    async def start(
        cls,
        wrapper: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        limits: Mapping[int, int] | None = None,
        port: int = 0,
    ) -> Kept:
        """Run a keeper under `wrapper`; what that says when it fails becomes the Fault."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, tempfile.TemporaryFile() as said:
            argv = [
                *wrapper,
                *(str(python()), "-I", "-S", "-c", _KEEPER.read_text(), str(theirs.fileno())),
                ",".join(f"{kind}={value}" for kind, value in (limits or {}).items()),
                *([str(port)] if port else []),
            ]
            try:
                process = _spawn(argv, cwd=cwd, env=env, fd=theirs.fileno(), said=said)
            except BaseException:
                ours.close()
                raise
            theirs.close()
            kept = cls(process, ours)
            try:
                await kept._greet(said)
            except BaseException:
                await kept.close()
                raise
            return kept

    @property
    def pid(self) -> int:
        return self._process.pid

    async def connect(self, listener: Listener, /) -> Wire:
        """Start a `sh` in the box, its input and output two fresh pipes."""
        self._orders += 1
        order = b"%d" % self._orders
        in_read, in_write = os.pipe()
        out_read, out_write = os.pipe()
        try:
            answer = await self._order(b"started " + order, order, [in_read, out_write])
        except BaseException:
            os.close(in_write)
            os.close(out_read)
            raise
        finally:
            os.close(in_read)
            os.close(out_write)
        pid = int(answer)
        wire = await PipeWire.open(listener, in_write, out_read)
        if not pid:
            wire.close()
            raise Fault("sandbox", "the box cannot start another process")
        self._wires[pid] = wire
        return wire

    async def purge(self) -> None:
        await self._order(b"purged", b"purge", [])

    async def close(self) -> None:
        """End the keeper and, with it, everything in the box."""
        self._lose()
        if self.port:
            self.port.close()
        # The end of the socket tells the keeper to kill what it kept, and to go.
        self._control.close()
        if not await _exited(self._process, CLOSE_SECONDS):
            self._process.kill()
            await _exited(self._process, START_SECONDS)

    async def _greet(self, said: IO[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self._control.setblocking(False)
        hello = b""
        with suppress(OSError):
            if await _readable(self._control.fileno(), START_SECONDS):
                hello, fds, _, _ = socket.recv_fds(self._control, 64, 1)
                self.port = socket.socket(fileno=fds[0]) if fds else None
        if hello != b"ready":
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise Fault("sandbox", f"the box did not start: {lines[-1]}")
        loop.add_reader(self._control.fileno(), self._heard)

    async def _order(self, reply: bytes, order: bytes, fds: list[int]) -> bytes:
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[reply] = waiting
        try:
            if self._gone:
                raise Fault("sandbox", "the box is gone: its first process has ended")
            socket.send_fds(self._control, [order], fds)
            async with asyncio.timeout(START_SECONDS):
                return await waiting
        except OSError as error:  # a timeout is one too
            raise Fault("sandbox", f"the box is gone or hangs: {error}") from error
        finally:
            self._waiting.pop(reply, None)

    def _heard(self) -> None:
        try:
            message = self._control.recv(256)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self._lose()
            return
        key, _, rest = message.rpartition(b" ") if b" " in message else (message, b"", b"")
        if key == b"ended":
            if wire := self._wires.pop(int(rest), None):
                wire.ended()
        elif (waiting := self._waiting.get(key)) and not waiting.done():
            waiting.set_result(rest)

    def _lose(self) -> None:
        if self._gone:
            return
        self._gone = True
        with suppress(ValueError, OSError):
            asyncio.get_running_loop().remove_reader(self._control.fileno())
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("its first process has ended"))
        for wire in list(self._wires.values()):
            wire.ended()
        self._wires.clear()


class PipeWire(asyncio.Protocol):
    """A pair of pipes as a wire."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._reading: asyncio.ReadTransport | None = None
        self._writing: asyncio.WriteTransport | None = None

    @classmethod
    async def open(cls, listener: Listener, in_write: int, out_read: int) -> PipeWire:
        wire = cls(listener)
        loop = asyncio.get_running_loop()
        wire._reading, _ = await loop.connect_read_pipe(lambda: wire, os.fdopen(out_read, "rb", 0))
        wire._writing, _ = await loop.connect_write_pipe(
            asyncio.BaseProtocol, os.fdopen(in_write, "wb", 0)
        )
        return wire

    def send(self, data: bytes, /) -> None:
        if self._writing and not self._writing.is_closing():
            self._writing.write(data)

    def close(self) -> None:
        if self._writing and not self._writing.is_closing():
            self._writing.abort()
        if self._reading:
            self._reading.close()

    def ended(self) -> None:
        """The shell is dead, whoever else holds its pipes: read what there is, then stop."""
        if self._reading and not self._reading.is_closing():
            fd = self._reading.get_extra_info("pipe").fileno()
            with suppress(OSError):
                while data := os.read(fd, 1 << 16):
                    self._listener.feed(data)
        self._listener.lost()

    def data_received(self, data: bytes) -> None:
        self._listener.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.lost()


def _spawn(
    argv: Sequence[str], *, cwd: str, env: Mapping[str, str], fd: int, said: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        pass_fds=[fd],
        start_new_session=True,
    )


async def _exited(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a child without a thread: its descriptor becomes readable when it ends."""
    if process.poll() is not None:
        return True
    watch = os.pidfd_open(process.pid)
    try:
        if not await _readable(watch, seconds):
            return False
    finally:
        os.close(watch)
    process.wait()
    return True


async def _readable(fd: int, seconds: float) -> bool:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        async with asyncio.timeout(seconds):
            await ready.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(fd)
    return True
