"""The real client against a real server on loopback that misbehaves in the ways servers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from harness.errors import Fault, LimitReached, UsageError
from harness.models.connection import connect
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint, EndpointRefused, preflight
from harness.models.serving import served
from harness.types import Ending, Message, Reply, Request

pytestmark = pytest.mark.anyio
ASK = Request((Message("user", "hi"),))
GOOD = JSONResponse(
    {
        "model": "m-2026",
        "system_fingerprint": "fp",
        "choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 500_000},
    }
)
KNOBS = Knobs(first_pause=0.01, attempts=4)


class Server:
    """Gives its answers in order, then a good one; counts what it was asked."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []

    async def complete(self, request: HttpRequest) -> Response:
        self.asked.append(await request.body())
        return self.answers.pop(0) if self.answers else GOOD

    @asynccontextmanager
    async def up(self) -> AsyncIterator[Endpoint]:
        app = Starlette(routes=[Route("/v1/chat/completions", self.complete, methods=["POST"])])
        async with served(app) as url:
            yield Endpoint(f"{url}/v1", "sk-secret")


async def ask(server: Server, knobs: Knobs = KNOBS) -> Reply:
    async with server.up() as endpoint:
        connection = connect("m", endpoint, knobs)
        try:
            return await connection.complete(ASK)
        finally:
            await connection.close()


async def test_a_reply_carries_what_the_endpoint_says_of_itself() -> None:
    reply = await ask(Server())
    assert reply.message.content == "hello"
    assert reply.served == {"model": "m-2026", "fingerprint": "fp", "price_source": "none"}
    assert reply.usage.usd is None, "without a price there are tokens and no dollars"


async def test_a_price_is_per_million_tokens() -> None:
    reply = await ask(Server(), Knobs(price_in=2.0, price_out=10.0))
    assert reply.usage.usd == pytest.approx(2.0 + 5.0)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: PlainTextResponse("slow down", 429, {"Retry-After": "0"}),
        lambda: PlainTextResponse("oops", 500),
        lambda: PlainTextResponse("<html>Bad Gateway</html>", 502),
        lambda: PlainTextResponse("<html>login</html>", 200),
        lambda: PlainTextResponse('{"choices": [{"mess', 200),
        lambda: JSONResponse({"error": {"message": "EngineCore died", "code": 500}}),
    ],
    ids=["429", "500", "502", "html-200", "half-json", "error-in-200"],
)
async def test_transient_trouble_is_asked_again(bad: Callable[[], Response]) -> None:
    server = Server(bad(), bad())
    assert (await ask(server)).message.content == "hello"
    assert len(server.asked) == 3


async def test_trouble_that_stays_is_a_fault_of_the_model() -> None:
    server = Server(*[PlainTextResponse("oops", 500) for _ in range(9)])
    with pytest.raises(Fault, match=r"HTTP 500: oops.*4 times") as caught:
        await ask(server)
    assert caught.value.culprit == "model" and len(server.asked) == 4


async def test_a_conversation_that_is_too_long_is_an_ending() -> None:
    said = {"error": {"message": "This model's maximum context length is 8 tokens."}}
    with pytest.raises(LimitReached) as caught:
        await ask(Server(JSONResponse(said, 400)))
    assert caught.value.ending is Ending.CONTEXT


async def test_an_answer_that_never_fits_is_a_wrong_setting_and_told_in_one_line() -> None:
    said = "max_tokens=9000 cannot be greater than max_model_len=2048. (parameter=max_tokens)"
    server = Server(JSONResponse({"error": {"message": said}}, 400))
    with pytest.raises(UsageError, match=r"2048.*give the model a smaller max_tokens"):
        await ask(server)
    assert len(server.asked) == 1


async def test_a_refused_key_stops_the_run_and_is_not_shown() -> None:
    server = Server(JSONResponse({"error": {"message": "Incorrect API key"}}, 401))
    with pytest.raises(EndpointRefused, match="Incorrect API key") as caught:
        await ask(server)
    assert len(server.asked) == 1 and "sk-secret" not in str(caught.value)


async def test_a_request_that_the_endpoint_calls_wrong_is_one_attempts_fault() -> None:
    server = Server(JSONResponse({"error": {"message": "temperature too high"}}, 400))
    with pytest.raises(Fault, match="temperature too high"):
        await ask(server)
    assert len(server.asked) == 1


async def test_a_port_where_nobody_listens_is_told_before_anything_runs() -> None:
    with pytest.raises(UsageError, match=r"no endpoint answers at http://127\.0\.0\.1:9/v1"):
        await preflight(Endpoint("http://127.0.0.1:9/v1", ""))


async def test_an_endpoint_without_a_list_of_models_may_still_be_good() -> None:
    async with Server().up() as endpoint:
        await preflight(endpoint)


async def test_a_crowd_of_attempts_keeps_its_connections() -> None:
    """The package's own client would close all but a hundred after each call."""
    crowd, ports = 120, list[int]()
    meeting = asyncio.Barrier(crowd)

    async def complete(request: HttpRequest) -> Response:
        await request.body()
        assert request.client
        ports.append(request.client.port)
        await meeting.wait()
        return GOOD

    app = Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])])
    async with served(app) as url:
        connection = connect("m", Endpoint(f"{url}/v1", "k"), Knobs(attempts=1))
        connection.line.pool.lanes[0].width = crowd
        try:
            for _ in range(2):
                async with asyncio.TaskGroup() as group:
                    for _ in range(crowd):
                        group.create_task(connection.complete(ASK))
        finally:
            await connection.close()
    assert len(ports) == 2 * crowd
    assert len(set(ports)) == crowd
