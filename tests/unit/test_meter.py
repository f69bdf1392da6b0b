from __future__ import annotations

import asyncio

import pytest

from harness.errors import LimitReached, Parked
from harness.limits import RunLimits
from harness.meter import ONE_CALL, Meter, RunMeter
from harness.types import Ending, Limits, Usage

pytestmark = pytest.mark.anyio
CALL = Usage(1, 10, output=5, usd=0.5)
UNPRICED = Usage(1, usd=None)


async def admit(meter: Meter | RunMeter) -> None:
    async with meter.holding(ONE_CALL):
        pass


async def test_a_call_without_a_price_does_not_lift_the_limit_in_dollars() -> None:
    run = RunMeter(RunLimits(usd=1.5))
    meter = Meter(Limits(usd=1.0), run)
    for usage in (CALL, UNPRICED, CALL):
        await admit(meter)
        meter.charge(usage, live=True)
    with pytest.raises(LimitReached) as caught:
        await admit(meter)
    assert caught.value.ending is Ending.COST
    assert meter.used.usd is None, "what is not known is not added up as though it were"
    run.charge(CALL)
    with pytest.raises(Parked):
        await admit(run)


async def test_what_is_replayed_is_used_and_not_spent() -> None:
    run = RunMeter(RunLimits(tokens=15))
    meter = Meter(Limits(turns=2), run)
    meter.charge(CALL, live=False)
    await admit(run)
    meter.charge(CALL, live=True)
    assert (meter.used.calls, meter.spent.calls, run.spent.calls) == (2, 1, 1)
    with pytest.raises(LimitReached):
        await admit(meter)
    with pytest.raises(Parked):
        await admit(run)


async def test_the_hours_of_a_run_end_it() -> None:
    run = RunMeter(RunLimits(hours=1.0))
    await admit(run)
    assert not run.exhausted()
    over = RunMeter(RunLimits(hours=0.0))
    with pytest.raises(Parked, match="hours"):
        await admit(over)
    assert over.exhausted()


@pytest.mark.parametrize(("worst", "overshoot"), [(1.0, 0), (0.25, 4)])
async def test_calls_at_the_same_time_pass_a_limit_by_no_more_than_their_last_replies(
    worst: float, overshoot: int
) -> None:
    """Ten callers, each reply a dollar. An estimate that is true leaves nothing to overshoot."""
    run = RunMeter(RunLimits(usd=4.0))
    under_way = most = 0

    async def caller() -> None:
        nonlocal under_way, most
        while True:
            async with run.holding(Usage(1, usd=worst)):
                under_way += 1
                most = max(most, under_way)
                await asyncio.sleep(0)
                run.charge(Usage(1, usd=1.0))
                under_way -= 1

    for done in await asyncio.gather(*(caller() for _ in range(10)), return_exceptions=True):
        assert isinstance(done, Parked)
    assert 4.0 <= run.usd <= 4.0 + max(overshoot, 0) + most * (1.0 - worst)
    assert most > 1, "they were under way together"
    assert run.usd == 4.0 or worst < 1.0


async def test_a_call_waits_for_what_is_under_way_and_goes_on_if_that_was_cheap() -> None:
    run = RunMeter(RunLimits(tokens=100))
    entered, finish = asyncio.Event(), asyncio.Event()

    async def long() -> None:
        async with run.holding(Usage(1, 90, output=20)):
            entered.set()
            await finish.wait()
            run.charge(Usage(1, 5, output=5))

    first = asyncio.create_task(long())
    await entered.wait()
    second = asyncio.create_task(admit(run))
    await asyncio.sleep(0)
    assert not second.done()
    finish.set()
    await asyncio.gather(first, second)


async def test_a_call_that_is_given_up_while_it_waits_holds_nothing() -> None:
    run = RunMeter(RunLimits(tokens=100))
    async with run.holding(Usage(1, 200)):
        waiting = asyncio.create_task(admit(run))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    await admit(run)
