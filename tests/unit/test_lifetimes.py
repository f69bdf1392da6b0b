from __future__ import annotations

from typing import Any

import pytest

from harness.experiment import Experiment
from harness.types import Limits, Part
from harness.verbs.assemble import Address, Assembly
from harness.verbs.loading import Loaded

HOUR = 3600


class Kind:
    """A sandbox that knows of lifetimes, and is never opened."""

    def __init__(self, run_id: str = "", lifetime: int = 0) -> None:
        self.run_id, self.lifetime = run_id, lifetime


def boxes(limits: Limits, **knobs: Any) -> Kind:
    part = Part(f"{__name__}:Kind", knobs)
    silent = (Part("none"),), (Part("nop"),)
    experiment = Experiment(Part("demo"), *silent, sandbox=part, limits=limits)
    kind: Kind = Assembly(experiment, Loaded({}, {}), Address(), "r").sandboxes.inner  # type: ignore[assignment]
    return kind


@pytest.mark.parametrize("seconds", [60.0, 24.0 * HOUR, None])
def test_a_box_outlives_its_attempt_and_a_night_s_sleep(seconds: float | None) -> None:
    lifetime = boxes(Limits(seconds=seconds)).lifetime
    assert lifetime >= (seconds or 7 * 24 * HOUR) + 8 * HOUR


def test_a_lifetime_that_a_person_asks_for_stands() -> None:
    assert boxes(Limits(), lifetime=300).lifetime == 300
