"""A run's budget under many attempts at a time, against an endpoint on a real port."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.types import Receive, Scope, Send

from harness.errors import Parked
from harness.limits import RunLimits
from harness.meter import Meter, RunMeter
from harness.models.connection import connect
from harness.models.knobs import Knobs
from harness.models.metered import Metered
from harness.models.openai import Endpoint
from harness.models.serving import served
from harness.past import Past
from harness.trace import Journal, Recorded
from harness.types import Limits, Message, Request
from tests.contract.test_door import Events
from tests.e2e.endpoints import answer, whole

pytestmark = pytest.mark.anyio
ATTEMPTS = 12
OUTPUT = 100
REPLY_USD = 100 * 1e-6 * 1000


class Counting:
    """Each reply has 100 tokens of output and none else; how many calls were under way at once."""

    def __init__(self) -> None:
        self.calls = self.under_way = self.most = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await whole(receive)
        self.calls += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.02)
        self.under_way -= 1
        message = {"role": "assistant", "content": "."}
        usage = {"prompt_tokens": 0, "completion_tokens": OUTPUT}
        payload = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
        body = json.dumps(payload).encode()
        await answer(send, 200, body, content_type="application/json")


@pytest.mark.parametrize("told", [True, False], ids=["the most is known", "the most is not known"])
async def test_attempts_at_the_same_time_overshoot_by_no_more_than_their_last_replies(
    told: bool,
) -> None:
    """At a thousand dollars a million: a reply is 0.1, the budget ten replies and a half."""
    run, app = RunMeter(RunLimits(usd=10.5 * REPLY_USD)), Counting()
    async with served(app) as url:
        knobs = Knobs(price_in=1000, price_out=1000, max_tokens=OUTPUT if told else None)
        connection = connect("m", Endpoint(f"{url}/v1", "key"), knobs)

        async def attempt(number: int) -> None:
            meter = Meter(Limits(turns=None), run)
            worst = connection.quote.worst
            recorded = Recorded(connection, Journal(Events(), Past()), meter, None, worst)
            model = Metered(recorded, meter, worst)
            while True:
                await model.complete(Request((Message("user", str(number)),)))

        attempts = (attempt(number) for number in range(ATTEMPTS))
        ended = await asyncio.gather(*attempts, return_exceptions=True)
        await connection.close()
    assert {type(each) for each in ended} == {Parked}, ended
    assert run.exhausted() and app.calls == 11, "ten replies and a half: the last one passes it"
    assert run.usd - run.limits.usd <= REPLY_USD  # type: ignore[operator]
    assert app.most > 1 or not told
