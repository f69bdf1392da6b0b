"""Many requests at a time, each with a connection of its own, and none opened for want of care."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.models.openai import http
from harness.models.serving import served

pytestmark = pytest.mark.anyio


class Party:
    """Answers once as many are there as it waits for, and knows every connection by its port."""

    def __init__(self, guests: int) -> None:
        self.there = asyncio.Barrier(guests)
        self.ports: set[int] = set()
        self.one_is_there = asyncio.Event()

    async def answer(self, request: Request) -> Response:
        assert request.client
        self.ports.add(request.client.port)
        self.one_is_there.set()
        await self.there.wait()
        return Response("x" * 100_000)


async def test_a_connection_is_used_again_by_whoever_asks_next() -> None:
    party = Party(20)
    app = Starlette(routes=[Route("/", party.answer)])
    async with asyncio.timeout(60), served(app) as url, http(30) as client:
        for _ in range(3):
            answers = await asyncio.gather(*(client.get(url) for _ in range(20)))
            assert {answer.status_code for answer in answers} == {200}
    assert len(party.ports) == 20


async def test_who_gives_up_before_the_answer_or_within_it_blocks_no_connection() -> None:
    party = Party(2)
    app = Starlette(routes=[Route("/", party.answer)])
    async with asyncio.timeout(60), served(app) as url, http(30) as client:
        alone = asyncio.create_task(client.get(url))
        await party.one_is_there.wait()
        alone.cancel()
        await asyncio.gather(alone, return_exceptions=True)
        party.there = asyncio.Barrier(1)
        async with client.stream("GET", url) as half:
            async for _ in half.aiter_bytes(1000):
                break
        assert (await client.get(url)).text == "x" * 100_000


async def test_an_endpoint_that_is_not_there_is_an_error_each_time() -> None:
    async with http(5) as client:
        for _ in range(3):
            with pytest.raises(httpx2.ConnectError):
                await client.get("http://127.0.0.1:9/")
