"""A machine paid by the hour: whoever it serves, its busy hours are paid once."""

from __future__ import annotations

import pytest

from harness.models.hire import Hire, Hired
from harness.models.scripted import Scripted, says
from harness.types import Message, Request


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_calls_at_the_same_time_share_it_and_idle_time_is_nobodys() -> None:
    clock = Clock()
    hire = Hire(2.0, clock)
    with hire.call() as first:
        clock.now = 3.0
        with hire.call() as second:
            clock.now = 7.0
            assert second.priced(says("x")).usage.usd == pytest.approx(2 * 2.0)
        clock.now = 8.0
        assert first.priced(says("x")).usage.usd == pytest.approx(2 * (3 + 2 + 1))
    clock.now = 100.0
    with hire.call() as third:
        clock.now = 101.0
        told = third.priced(says("x"))
    assert told.usage.usd == pytest.approx(2.0) and told.served["price_source"] == "gpu-hour"


@pytest.mark.anyio
async def test_a_served_models_replies_cost_what_their_calls_bear() -> None:
    model = Hired(Scripted([says("x")]), Hire(1e6))
    reply = await model.complete(Request((Message("user", "hi"),)))
    assert (reply.usage.usd or 0) > 0 and reply.usage.usd != says("x").usage.usd
