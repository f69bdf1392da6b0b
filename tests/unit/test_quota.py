from __future__ import annotations

import pytest

from harness.models.quota import Quota, pause, quotas

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
NOW = 1792567680


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:07 GMT"}, 7.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:07 GMT"}, 0.0),
        ({"x-ratelimit-reset": str(NOW + 5)}, 5.0),
        ({"x-ratelimit-reset": f"{NOW + 5}000"}, 5.0),
        ({"x-ratelimit-reset": "1m30s"}, 90.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_the_pause_that_is_asked_for_is_read(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert pause({"date": DATE, **headers}) == seconds


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ("Rate limit reached. Please try again in 1.2s. Visit", 1.2),
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 20ms.", 0.02),
        ("Please retry in 30.5s.", 30.5),
        ('{"retryDelay": "38s"}', 38.0),
        ("Retry after 7 seconds", 7.0),
        ("try again later", None),
    ],
)
def test_a_pause_that_only_the_words_name_is_read_too(body: str, seconds: float | None) -> None:
    assert pause({}, body) == seconds


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("1s", 1.0), ("6m0s", 360.0), ("120ms", 0.12), ("1h2m3s", 3723.0), ("7.5", 7.5)],
)
def test_the_limit_that_is_used_up_says_when_it_is_new(reset: str, seconds: float) -> None:
    of_tokens = {
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": reset,
    }
    of_requests = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "9h",
    }
    assert pause({**of_tokens, **of_requests}) == pytest.approx(seconds)
    assert quotas(of_tokens) == {"tokens": Quota(1000, 0, pytest.approx(seconds))}


def test_the_limits_of_anthropic_are_read_with_their_times_of_day() -> None:
    headers = {
        "date": DATE,
        "anthropic-ratelimit-input-tokens-limit": "50000",
        "anthropic-ratelimit-input-tokens-remaining": "49000",
        "anthropic-ratelimit-input-tokens-reset": "2026-10-21T07:28:02Z",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-10-21T07:28:30Z",
    }
    assert quotas(headers) == {
        "requests": Quota(50, 0, 30.0),
        "input-tokens": Quota(50000, 49000, 2.0),
    }
    assert pause(headers) == 30.0


@pytest.mark.parametrize("limit", ["", "-1", "many", "inf", "nan", "1e400"])
def test_limits_that_make_no_sense_are_none(limit: str) -> None:
    told = {"x-ratelimit-limit-requests": limit, "x-ratelimit-remaining-requests": "3"}
    assert quotas(told) == {}
