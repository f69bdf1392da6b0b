"""The door in the queue of its endpoint: seats, keys, pauses, and calls that are cut off."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from harness.errors import Fault
from harness.models.connection import connect
from harness.models.door.upstream import Upstream
from harness.models.keys import Key, Source
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint
from harness.models.pool import Pool
from harness.models.serving import served
from harness.types import Message, Request
from tests.contract.speaking import WHOLE
from tests.contract.test_door import KNOBS, OVERFLOW, Place, Saying, wires
from tests.contract.test_door import anyio_backend as anyio_backend
from tests.contract.test_door import place as place
from tests.contract.test_streams import CUT, HANG, Speaker, story
from tests.contract.test_wires import REPLY

pytestmark = pytest.mark.anyio
HI = Request((Message("user", "hi"),))


class Queue(Pool):
    """A pool of one seat, which says when somebody has come to it."""

    def __init__(self, width: int = 1, keys: int = 1) -> None:
        super().__init__(keys)
        for lane in self.lanes:
            lane.width = width
        self.came: asyncio.Queue[int] = asyncio.Queue()

    def place(self) -> int:
        place = super().place()
        self.came.put_nowait(place)
        return place


class Till:
    """Serves the keys that it takes, once it is let; counts who asked."""

    def __init__(self, *taken: str) -> None:
        self.taken = set(taken)
        self.asked: Counter[str] = Counter()
        self.open = asyncio.Event()
        self.open.set()
        self.forgives = True
        """Whether a refused key is taken the next time."""

    async def complete(self, request: HttpRequest) -> Response:
        key = request.headers["authorization"].removeprefix("Bearer ")
        self.asked[key] += 1
        if key not in self.taken:
            if self.forgives:
                self.taken.add(key)
            return Response("Insufficient credits", 402)
        if json.loads(await request.body()).get("stream"):
            return StreamingResponse(self._told(), media_type="text/event-stream")
        await self.open.wait()
        return JSONResponse(WHOLE["chat"](REPLY))

    async def _told(self) -> AsyncIterator[bytes]:
        first, *rest = story("chat")
        yield first
        await self.open.wait()
        for chunk in rest:
            yield chunk


@asynccontextmanager
async def asked(till: Till, pool: Pool, *by: Key) -> AsyncIterator[tuple[Any, Upstream]]:
    """The same model for those in this process and for the door."""
    app = Starlette(routes=[Route("/v1/chat/completions", till.complete, methods=["POST"])])
    async with served(app) as url:
        endpoint = Endpoint(f"{url}/v1", by[0].text, by)
        connection = connect("m", endpoint, KNOBS, pool)
        upstream = Upstream("m", endpoint, KNOBS, connection.line)
        try:
            yield connection, upstream
        finally:
            await upstream.close()
            await connection.close()


@asynccontextmanager
async def behind(
    till: Till, pool: Queue, place: Place
) -> AsyncIterator[tuple[Any, asyncio.Task[Any]]]:
    """A visit while a call from this process is at the endpoint, which answers nothing yet."""
    async with (
        asked(till, pool, Key("k")) as (connection, upstream),
        replace(place, upstream=upstream).before(None) as visit,
    ):
        till.open.clear()
        first = asyncio.create_task(connection.complete(HI))
        await pool.came.get()
        yield visit, first


async def test_a_call_that_nobody_waits_for_leaves_the_queue(place: Place) -> None:
    till, pool = Till("k"), Queue()
    async with behind(till, pool, place) as (visit, first):
        leaving = asyncio.create_task(visit.post("chat"))
        await pool.came.get()
        (call,) = visit.guest.calls
        leaving.cancel()
        await asyncio.wait({call})
        with pytest.raises(Fault, match="while the program waited"):
            visit.guest.judge()
        till.open.set()
        await first
        assert till.asked.total() == 1 and visit.guest.meter.spent.calls == 0
        assert (await visit.post("chat")).status_code == 200
        visit.guest.judge()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_program_and_a_scaffold_of_ours_stand_in_one_queue(
    place: Place, stream: bool
) -> None:
    till, pool = Till("k"), Queue()
    async with (
        asked(till, pool, Key("k")) as (connection, upstream),
        replace(place, upstream=upstream).before(None) as visit,
    ):
        till.open.clear()
        first = asyncio.create_task(visit.post("chat", {"stream": stream}))
        await pool.came.get()
        second = asyncio.create_task(connection.complete(HI))
        await pool.came.get()
        third = asyncio.create_task(visit.post("chat"))
        await pool.came.get()
        assert pool.lanes[0].busy == 1, "an answer that streams keeps its seat to its end"
        till.open.set()
        assert (await first).status_code == (await third).status_code == 200
        assert (await second).usage.tokens == REPLY.usage.tokens
        assert pool.lanes[0].busy == 0
        assert visit.guest.journal.queue.seconds > 0
        assert visit.guest.meter.spent.calls == 2


async def test_a_key_refused_in_the_middle_pauses_in_one_line_and_takes_no_time(
    place: Place,
) -> None:
    till, pool, lines = Till("k"), Queue(), list[str]()
    pool.say = lines.append
    async with (
        asked(till, pool, Key("k")) as (_, upstream),
        replace(place, upstream=upstream).before(None) as visit,
    ):
        await visit.post("chat")
        till.taken.clear()
        async with asyncio.timeout(30) as deadline:
            until = deadline.when() or 0
            with visit.guest.journal.queue.stopping(deadline):
                assert (await visit.post("chat")).status_code == 200
            assert (deadline.when() or 0) > until + 0.9
        assert not visit.guest.over.is_set()
        visit.guest.judge()
        assert visit.guest.journal.queue.seconds > 0.9 > visit.guest.journal.model_seconds
    assert len(lines) == 2 and "Insufficient credits" in lines[0] and "going on" in lines[1]


async def test_a_program_that_does_not_wait_for_the_end_of_a_pause_is_no_measurement(
    place: Place,
) -> None:
    till, pool, hurt = Till("k"), Queue(), asyncio.Event()
    till.forgives = False
    pool.say = lambda _: hurt.set()
    async with (
        asked(till, pool, Key("k")) as (_, upstream),
        replace(place, upstream=upstream).before(None) as visit,
    ):
        await visit.post("chat")
        till.taken.clear()
        leaving = asyncio.create_task(visit.post("chat"))
        await hurt.wait()
        leaving.cancel()
        with pytest.raises(Fault, match="Insufficient credits") as caught:
            visit.guest.judge()
        assert caught.value.culprit == "model"


async def test_calls_are_spread_over_keys_and_go_on_without_one_that_is_refused(
    place: Place,
) -> None:
    till = Till("k1", "k2")
    till.forgives = False
    async with (
        asked(till, Queue(4, keys=2), Key("k1"), Key("k2")) as (_, upstream),
        replace(place, upstream=upstream).before(None) as visit,
    ):
        await asyncio.gather(*(visit.post("chat") for _ in range(8)))
        assert min(till.asked["k1"], till.asked["k2"]) >= 3
        till.taken.discard("k2")
        got = await asyncio.gather(*(visit.post("chat") for _ in range(8)))
        assert {answer.status_code for answer in got} == {200}
        assert visit.guest.meter.spent.calls == 16


async def test_a_key_that_has_changed_in_its_file_is_read_again(
    place: Place, tmp_path: Path
) -> None:
    file, till = tmp_path / "env", Till("new")
    till.forgives = False
    file.write_text("TOKEN=old\n")
    (key,) = Source("TOKEN", str(file)).keys({})
    async with (
        asked(till, Queue(), key) as (_, upstream),
        replace(place, upstream=upstream).before(None) as visit,
    ):
        file.write_text("TOKEN=new\n")
        assert (await visit.post("chat")).status_code == 200
        assert (await visit.post("chat")).status_code == 200
    assert till.asked == {"old": 1, "new": 2}


def thinks(thought: asyncio.Event, *then: bytes) -> Starlette:
    """An endpoint that says in comments that it is at work, until there is an answer."""

    async def answer(request: HttpRequest) -> Response:
        async def told() -> AsyncIterator[bytes]:
            yield b": thinking\r\n"
            yield b"\r\n"
            await thought.wait()
            for chunk in then:
                yield chunk

        return StreamingResponse(told(), media_type="text/event-stream")

    return Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])


@wires
async def test_a_model_that_thinks_is_seen_to_live(place: Place, wire: str) -> None:
    thought = asyncio.Event()
    app = thinks(thought, *story(wire))
    async with place.before(app, wire) as visit, visit.stream(wire) as got:
        parts = got.aiter_bytes()
        assert b": thinking".startswith((await anext(parts))[:10])
        thought.set()
        rest = b"".join([part async for part in parts])
        assert rest.endswith(b"".join(story(wire)))


WITH_USAGE = {"stream_options": {"include_usage": True}}


@wires
async def test_a_stream_that_fails_after_its_comments_is_asked_for_again(
    place: Place, wire: str
) -> None:
    alive = b": alive\n\n"
    speaker = Speaker([alive, CUT], [alive, *story(wire)])
    async with place.before(speaker, wire) as visit:
        got = await visit.post(wire, {"stream": True, **WITH_USAGE})
        assert got.content == 2 * alive + b"".join(story(wire))
        visit.guest.judge()


@wires
async def test_trouble_after_comments_is_told_as_an_event(place: Place, wire: str) -> None:
    thought = asyncio.Event()
    told = b"data: %b\n\n" % json.dumps({"type": "error", **OVERFLOW[1]}).encode()
    async with place.before(thinks(thought, told), wire) as visit, visit.stream(wire) as got:
        assert got.status_code == 200, "it cannot be taken back"
        thought.set()
        said = b"".join([part async for part in got.aiter_bytes()])
    (event,) = [line for line in said.splitlines() if line.startswith(b"data:")]
    assert "maximum context length" in str(json.loads(event[5:]))


@wires
async def test_trouble_right_behind_its_comments_has_its_own_status(
    place: Place, wire: str
) -> None:
    told = b"data: %b\n\n" % json.dumps({"type": "error", **OVERFLOW[1]}).encode()
    async with place.before(Speaker([b": alive\n\n" + told]), wire) as visit:
        got = await visit.post(wire, {"stream": True})
    assert got.status_code == 400 and "maximum context length" in got.text


async def test_a_stream_that_waits_for_its_turn_is_kept_alive(place: Place) -> None:
    till, pool, alive = Till("k"), Queue(), b": keep-alive\n\n"
    async with behind(till, pool, place) as (visit, first):
        visit.guest.alive_seconds = 0.01
        async with visit.stream("chat") as got:
            parts = got.aiter_bytes()
            assert (await anext(parts)).startswith(alive)
            till.open.set()
            rest = b"".join([part async for part in parts])
        await first
        assert rest.replace(alive, b"") == b"".join(story("chat")), "and nothing between its bytes"
        visit.guest.judge()


@wires
async def test_a_call_that_is_cut_off_with_its_attempt_is_charged_what_is_known_of_it(
    place: Place, wire: str
) -> None:
    speaker = Speaker([*story(wire)[:4], HANG])
    async with place.before(speaker, wire) as visit:
        async with visit.stream(wire) as got:
            parts = got.aiter_bytes()
            await anext(parts)
            await visit.guest.leave()
            with pytest.raises(httpx2.HTTPError):
                [part async for part in parts]
        spent = visit.guest.meter.spent
        assert spent.calls == 1 and spent.prompt > 0
        assert spent.usd == pytest.approx(spent.tokens / 1e6)
        assert visit.guest.journal.facts()["calls_cut_off"] == 1
        (note,) = [e for e in visit.trace.of("note") if e["note"] == "call_cut_off"]
        assert note["estimated"] is True
        assert wire != "messages" or spent.prompt == REPLY.usage.prompt, "that has been told"


async def test_a_call_that_has_not_reached_the_endpoint_is_not_charged(place: Place) -> None:
    till, pool = Till("k"), Queue()
    async with behind(till, pool, place) as (visit, first):
        second = asyncio.create_task(visit.post("chat"))
        await pool.came.get()
        await visit.guest.leave()
        await second
        assert visit.guest.meter.spent.calls == 0
        till.open.set()
        await first


async def test_what_a_program_sets_itself_is_recorded_and_named(place: Place) -> None:
    knobs = Knobs(temperature=0.0, top_p=0.9, max_tokens=100, first_pause=0.01)
    async with served(app := Saying((200, WHOLE["chat"](REPLY)))) as url:
        upstream = Upstream("m", Endpoint(f"{url}/v1", "k"), knobs)
        async with replace(place, upstream=upstream).before(None) as visit:
            await visit.post("chat", {"temperature": 0.7, "max_tokens": 100})
            await visit.post("chat", {"temperature": 0.2, "max_tokens": 100})
            assert "agent_calls_aside" not in visit.guest.facts(), "it may have no tools at all"
            await visit.post("chat", {"temperature": 0.2, "max_tokens": 100, "tools": [{}]})
            facts = visit.guest.facts()
        await upstream.close()
    assert app.calls == 3 and facts["agent_calls_aside"] == 2
    assert facts["agent_settings"] == {"temperature": ["0.7", "0.2"], "max_tokens": ["100"]}
    assert facts["agent_unequal"] == [
        "asks with temperature = 0.7 or 0.2 where the condition says 0.0",
        "asks with top_p = nothing where the condition says 0.9",
    ]
