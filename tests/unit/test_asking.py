"""What a probe makes of an endpoint that hangs up."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from harness.models.openai import Endpoint
from harness.models.probing.asking import Asker

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("broken", [True, False], ids=["reset", "closed"])
async def test_an_endpoint_that_hangs_up_on_a_request_is_there_all_the_same(broken: bool) -> None:
    """llama-cpp-python's server does so where it is sent half a JSON."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        if broken:
            at_once = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with Asker("m", Endpoint(f"http://127.0.0.1:{port}/v1", "key")) as ask:
            answer = await ask.post("/chat/completions", b'{"model": }')
    assert answer.status == 0
    assert answer.text.startswith("hung up")
