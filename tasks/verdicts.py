"""From what became of each test to a verdict. Pure; every grader ends here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.types import Reason, Status, Tally, Verdict


def judge(
    tests: Mapping[str, Status],
    fail_to_pass: Sequence[str],
    pass_to_pass: Sequence[str],
    mode: str = "strict",
) -> Verdict:
    """Resolved when every expected test passed; a name that nothing reports is missing.

    Expecting nothing is a ValueError in `strict`, and a pass in `compat`, as it is officially.
    """
    if mode == "strict" and not (fail_to_pass or pass_to_pass):
        raise ValueError("a task that expects no test to pass cannot be judged")
    first, second = tally(tests, fail_to_pass), tally(tests, pass_to_pass)
    failed = first.failed + second.failed
    missing = first.missing + second.missing
    reason: Reason = "resolved"
    if failed or missing:
        reason = "tests_failed" if failed else "tests_missing"
    return Verdict(reason == "resolved", reason, mode, first, second)


def tally(tests: Mapping[str, Status], expected: Iterable[str]) -> Tally:
    """How the expected tests came out; one that was skipped did not pass, so it failed."""
    counts = {"passed": 0, "failed": 0, "missing": 0}
    for name in dict.fromkeys(expected):
        status = tests.get(name, "missing")
        counts[status if status in counts else "failed"] += 1
    return Tally(**counts)
