"""The engine's frames, undone; sockets that the event loop cannot drive, driven."""

from __future__ import annotations

import asyncio
import socket

import pytest

from harness.sandboxes.docker_wire import Frames, open_wire

pytestmark = pytest.mark.anyio


class Heard:
    def __init__(self) -> None:
        self.data = b""
        self.ended = asyncio.Event()
        self.said = asyncio.Event()

    def feed(self, data: bytes, /) -> None:
        self.data += data
        self.said.set()

    def lost(self) -> None:
        self.ended.set()


def frame(data: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


async def test_frames_are_undone_wherever_they_are_cut() -> None:
    stream = frame(b"one ") + frame(b"") + frame(b"two ", 2) + frame(b"x" * 70_000)
    for piece in (1, 7, 8, 9, 4096, len(stream)):
        heard = Heard()
        frames = Frames(heard)
        for start in range(0, len(stream), piece):
            frames.data_received(stream[start : start + piece])
        assert heard.data == b"one two " + b"x" * 70_000


async def test_a_socket_of_another_kind_gets_a_go_between() -> None:
    hijacked, far = socket.socketpair()
    with far:
        heard = Heard()
        wire = await open_wire(hijacked, heard)
        wire.send(b"a command")
        assert await asyncio.to_thread(far.recv, 100) == b"a command"
        far.sendall(frame(b"an answer"))
        await asyncio.wait_for(heard.said.wait(), 30)
        assert heard.data == b"an answer"
        wire.close()
        assert await asyncio.to_thread(far.recv, 100) == b""
    await asyncio.wait_for(heard.ended.wait(), 30)
