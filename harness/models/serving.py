"""An ASGI application on a loopback port, for as long as a block lasts. [uvicorn]"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs the event loop."""

    def capture_signals(self) -> Any:
        return _nothing()


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@asynccontextmanager
async def served(app: Any, port: int = 0) -> AsyncIterator[str]:
    """Serve `app` on 127.0.0.1, on a free port or this one; yield its URL, with no final slash."""
    listener = socket.create_server(("127.0.0.1", port))
    # A socket made so has protocol 0, for which asyncio leaves Nagle's algorithm on: 40 ms a call.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        await task
        listener.close()
