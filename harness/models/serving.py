"""An ASGI application on a port or a socket of this machine, while a block lasts. [uvicorn]

With httptools beside it, whose parser is compiled: a stream of many chunks costs half as much.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
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
    async with _listening(app, listener, "warning"):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def served_at(app: Any, path: str) -> AsyncIterator[None]:
    """Serve `app` on a unix socket of this name; whom its folder lets in."""
    with _bound(path) as listener:
        # An answer that is cut short on purpose is an error to uvicorn, and no news.
        async with _listening(app, listener, "critical"):
            yield


@contextmanager
def _bound(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        try:
            yield listener
        finally:
            Path(path).unlink()


@asynccontextmanager
async def _listening(app: Any, listener: socket.socket, log_level: str) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app, log_level=log_level, lifespan="off", access_log=False, ws="none", server_header=False
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        server.force_exit = True
        await task
        listener.close()
