"""The hijacked socket of a `docker exec`, driven by the event loop."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import suppress
from typing import Any

from harness.sandboxes.shell import Listener, Wire

_HEADER = 8


class Frames(asyncio.Protocol):
    """Undo the engine's multiplexing: a stream byte, three of padding, four of length, data."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at, end = 0, len(data)
        while end - at >= _HEADER:
            size = int.from_bytes(data[at + 4 : at + _HEADER], "big")
            if end - at - _HEADER < size:
                break
            self._listener.feed(data[at + _HEADER : at + _HEADER + size])
            at += _HEADER + size
        self._rest = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.lost()


class SocketWire:
    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def send(self, data: bytes, /) -> None:
        self._transport.write(data)

    def close(self) -> None:
        self._transport.abort()


async def open_wire(hijacked: Any, listener: Listener) -> Wire:
    """Take a socket over from the SDK, which reads and closes it in its own blocking way."""
    own = _plain(hijacked)
    own.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: Frames(listener), sock=own)
    return SocketWire(transport)


def _plain(hijacked: Any) -> socket.socket:
    """A socket that the event loop can drive: TLS and SSH ones cannot be, and get a go-between."""
    if isinstance(hijacked, socket.SocketIO):
        own = socket.socket(fileno=os.dup(hijacked.fileno()))
        response = getattr(hijacked, "_response", None)
        (response or hijacked).close()
        return own
    ours, theirs = socket.socketpair()
    hijacked.settimeout(None)
    for source, target in ((hijacked, theirs), (theirs, hijacked)):
        threading.Thread(target=_pump, args=(source, target), daemon=True).start()
    return ours


def _pump(source: Any, target: Any) -> None:
    """Copy until either side ends, then end both."""
    with suppress(OSError), source, target:
        while data := source.recv(1 << 16):
            target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
