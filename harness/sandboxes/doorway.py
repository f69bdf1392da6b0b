"""The way out of a box: what connects to its loopback is connected with one unix socket of ours.

The listening socket was made in the box's network and handed out to us, so nothing of this runs in
the box, nothing has to be there for it, and it ends with whoever holds it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

PORT = 8377
"""Of the door, on the loopback of every box that has one."""
_AHEAD_BYTES = 1 << 20


@asynccontextmanager
async def forwarding(port: socket.socket | None, door: str) -> AsyncIterator[None]:
    """Lead every connection at `port`, if any, to the unix socket `door` while the block lasts."""
    if port is None:
        yield
        return
    port.setblocking(False)
    port.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ways: set[_Way] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Way(door, ways).near, sock=port)
    try:
        yield
    finally:
        server.close()
        for way in list(ways):
            way.cut()


class _Way:
    """One connection: its end in the box, and its end at the door."""

    def __init__(self, door: str, ways: set[_Way]) -> None:
        self._door = door
        self._ways = ways
        self.near, self.far = _End(self), _End(self)
        self.near.other, self.far.other = self.far, self.near
        self._joining: asyncio.Task[None] | None = None

    def begun(self) -> None:
        if self._joining is None:
            self._ways.add(self)
            self._joining = asyncio.create_task(self._join())

    async def _join(self) -> None:
        assert self.near.transport
        self.near.transport.pause_reading()
        loop = asyncio.get_running_loop()
        try:
            await loop.create_unix_connection(lambda: self.far, self._door)
        except OSError:  # nobody is behind the door any more
            self.cut()
            return
        if self.near.transport.is_closing():
            self.cut()
        else:
            self.near.transport.resume_reading()

    def cut(self) -> None:
        self._ways.discard(self)
        if self._joining:
            self._joining.cancel()
        for end in (self.near, self.far):
            if end.transport:
                end.transport.abort()

    def ended(self) -> None:
        """Either end is gone: let what was said before reach the other, then end that too."""
        self._ways.discard(self)
        for end in (self.near, self.far):
            if end.transport:
                end.transport.close()


class _End(asyncio.Protocol):
    def __init__(self, way: _Way) -> None:
        self._way = way
        self.other: _End | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(_AHEAD_BYTES)
        self._way.begun()

    def data_received(self, data: bytes) -> None:
        if self.other and self.other.transport:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Who asks may have said all and still want the answer; who answers has then said all."""
        if self is not self._way.near or self._way.far.transport is None:
            return False
        self._way.far.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._way.ended()
