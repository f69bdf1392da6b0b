"""The door, asked over its real socket, before an endpoint that speaks over a real port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from harness.api import Speech
from harness.errors import Fault, LimitReached, Parked, UsageError
from harness.limits import RunLimits
from harness.meter import Meter, RunMeter
from harness.models.door.bodies import Body, conversation
from harness.models.door.guest import Guest
from harness.models.door.server import Door
from harness.models.door.upstream import Upstream
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint, EndpointRefused
from harness.models.serving import served
from harness.models.wires.table import WIRES
from harness.past import Past, read
from harness.trace import Journal
from harness.types import Ending, Limits, Reply, Usage
from tests.contract.speaking import WHOLE
from tests.contract.test_streams import CUT, Speaker, story
from tests.contract.test_wires import REPLY, said
from tests.e2e.endpoints import answer, whole

pytestmark = pytest.mark.anyio
wires = pytest.mark.parametrize("wire", WIRES)
TEXT = {"role": "user", "content": "hi"}
ASK: dict[str, dict[str, Any]] = {
    "chat": {"model": "small-one", "messages": [TEXT]},
    "responses": {"model": "small-one", "input": [{"type": "message", **TEXT}]},
    "messages": {"model": "small-one", "max_tokens": 100, "messages": [TEXT]},
}
KNOBS = Knobs(first_pause=0.001, attempts=3, price_in=1.0, price_out=1.0)
KEY = "sk-the-real-key-of-the-endpoint"


@dataclass
class Events:
    """A trace in memory, and what of it had been written when each byte was released."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def emit(self, kind: str, data: Mapping[str, Any], /, *, sync: bool = False) -> None:
        event = json.loads(json.dumps({"kind": kind, "at": 0.0, "sync": sync, **data}))
        self.events.append(event)

    async def settled(self) -> None:
        """It is here."""

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]


@dataclass
class Visit:
    """A program at the door: how it asks, what is written of it, and what it comes to."""

    client: httpx2.AsyncClient
    guest: Guest
    trace: Events
    token: str

    async def post(self, wire: str, more: Mapping[str, Any] = {}, **how: Any) -> httpx2.Response:
        return await self.client.post(**self._asking(wire, more, how.pop("headers", {})), **how)

    def stream(self, wire: str) -> AbstractAsyncContextManager[httpx2.Response]:
        more = {"stream": True, "stream_options": {"include_usage": True}}
        return self.client.stream("POST", **self._asking(wire, more, {}))

    def _asking(
        self, wire: str, more: Mapping[str, Any], headers: Mapping[str, str]
    ) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.token}", **headers}
        return {
            "url": f"/v1{WIRES[wire].PATH}",
            "json": {**ASK[wire], **more},
            "headers": headers,
        }


class Switch:
    """One endpoint on one port, that each test puts its own application behind."""

    app: Any

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@dataclass(frozen=True)
class Place:
    door: Door
    upstream: Upstream
    switch: Switch
    client: httpx2.AsyncClient
    limits: Limits = Limits()
    run: RunMeter = field(default_factory=lambda: RunMeter(RunLimits()))
    past: Past = field(default_factory=Past)
    refusal: int = 402

    @asynccontextmanager
    async def before(self, app: Any, wire: str = "chat") -> AsyncIterator[Visit]:
        """A program at the door, which leads to `app`."""
        self.switch.app = app
        trace, speech = Events(), Speech(wire, self.refusal)  # type: ignore[arg-type]
        meter, journal = Meter(self.limits, self.run), Journal(trace, self.past)
        guest = Guest(self.upstream, speech, meter, journal)
        async with self.door.holding(guest) as token:
            yield Visit(self.client, guest, trace, token)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    door, switch = Door(str(tmp_path_factory.mktemp("door") / "door")), Switch()
    way = httpx2.AsyncHTTPTransport(uds=door.path)
    client = httpx2.AsyncClient(transport=way, base_url="http://door", timeout=60)
    async with door.open(), client, served(switch) as url:
        upstream = Upstream("under-test", Endpoint(f"{url}/v1", KEY), KNOBS)
        yield Place(door, upstream, switch, client)
        await upstream.close()


@asynccontextmanager
async def alone(place: Place) -> AsyncIterator[Place]:
    """With a queue of its own, which remembers nothing and will not be remembered."""
    upstream = Upstream("under-test", Endpoint(place.upstream.base_url, KEY), KNOBS)
    yield replace(place, upstream=upstream)
    await upstream.close()


def reply_of(visit: Visit) -> Reply:
    (told,) = read(iter(visit.trace.events), 1, "a").replies
    return told.reply


@wires
async def test_a_whole_answer_is_passed_on_byte_for_byte_and_counted(
    place: Place, wire: str
) -> None:
    payload = json.dumps(WHOLE[wire](REPLY), indent=3).encode()
    speaker = Speaker([payload], kind="application/json")
    async with place.before(speaker, wire) as visit:
        got = await visit.post(wire, headers={"anthropic-beta": "a-b-c"})
        assert (got.status_code, got.content) == (200, payload)
        assert said(reply_of(visit)) == said(REPLY)
        assert visit.guest.meter.spent.tokens == REPLY.usage.tokens
        assert visit.guest.meter.spent.usd == pytest.approx(REPLY.usage.tokens / 1e6)
    ((path, headers, body),) = speaker.asked
    assert path == f"/v1{WIRES[wire].PATH}" and body == {**ASK[wire], "model": "under-test"}
    assert headers["authorization"] == f"Bearer {KEY}" and headers["anthropic-beta"] == "a-b-c"
    assert visit.token not in json.dumps([headers, body])
    facts = visit.guest.facts()
    assert (facts["agent_models"], facts["agent_wire"]) == ({"small-one": 1}, wire)


@wires
async def test_a_stream_is_passed_on_byte_for_byte_and_counted(place: Place, wire: str) -> None:
    told = story(wire)
    async with place.before(Speaker(told), wire) as visit:
        got = await visit.post(wire, {"stream": True, "stream_options": {"include_usage": True}})
        assert got.content == b"".join(told)
        assert said(reply_of(visit)) == said(REPLY)
        assert visit.guest.meter.spent.tokens == REPLY.usage.tokens


@wires
@pytest.mark.parametrize("stream", [False, True])
async def test_the_trace_is_written_before_the_last_byte_is_released(
    place: Place, wire: str, stream: bool
) -> None:
    whole_one = [json.dumps(WHOLE[wire](REPLY)).encode()]
    kind = "text/event-stream" if stream else "application/json"
    speaker = Speaker(story(wire) if stream else whole_one, kind=kind)
    async with place.before(speaker, wire) as visit:
        more = {"stream": stream}
        headers = {"x-api-key": visit.token}
        url, body = f"/v1{WIRES[wire].PATH}", {**ASK[wire], **more}
        async with visit.client.stream("POST", url, json=body, headers=headers) as got:
            seen = [(bytes(part), len(visit.trace.of("reply"))) async for part in got.aiter_bytes()]
        (event,) = visit.trace.of("reply")
        assert event["sync"] and seen[-1][1] == 1
        assert not stream or seen[0][1] == 0, "and the stream was not held up for it"


async def test_usage_is_asked_for_where_a_program_does_not_and_its_chunk_is_kept_from_it(
    place: Place,
) -> None:
    told = story("chat")
    usage = [chunk for chunk in told if b'"choices": []' in chunk]
    assert len(usage) == 1
    speaker = Speaker(told)
    async with place.before(speaker) as visit:
        got = await visit.post("chat", {"stream": True})
        assert got.content == b"".join(told).replace(usage[0], b"")
        assert visit.guest.meter.spent.tokens == REPLY.usage.tokens
    assert speaker.asked[0][2]["stream_options"] == {"include_usage": True}


@wires
async def test_a_token_in_the_path_is_as_good_and_a_wrong_one_is_none(
    place: Place, wire: str
) -> None:
    async with place.before(Speaker(story(wire)), wire) as visit:
        path = f"/as/{visit.token}/v1{WIRES[wire].PATH}"
        assert (await visit.client.post(path, json=ASK[wire])).status_code == 200
        other = {"authorization": "Bearer sk-of-somebody-else"}
        for refused in (
            await visit.client.post(f"/v1{WIRES[wire].PATH}", json=ASK[wire], headers=other),
            await visit.client.post("/as/sk-of-somebody-else/v1/models", json={}),
            await visit.client.get("/v1/models"),
        ):
            assert refused.status_code == 401 and "token" in refused.text
        assert visit.guest.journal.calls == 1


async def test_a_token_ends_with_its_attempt(place: Place) -> None:
    async with place.before(Speaker(story("chat"))) as visit:
        async with place.door.holding(visit.guest) as token:
            headers = {"x-api-key": token}
            assert (await visit.client.get("/v1/models", headers=headers)).status_code == 200
        assert (await visit.client.get("/v1/models", headers=headers)).status_code == 401


async def test_two_attempts_at_once_are_two_meters_two_traces_and_neither_hears_of_the_other(
    place: Place,
) -> None:
    async with alone(place) as apart, apart.before(Speaker(story("chat"))) as one:
        async with apart.before(Speaker(story("chat"))) as other:
            secret = {"messages": [{"role": "user", "content": "of one alone"}]}
            await asyncio.gather(*(one.post("chat", secret) for _ in range(3)), other.post("chat"))
            assert (one.guest.meter.spent.calls, other.guest.meter.spent.calls) == (3, 1)
            assert "of one alone" in json.dumps(one.trace.events)
            assert "of one alone" not in json.dumps(other.trace.events)
            one.guest.ends(LimitReached(Ending.TURNS))
            refused, answered = await one.post("chat"), await other.post("chat")
            assert (refused.status_code, answered.status_code) == (402, 200)
        assert (await other.post("chat")).status_code == 401


async def test_what_else_programs_ask_has_an_answer(place: Place) -> None:
    async with place.before(Saying((404, {}))) as visit:
        http, headers = visit.client, {"x-api-key": visit.token}
        models = (await http.get("/v1/models", headers=headers)).json()
        assert models["data"][0]["id"] == "under-test"
        assert (await http.head("/api/hello")).status_code == 200
        upgrade = {**headers, "connection": "Upgrade", "upgrade": "websocket"}
        upgrade |= {"sec-websocket-key": "x" * 22 + "==", "sec-websocket-version": "13"}
        assert 400 <= (await http.get("/v1/responses", headers=upgrade)).status_code < 500
        counted = await http.post(
            "/v1/messages/count_tokens", json=ASK["messages"], headers=headers
        )
        assert counted.json()["input_tokens"] > 0
        assert (await http.post("/v1/nothing", json={}, headers=headers)).status_code == 404
        bad = await http.post("/v1/chat/completions", content=b"[1]", headers=headers)
        assert bad.status_code == 400 and bad.headers["x-should-retry"] == "false"
        assert visit.guest.journal.calls == 0


class Saying:
    """Answers every call with one status and body; counts them."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers = list(answers)
        self.calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await whole(receive)
        self.calls += 1
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await answer(send, status, json.dumps(body).encode(), content_type="application/json")


BUSY = (429, {"error": {"message": "Rate limit reached", "type": "rate_limit"}})
OVERFLOW = (400, {"error": {"message": "maximum context length is 8 tokens", "code": 400}})
WRONG = (400, {"error": {"message": "unknown field", "code": "bad_request"}})
NO_KEY = (401, {"error": {"message": "Incorrect API key provided"}})


@wires
async def test_trouble_that_passes_is_met_here_and_not_seen(place: Place, wire: str) -> None:
    app = Saying(BUSY, (503, {}), (200, WHOLE[wire](REPLY)))
    async with alone(place) as own, own.before(app, wire) as visit:
        assert (await visit.post(wire)).status_code == 200
        assert (app.calls, visit.guest.journal.calls) == (3, 1)
        visit.guest.judge()


@wires
async def test_trouble_that_stays_is_a_fault_of_the_model_and_asked_no_more(
    place: Place, wire: str
) -> None:
    app = Saying((500, {"error": "down"}))
    async with place.before(app, wire) as visit:
        for _ in range(3):
            refused = await visit.post(wire)
            assert refused.status_code == 402 and refused.headers["x-should-retry"] == "false"
        assert app.calls == 3, "the retries of one call"
        assert visit.guest.over.is_set()
        with pytest.raises(Fault) as caught:
            visit.guest.judge()
    assert caught.value.culprit == "model"


SHAPES = {
    "chat": lambda body: body["error"]["code"] == "budget_exceeded",
    "responses": lambda body: body["error"]["code"] == "budget_exceeded",
    "messages": lambda body: body["type"] == "error" and body["error"]["message"],
}


@wires
@pytest.mark.parametrize("status", [402, 400])
@pytest.mark.parametrize(
    ("limits", "ending"),
    [
        (Limits(turns=1), Ending.TURNS),
        (Limits(tokens=1), Ending.TOKENS),
        (Limits(usd=1e-9), Ending.COST),
    ],
)
async def test_a_spent_budget_is_refused_as_the_program_knows_it_and_is_an_ending(
    place: Place, wire: str, status: int, limits: Limits, ending: Ending
) -> None:
    app = Saying((200, WHOLE[wire](REPLY)))
    async with replace(place, limits=limits, refusal=status).before(app, wire) as visit:
        assert (await visit.post(wire)).status_code == 200
        assert not visit.guest.over.is_set()
        refused = await visit.post(wire, {"stream": True})
        assert refused.status_code == status and SHAPES[wire](refused.json())
        assert app.calls == 1 and visit.guest.over.is_set()
        with pytest.raises(LimitReached) as caught:
            visit.guest.judge()
    assert caught.value.ending is ending


async def test_a_spent_run_parks(place: Place) -> None:
    run = RunMeter(RunLimits(tokens=1), Usage(1, 5))
    async with replace(place, run=run).before(Saying((200, {}))) as visit:
        assert (await visit.post("chat")).status_code == 402
        with pytest.raises(Parked):
            visit.guest.judge()


@wires
async def test_an_overflow_is_told_in_the_endpoints_words_and_is_an_ending_if_it_is_the_last(
    place: Place, wire: str
) -> None:
    app = Saying(OVERFLOW, (200, WHOLE[wire](REPLY)), OVERFLOW)
    async with place.before(app, wire) as visit:
        first = await visit.post(wire)
        assert (first.status_code, first.json()) == OVERFLOW
        with pytest.raises(LimitReached):
            visit.guest.judge()
        await visit.post(wire)
        visit.guest.judge()
        await visit.post(wire)
        with pytest.raises(LimitReached) as caught:
            visit.guest.judge()
    assert caught.value.ending is Ending.CONTEXT and not visit.guest.over.is_set()


async def test_a_request_that_the_endpoint_calls_wrong_is_a_fault_only_if_it_is_the_last(
    place: Place,
) -> None:
    async with place.before(Saying(WRONG, (200, WHOLE["chat"](REPLY)))) as visit:
        assert (await visit.post("chat")).status_code == 400
        with pytest.raises(Fault, match="unknown field"):
            visit.guest.judge()
        await visit.post("chat")
        visit.guest.judge()


async def test_a_refused_key_stops_the_run_and_no_key_is_shown(place: Place) -> None:
    quoted = (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    async with alone(place) as own, own.before(Saying(quoted)) as visit:
        refused = await visit.post("chat")
        assert refused.status_code == 402 and KEY not in refused.text
        with pytest.raises(EndpointRefused):
            visit.guest.judge()


@wires
async def test_a_stream_cut_in_the_middle_reaches_the_program_as_a_cut(
    place: Place, wire: str
) -> None:
    speaker = Speaker([*story(wire)[:3], CUT], story(wire))
    async with place.before(speaker, wire) as visit:
        with pytest.raises(httpx2.HTTPError):
            await visit.post(wire, {"stream": True})
        assert visit.guest.journal.calls == 0 and not visit.guest.over.is_set()
        with pytest.raises(Fault):
            visit.guest.judge()
        assert (await visit.post(wire, {"stream": True})).status_code == 200
        visit.guest.judge()


@wires
async def test_a_stream_that_fails_before_its_first_byte_is_asked_for_again(
    place: Place, wire: str
) -> None:
    speaker = Speaker([], [CUT], story(wire))
    async with place.before(speaker, wire) as visit:
        assert (await visit.post(wire, {"stream": True})).status_code == 200
        assert len(speaker.asked) == 3


async def test_a_call_that_nobody_waits_for_any_more_is_counted_all_the_same(place: Place) -> None:
    reached, left = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        reached.set()
        await left.wait()
        await Saying((200, WHOLE["chat"](REPLY)))(scope, receive, send)

    async with place.before(slow) as visit:
        asked = asyncio.create_task(visit.post("chat"))
        await reached.wait()
        (call,) = visit.guest.calls
        asked.cancel()
        left.set()
        await call
        assert visit.guest.meter.spent.tokens == REPLY.usage.tokens


async def test_a_call_under_way_ends_with_its_attempt(place: Place) -> None:
    reached = asyncio.Event()

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        reached.set()
        while (await receive())["type"] != "http.disconnect":
            pass

    async with place.before(silent) as visit:
        asked = asyncio.create_task(visit.post("chat", {"stream": True}))
        await reached.wait()
        await visit.guest.leave()
        assert not visit.guest.calls
        assert (await asked).status_code == 500


@wires
@pytest.mark.parametrize("stream", [False, True])
async def test_what_an_earlier_try_was_answered_is_given_again_and_not_paid_for(
    place: Place, wire: str, stream: bool
) -> None:
    async with place.before(Saying((200, WHOLE[wire](REPLY))), wire) as visit:
        await visit.post(wire)
    past = read(iter(visit.trace.events), 1, "a")
    app = Saying((500, {}))
    async with replace(place, past=past).before(app, wire) as again:
        usage = {"stream_options": {"include_usage": True}}
        got = await again.post(wire, {"stream": stream, **usage})
        assert got.status_code == 200
        assert stream or got.json() == json.loads(json.dumps(WHOLE[wire](REPLY)))
        assert app.calls == 0 and again.guest.journal.replayed == 1
        assert again.guest.meter.spent == Usage() and again.guest.meter.used.calls == 1
    if stream:
        async with place.before(Speaker([got.content]), wire) as reader:
            await reader.post(wire, {"stream": True})
            assert said(reply_of(reader)) == said(REPLY), "the stream says the same"


async def test_calls_at_the_same_time_are_each_written_whole(place: Place) -> None:
    async with place.before(Speaker(story("chat"), pause=0.005)) as visit:
        asked = [{"messages": [{"role": "user", "content": str(n)}]} for n in range(8)]
        await asyncio.gather(*(visit.post("chat", {**a, "stream": True}) for a in asked))
        kinds = [e["kind"] for e in visit.trace.events]
        assert kinds == ["message", "request", "reply"] * 8
        assert visit.guest.meter.spent.calls == 8


async def test_a_trace_grows_by_what_is_new(place: Place) -> None:
    async with place.before(Saying((200, WHOLE["chat"](REPLY)))) as visit:
        talk = []
        for turn in range(20):
            talk += [{"role": "user", "content": f"{turn} " * 500}]
            await visit.post("chat", {"messages": talk})
        sizes = [len(json.dumps(e)) for e in visit.trace.of("request")]
        assert len(visit.trace.of("message")) == 20 and max(sizes) < 400


async def test_an_endpoint_without_the_wire_is_named_in_one_line(place: Place) -> None:
    async with place.before(Saying((404, {"detail": "Not Found"}))) as visit:
        with pytest.raises(UsageError, match=r"claude-code speaks the messages wire.*404"):
            await visit.guest.upstream.speaks("messages", "claude-code")


def test_a_body_goes_on_as_it_came_but_for_what_is_replaced() -> None:
    raw = ' {"a": 1.50,\n"model" :  "x","n":{"model":"y"},"t":"é\\u00e9\udcff" } '
    body = Body.read(raw.encode(errors="surrogateescape"))
    sent = body.with_fields({"model": "z"}).decode(errors="surrogateescape")
    assert sent == raw.replace('"x"', '"z"')
    assert Body.read(b"{}").with_fields({"model": "z"}) == b'{"model": "z"}'
    added = json.loads(Body.read(b'{"a": 1}').with_fields({"b": 2}))
    assert added == {"a": 1, "b": 2}


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"a": 1', b'{"a" 1}', b"{} {}", b"{1: 2}"])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        Body.read(raw)


@wires
@pytest.mark.parametrize("odd", [{}, {"messages": 1}, {"input": [1]}, {"messages": [{"role": 3}]}])
def test_a_malformed_conversation_is_kept_and_no_error(wire: Any, odd: Any) -> None:
    assert len(conversation(wire, odd).messages) <= 1
