"""How requests of httpx2 travel: by aiohttp, at two thirds of what its own way costs. [aiohttp]

Its parser is compiled, and its pool finds a free connection at once, however many are under way;
that of httpx2 looks at each of its connections for every request.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from errno import ECONNRESET, EPIPE
from ssl import SSLContext
from typing import Any

import aiohttp
import httpx2
from yarl import URL

_IDLE_SECONDS = 60.0
"""For so long a connection is kept between two calls; most servers hang up later than that."""
_ALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 5))
        if hasattr(socket, name)
    ),
]
"""While a model thinks for minutes nothing is sent: so that nobody between us forgets the
connection, and that one whose far end is gone (a laptop slept) is known for dead in minutes."""
HUNG_UP = "disconnected without sending a response"
"""Where a kept connection was closed under us, the request has not been seen."""
_TROUBLE: tuple[tuple[type[Exception], type[httpx2.TransportError]], ...] = (
    (aiohttp.SocketTimeoutError, httpx2.ReadTimeout),
    (aiohttp.ServerTimeoutError, httpx2.ConnectTimeout),
    (aiohttp.ClientConnectorError, httpx2.ConnectError),
    (aiohttp.ClientPayloadError, httpx2.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx2.RemoteProtocolError),
    (aiohttp.InvalidURL, httpx2.UnsupportedProtocol),
    (aiohttp.ClientError, httpx2.ReadError),
    (ConnectionError, httpx2.ReadError),
)
"""The first that fits."""


class Transport(httpx2.AsyncBaseTransport):
    """Connections for any number of calls, which outlast a command and a long thought."""

    def __init__(self, trusted: SSLContext) -> None:
        self._trusted = trusted
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        limits = request.extensions.get("timeout", {})
        asked: dict[str, Any] = {
            "headers": request.headers,
            "data": await request.aread() or None,
            "allow_redirects": False,
            "timeout": aiohttp.ClientTimeout(
                sock_connect=limits.get("connect"), sock_read=limits.get("read")
            ),
        }
        with _told():
            try:
                url = URL(str(request.url), encoded=True)
                answer = await self._opened().request(request.method, url, **asked)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if isinstance(error, OSError) and error.errno not in (ECONNRESET, EPIPE):
                    raise
                raise httpx2.RemoteProtocolError(HUNG_UP) from error
        said = {"reason_phrase": (answer.reason or "").encode()}
        return httpx2.Response(
            answer.status, headers=answer.raw_headers, stream=_Body(answer), extensions=said
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """In the loop that uses it."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=_IDLE_SECONDS,
                ssl=self._trusted,
                socket_factory=_socket,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            )
        return self._session


class _Body(httpx2.AsyncByteStream):
    """The body of an answer, in pieces of what has come by now."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _told():
            async for part in self._answer.content.iter_any():
                yield part

    async def aclose(self) -> None:
        self._answer.release()


@contextmanager
def _told() -> Iterator[None]:
    """Whatever goes wrong, in the words of httpx2."""
    try:
        yield
    except (aiohttp.ClientError, ConnectionError) as error:
        kind = next(ours for theirs, ours in _TROUBLE if isinstance(error, theirs))
        raise kind(str(error) or type(error).__name__) from error


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    for option in _ALIVE:
        made.setsockopt(*option)
    return made
