"""Keys that are refused, spent, spread or changed while a run lasts, over real sockets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from harness.errors import Fault, UsageError
from harness.models.connection import Connection, Pools, connect
from harness.models.keys import Key, Source, in_file
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint, EndpointRefused, preflight
from harness.models.serving import served
from harness.queueing import QueueClock
from harness.types import Message, Request
from tests.contract.speaking import WHOLE
from tests.contract.test_wires import REPLY

pytestmark = pytest.mark.anyio
ASK = Request((Message("user", "hi"),))


class Till:
    """An endpoint that serves the keys that it takes, and counts who asked."""

    def __init__(self, *taken: str) -> None:
        self.taken = set(taken)
        self.asked: Counter[str] = Counter()
        self.refusal = Response("Insufficient credits", 402)
        self.poison = b""
        self.on_refusal = lambda: None

    async def complete(self, request: HttpRequest) -> Response:
        key = request.headers["authorization"].removeprefix("Bearer ")
        self.asked[key] += 1
        if key in self.taken and not (self.poison and self.poison in await request.body()):
            return JSONResponse(WHOLE["chat"](REPLY))
        self.on_refusal()
        return self.refusal

    @asynccontextmanager
    async def asked_by(self, *by: Key) -> AsyncIterator[Connection]:
        app = Starlette(routes=[Route("/v1/chat/completions", self.complete, methods=["POST"])])
        async with served(app) as url:
            connection = connect(
                "m", Endpoint(f"{url}/v1", by[0].text, by), Knobs(first_pause=0.01)
            )
            try:
                yield connection
            finally:
                await connection.close()


async def test_credit_that_is_gone_before_the_first_reply_stops_the_run() -> None:
    till = Till()
    async with till.asked_by(Key("k1")) as connection:
        with pytest.raises(EndpointRefused, match="Insufficient credits"):
            await connection.complete(ASK)
    assert till.asked.total() == 1


async def test_credit_that_runs_out_later_is_waited_for_in_one_line_and_no_time() -> None:
    till, said, clock = Till("k1"), list[str](), QueueClock()
    async with till.asked_by(Key("k1")) as connection:
        connection.line.pool.say = said.append
        await connection.complete(ASK)
        till.taken.clear()
        till.on_refusal = lambda: till.taken.add("k1") if till.asked["k1"] > 3 else None
        async with asyncio.timeout(30) as deadline:
            until = deadline.when() or 0
            with clock.stopping(deadline), clock.asking() as wait:
                await connection.complete(ASK)
            assert (deadline.when() or 0) > until + 0.9
    assert wait.seconds > 0.9 and clock.seconds == pytest.approx(wait.seconds, abs=0.05)
    assert [line.split(":")[0] for line in said] == ["paused", said[1].split(":")[0]]
    assert "Insufficient credits" in said[0] and "going on" in said[1]


@pytest.mark.parametrize("kept", [False, True])
async def test_a_request_that_alone_is_refused_is_one_attempts_fault(
    kept: bool, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("k1")
    till = Till("k1")
    till.poison, till.refusal = b"poison", Response("<html>blocked</html>", 403)
    async with till.asked_by(Key("k1", file=str(tmp_path / "key") if kept else "")) as connection:
        await connection.complete(ASK)

        async def others() -> None:
            while True:
                await connection.complete(ASK)
                await asyncio.sleep(0.05)

        busy = asyncio.create_task(others())
        with pytest.raises(Fault, match="others were served meanwhile"):
            await connection.complete(Request((Message("user", "poison"),)))
        busy.cancel()


async def test_calls_are_spread_over_keys_and_go_on_without_one_that_is_refused() -> None:
    till = Till("k1", "k2")
    async with till.asked_by(Key("k1"), Key("k2")) as connection:
        await asyncio.gather(*(connection.complete(ASK) for _ in range(8)))
        assert min(till.asked["k1"], till.asked["k2"]) >= 3
        till.taken.discard("k2")
        await asyncio.gather(*(connection.complete(ASK) for _ in range(8)))
    assert till.asked["k1"] >= 8


async def test_a_key_that_has_changed_in_its_file_is_read_again(tmp_path: Path) -> None:
    file, till = tmp_path / "env", Till("new")
    file.write_text("OTHER=x\nexport TOKEN='old'\n")
    (key,) = Source("TOKEN", str(file)).keys({})
    till.refusal = Response("bad key", 401)
    async with till.asked_by(key) as connection:
        file.write_text("TOKEN=new\n")
        await connection.complete(ASK)
        await connection.complete(ASK)
    assert till.asked == {"old": 1, "new": 2}


async def test_a_key_of_a_command_is_asked_for_anew_once_for_all_who_are_refused(
    tmp_path: Path,
) -> None:
    count, gate = tmp_path / "count", asyncio.Event()
    command = f"echo x >>{count}; echo key-$(wc -l <{count})"
    source = Source("TOKEN", command=command)
    (key,) = source.keys({})
    assert source.keys({}) == (key,), "conditions at one endpoint have one key"
    await asyncio.to_thread(key.renewed)  # as before a run, so that the next one is the third
    together: list[str] = []

    class Crowd(Till):
        async def complete(self, request: HttpRequest) -> Response:
            together.append(request.headers["authorization"])
            if len(together) == 5:
                gate.set()
            await gate.wait()
            return await super().complete(request)

    till = Crowd("key-3")
    till.refusal = Response("bad key", 401)
    async with till.asked_by(key) as connection:
        await asyncio.gather(*(connection.complete(ASK) for _ in range(5)))
    assert till.asked == {"key-1": 5, "key-3": 5}
    assert len(count.read_text().split()) == 3


def test_a_command_without_a_key_is_told_so_and_what_it_prints_is_not_shown() -> None:
    for command, said in (("echo se cret", "neither a key alone"), ("echo secret; exit 3", "3")):
        with pytest.raises(UsageError, match=said) as caught:
            Source("TOKEN", command=command).keys({})
        assert "cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "two words", "OTHER=x", "A=1\nB=2"])
def test_a_file_without_the_key_is_told_so_and_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "env").write_text(text)
    with pytest.raises(UsageError, match="neither a key alone nor a line TOKEN=key"):
        in_file(tmp_path / "env", "TOKEN")
    (tmp_path / "env").write_text(" alone=\n")
    assert in_file(tmp_path / "env", "TOKEN") == "alone="


async def test_each_of_several_keys_is_tried_before_anything_starts() -> None:
    async def models(request: HttpRequest) -> Response:
        good = request.headers["authorization"] == "Bearer k1"
        return JSONResponse({"data": []}) if good else JSONResponse({"error": "no"}, 401)

    async with served(Starlette(routes=[Route("/models", models)])) as url:
        await preflight(Endpoint(url, "k1"))
        with pytest.raises(EndpointRefused, match="refuses the key SECOND"):
            await preflight(Endpoint(url, "k1", (Key("k1", "FIRST"), Key("k2", "SECOND"))))


def test_models_at_one_endpoint_share_its_pool() -> None:
    pools = Pools()
    here, there = Endpoint("http://a/v1", "k"), Endpoint("http://b/v1", "k")
    assert pools.of(here) is pools.of(Endpoint("http://a/v1", "k"))
    assert pools.of(here) is not pools.of(there)
