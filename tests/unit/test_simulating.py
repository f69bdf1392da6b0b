"""A study by the clock: what arithmetic says of simple ones, the simulation says too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.types import Clocks, Usage
from results.planning import HOUR, Pilot, pilot
from results.report.planned import _timing
from results.simulating import Machines, Timing, simulated
from tests.unit.run_folders import attempt, declared, faulted, graded, stored
from tests.unit.test_planning import study

CALLS, TOKENS = 10, 1000
"""Of each attempt of the pilots here, which take 100 seconds, 80 of them the model's."""


def known(folder: Path, *seconds: float, faults: int = 0) -> Pilot:
    """A pilot whose tasks took so long, and so many tries of ten seconds that faulted."""
    usage = Usage(calls=CALLS, fresh=TOKENS)
    taken = [
        replace(graded(attempt(f"t{i}"), True, spent=usage, clocks=_clocks(total)), usage=usage)
        for i, total in enumerate(seconds)
    ]
    lost = [faulted(attempt("t0"), message=str(n)) for n in range(faults)]
    return pilot(stored(folder, declared(len(seconds)), [*taken, *lost]).folder)


def _clocks(total: float) -> Clocks:
    return Clocks(total=total, model=0.8 * total)


def hours(found: Timing) -> float:
    assert found.hours.value is not None, found.hours.reason
    return found.hours.value


@pytest.mark.parametrize("nodes", [1, 2, 5])
def test_equal_attempts_take_what_division_says(tmp_path: Path, nodes: int) -> None:
    found = simulated(study(200), known(tmp_path, 100.0, 100.0), Machines(nodes, 4))
    assert hours(found) == pytest.approx(200 / (4 * nodes) * 100 / HOUR)
    assert found.seats_used == pytest.approx(1.0) and found.bottleneck == "boxes"
    assert found.endpoint_used is None
    assert found.hours.low is None and "nothing varied" in found.hours.reason


def test_an_endpoint_that_allows_less_than_is_asked_is_what_the_study_waits_for(
    tmp_path: Path,
) -> None:
    found = simulated(study(200), known(tmp_path, 100.0, 100.0), Machines(10, 4, rpm=60))
    assert hours(found) == pytest.approx(200 * CALLS / HOUR, rel=0.05), "a call a second"
    assert found.endpoint_used == pytest.approx(1.0, abs=0.06)
    assert found.bottleneck == "endpoint"


def test_tokens_are_a_limit_like_calls(tmp_path: Path) -> None:
    found = simulated(study(200), known(tmp_path, 100.0, 100.0), Machines(10, 4, tpm=6000))
    assert hours(found) == pytest.approx(200 * TOKENS / 6000 / 60, rel=0.05)


def test_an_endpoint_that_allows_more_costs_nothing(tmp_path: Path) -> None:
    found = simulated(study(200), known(tmp_path, 100.0, 100.0), Machines(2, 4, rpm=6000))
    assert hours(found) == pytest.approx(25 * 100 / HOUR, rel=0.05)
    assert found.bottleneck == "boxes"


def test_one_that_lasts_longer_than_the_rest_is_said(tmp_path: Path) -> None:
    found = simulated(study(20), known(tmp_path, *[10.0] * 9, 1000.0), Machines(5, 4))
    assert found.bottleneck == "longest attempts" and found.seats_used < 0.5


def test_what_varies_in_the_pilot_makes_an_interval(tmp_path: Path) -> None:
    found = simulated(study(100), known(tmp_path, *range(50, 150, 5)), Machines(2, 4))
    low, high = found.hours.low, found.hours.high
    assert low and high and low < hours(found) < high
    assert found.hours.question == "B"


def test_faulted_tries_take_their_time_too(tmp_path: Path) -> None:
    without = simulated(study(), known(tmp_path / "a", 100.0, 100.0), Machines(1, 4))
    with_some = simulated(study(), known(tmp_path / "b", 100.0, 100.0, faults=4), Machines(1, 4))
    assert hours(with_some) == pytest.approx(1.2 * hours(without))


def test_a_simulation_without_a_pilot_is_a_dash_and_why(tmp_path: Path) -> None:
    bare = simulated(study(), None, Machines(2, 4))
    assert bare.hours.value is None and "--pilot" in bare.hours.reason
    other = study(scaffolds=("bash",))
    unknown = simulated(other, known(tmp_path, 100.0), Machines(2, 4))
    assert unknown.hours.value is None and "has not measured" in unknown.hours.reason


def test_the_same_is_said_twice(tmp_path: Path) -> None:
    pilot_ = known(tmp_path, 50.0, 150.0, 80.0)
    assert simulated(study(), pilot_, Machines(2, 4)) == simulated(study(), pilot_, Machines(2, 4))


def test_it_is_told_in_three_lines(tmp_path: Path) -> None:
    found = simulated(study(200), known(tmp_path, 100.0, 100.0), Machines(10, 4, rpm=60))
    first, second, third = _timing(found, 200)
    assert first == "simulated on 10 nodes of 4 boxes, 60 calls a minute"
    assert "B, new issues of these repositories" in second
    assert "it waits for the endpoint" in third
