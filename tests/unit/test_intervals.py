"""Intervals for one proportion, against values that were worked out twice elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from results.stats.proportion import bounds, clopper_pearson, wilson

REFERENCE = Path(__file__).parents[3] / "shared" / "statistics" / "reference.json"


@pytest.fixture(scope="module")
def golden() -> Any:
    if not REFERENCE.exists():
        pytest.skip("the golden values are not beside this checkout (../shared/statistics)")
    return json.loads(REFERENCE.read_text())["proportion_ci_95"]


def test_both_intervals_have_their_golden_values(golden: Any) -> None:
    for case, expected in golden["cases"].items():
        successes, n = map(int, case.split("/"))
        assert wilson(successes, n) == pytest.approx(expected["wilson"], abs=golden["tol"])
        exact = clopper_pearson(successes, n)
        assert exact == pytest.approx(expected["clopper_pearson"], abs=golden["tol"])


def test_published_values_hold_without_the_golden_file() -> None:
    assert wilson(319, 730) == pytest.approx((0.40142738, 0.473204942), abs=1e-8)
    assert clopper_pearson(0, 20) == pytest.approx((0.0, 0.168433471), abs=1e-8)


def test_nothing_measured_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("n", [1, 5, 731])
def test_none_and_all_pin_one_end_exactly(n: int) -> None:
    assert wilson(0, n)[0] == clopper_pearson(0, n)[0] == 0.0
    assert wilson(n, n)[1] == clopper_pearson(n, n)[1] == 1.0


def test_a_higher_level_is_a_wider_interval() -> None:
    narrow, wide = wilson(10, 20, level=0.8), wilson(10, 20, level=0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_wilson_takes_a_sum_of_task_means() -> None:
    low, high = wilson(2.5, 5)
    assert low < 0.5 < high


@pytest.mark.parametrize(("successes", "n", "level"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0)])
def test_impossible_counts_are_refused(successes: int, n: int, level: float) -> None:
    with pytest.raises(ValueError):
        wilson(successes, n, level=level)
    with pytest.raises(ValueError):
        clopper_pearson(successes, n, level=level)


def test_bounds_count_what_is_missing_both_ways() -> None:
    assert bounds(240, 562, 730) == pytest.approx((0.328767123, 0.55890411), abs=1e-8)
    assert bounds(3, 4, 4) == (0.75, 0.75)
    assert bounds(0, 0, 10) == (0.0, 1.0)
    assert bounds(0, 0, 0) is None
    with pytest.raises(ValueError):
        bounds(5, 4, 10)
