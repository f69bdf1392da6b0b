"""Answers that broke off: what is charged for them, in this process as at the door."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from harness.api import CUT_OFF
from harness.limits import RunLimits
from harness.meter import Meter, RunMeter
from harness.models.connection import connect
from harness.models.hire import Hire, Hired
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint
from harness.models.pool import Pool
from harness.models.serving import served
from harness.past import Past
from harness.trace import Journal, Recorded
from harness.types import Limits, Usage
from tests.contract.test_door import Events
from tests.contract.test_streams import ASK, CUT, Speaker, story, wires
from tests.contract.test_wires import REPLY
from tests.e2e.endpoints import whole

pytestmark = pytest.mark.anyio


@dataclass
class Stuck:
    """Streams some chunks, or nothing at all, says that it has, and waits until it is left."""

    chunks: Sequence[bytes] = ()
    stuck: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await whole(receive)
        if self.chunks:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        for chunk in self.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        self.stuck.set()
        while (await receive())["type"] != "http.disconnect":
            pass


@dataclass
class Asked:
    """What one attempt has to say once its call is over."""

    meter: Meter
    journal: Journal
    trace: Events
    pool: Pool = field(default_factory=Pool)

    def notes(self) -> list[Any]:
        return [e for e in self.trace.of("note") if e["note"] == CUT_OFF]


async def asking(app: Any, *, hire: Hire | None = None, full: bool = False, **knobs: Any) -> Asked:
    """One call that is cut off once `app` is stuck, or when it stands in a `full` queue."""
    trace, meter = Events(), Meter(Limits(), RunMeter(RunLimits()))
    this = Asked(meter, Journal(trace, Past()), trace)
    given = {"first_pause": 0.001, "price_in": 1.0, "price_out": 1.0, **knobs}
    async with served(app) as url:
        connection = connect("m", Endpoint(f"{url}/v1", "k"), Knobs(**given), this.pool)
        model = Hired(connection, hire) if hire else connection
        recorded = Recorded(model, this.journal, meter, None)
        if full:
            this.pool.lanes[0].width = 0
        task = asyncio.create_task(recorded.complete(ASK))
        if full:
            await asyncio.sleep(0)
        else:
            await asyncio.wait(
                [task, stuck := asyncio.create_task(app.stuck.wait())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            stuck.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.close()
    return this


@wires
async def test_a_stream_that_is_cut_off_with_its_attempt_is_charged_what_it_had_told(
    wire: str,
) -> None:
    this = await asking(Stuck(story(wire)[:4]), stream=True, wire=wire)
    spent = this.meter.spent
    assert spent == this.meter.used and spent.calls == 1 and spent.prompt > 0
    assert spent.usd == pytest.approx(spent.tokens / 1e6)
    assert wire != "messages" or spent.prompt == REPLY.usage.prompt, "that has been told"
    assert this.meter.run.spent == spent
    assert len(this.notes()) == 1 and this.journal.facts()["calls_cut_off"] == 1


async def test_an_answer_in_one_piece_may_have_come_to_the_most_that_was_asked_for() -> None:
    this = await asking(Stuck(), max_tokens=500)
    assert this.meter.spent.output == 500 and this.meter.spent.fresh > 0


async def test_a_call_that_never_left_the_queue_costs_nothing() -> None:
    this = await asking(Stuck(), full=True)
    assert this.meter.spent == Usage() and not this.notes()
    assert "calls_cut_off" not in this.journal.facts()


async def test_a_machine_by_the_hour_is_paid_for_the_call_that_was_cut_off() -> None:
    now = iter(range(100))
    this = await asking(Stuck(), hire=Hire(2.0, lambda: float(next(now))))
    assert this.meter.spent.usd is not None and this.meter.spent.usd >= 2.0


@wires
async def test_a_stream_that_broke_and_was_asked_again_is_spent_and_not_used(wire: str) -> None:
    trace, meter = Events(), Meter(Limits(turns=2), RunMeter(RunLimits()))
    speaker = Speaker([*story(wire)[:3], CUT], story(wire))
    knobs = Knobs(first_pause=0.001, stream=True, wire=wire, price_in=1.0, price_out=1.0)
    async with served(speaker) as url:
        connection = connect("m", Endpoint(f"{url}/v1", "k"), knobs)
        reply = await Recorded(connection, Journal(trace, Past()), meter, None).complete(ASK)
        await connection.close()
    (note,) = [e for e in trace.of("note") if e["note"] == CUT_OFF]
    lost = note["usage"]["fresh"]
    assert meter.used == reply.usage, "of a flaky endpoint's making"
    assert lost > 0 and meter.spent.fresh == reply.usage.fresh + lost and meter.spent.calls == 1
    assert meter.run.spent == meter.spent
