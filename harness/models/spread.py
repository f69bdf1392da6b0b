"""Connections by the thousand. [httpx2]

A transport of the package looks at each of its connections for every request, so that a call with
a thousand under way costs many times what one alone does. Here each has a transport of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx2


class Spread(httpx2.AsyncBaseTransport):
    """Every request by a transport that has no other under way, the one last used before others."""

    def __init__(self, make: Callable[[], httpx2.AsyncBaseTransport]) -> None:
        self._make = make
        self._all: list[httpx2.AsyncBaseTransport] = []
        self._idle: list[httpx2.AsyncBaseTransport] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        one = self._idle.pop() if self._idle else self._another()
        try:
            response = await one.handle_async_request(request)
        except BaseException:
            self._idle.append(one)
            raise
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Lent(response.stream, lambda: self._idle.append(one))
        return response

    async def aclose(self) -> None:
        for one in self._all:
            await one.aclose()

    def _another(self) -> httpx2.AsyncBaseTransport:
        self._all.append(self._make())
        return self._all[-1]


class _Lent(httpx2.AsyncByteStream):
    """The body of an answer, at whose end the transport is free."""

    def __init__(self, body: httpx2.AsyncByteStream, give_back: Callable[[], None]) -> None:
        self._body = body
        self._give_back: Callable[[], None] | None = give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._body:
            yield part

    async def aclose(self) -> None:
        give_back, self._give_back = self._give_back, None
        try:
            await self._body.aclose()
        finally:
            if give_back:
                give_back()
