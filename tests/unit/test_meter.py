from __future__ import annotations

import pytest

from harness.errors import LimitReached, Parked
from harness.meter import Meter, RunLimits, RunMeter
from harness.types import Ending, Limits, Usage

CALL = Usage(1, 10, output=5, usd=0.5)
UNPRICED = Usage(1, usd=None)


def test_a_call_without_a_price_does_not_lift_the_limit_in_dollars() -> None:
    run = RunMeter(RunLimits(usd=1.5))
    meter = Meter(Limits(usd=1.0), run)
    for usage in (CALL, UNPRICED, CALL):
        meter.admit()
        meter.charge(usage, live=True)
    with pytest.raises(LimitReached) as caught:
        meter.admit()
    assert caught.value.ending is Ending.COST
    assert meter.used.usd is None, "what is not known is not added up as though it were"
    run.charge(CALL)
    with pytest.raises(Parked):
        meter.admit_live()


def test_what_is_replayed_is_used_and_not_spent() -> None:
    run = RunMeter(RunLimits(tokens=15))
    meter = Meter(Limits(turns=2), run)
    meter.charge(CALL, live=False)
    meter.admit_live()
    meter.charge(CALL, live=True)
    assert (meter.used.calls, meter.spent.calls, run.spent.calls) == (2, 1, 1)
    with pytest.raises(LimitReached):
        meter.admit()
    with pytest.raises(Parked):
        meter.admit_live()
