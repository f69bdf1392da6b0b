"""Verdicts say what was proven, and nothing passes by default."""

from __future__ import annotations

import pytest

from harness.types import Status, Tally
from tasks.verdicts import judge

PASSED: dict[str, Status] = {"a": "passed", "b": "passed"}


def test_all_expected_tests_passing_is_resolved() -> None:
    verdict = judge(PASSED, ["a"], ["b"])
    assert verdict.resolved and verdict.reason == "resolved"
    assert (verdict.fail_to_pass, verdict.pass_to_pass) == (Tally(1), Tally(1))


@pytest.mark.parametrize("status", ["failed", "error", "skipped"])
def test_an_expected_test_that_did_not_pass_fails_the_attempt(status: Status) -> None:
    verdict = judge({"a": "passed", "b": status}, ["a"], ["b"])
    assert not verdict.resolved and verdict.reason == "tests_failed"
    assert verdict.pass_to_pass == Tally(failed=1)


def test_an_expected_test_that_nothing_reports_is_missing_and_not_failed() -> None:
    verdict = judge({"a": "passed"}, ["a", "c"], [])
    assert not verdict.resolved and verdict.reason == "tests_missing"
    assert verdict.fail_to_pass == Tally(passed=1, missing=1)


def test_a_failure_outweighs_what_is_missing() -> None:
    assert judge({"a": "failed"}, ["a", "c"], []).reason == "tests_failed"


def test_tests_that_nobody_expects_do_not_matter() -> None:
    assert judge({**PASSED, "z": "failed"}, ["a"], ["b"]).resolved


def test_a_name_that_is_listed_twice_counts_once() -> None:
    assert judge(PASSED, ["a", "a"], []).fail_to_pass == Tally(1)


def test_expecting_nothing_cannot_be_judged_except_as_officially() -> None:
    with pytest.raises(ValueError, match="expects no test"):
        judge(PASSED, [], [])
    verdict = judge({}, [], [], mode="compat")
    assert verdict.resolved and verdict.mode == "compat"
