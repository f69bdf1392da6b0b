"""From the evidence of one grading to its verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from harness.types import ExecResult, Verdict
from tasks import verdicts
from tasks.local import echo
from tasks.local.folder import Oracle
from tasks.local.junit import Report

_KILLED = 137


@dataclass(frozen=True, slots=True)
class Evidence:
    ran: ExecResult
    report: Report | None
    trouble: str = ""
    """Why there is no report."""
    canaries: tuple[str, ...] = ()
    copies: Mapping[str, str] = field(default_factory=dict)


def reach(oracle: Oracle, evidence: Evidence, *, empty: bool) -> Verdict:
    """What the tests say, unless they hung or the runner was not honest about the canaries."""
    tests = evidence.report.tests if evidence.report else {}
    judged = verdicts.judge(tests, oracle.fail_to_pass, oracle.pass_to_pass)
    notes = tuple(_remarks(evidence))
    if evidence.ran.ended == "deadline":
        hung = f"the tests ran for more than {oracle.test_seconds:g} seconds, and were killed"
        return replace(judged, resolved=False, reason="tests_hung", notes=(hung, *notes))
    if suspicion := _suspicion(evidence, judged) or _by_name(oracle, evidence, judged):
        return replace(judged, resolved=False, reason="tampered", notes=(suspicion, *notes))
    if empty and not judged.resolved:
        return replace(judged, reason="empty_patch", notes=notes)
    return replace(judged, notes=notes)


def _suspicion(evidence: Evidence, judged: Verdict) -> str:
    """Why the runner is not believed, or nothing.

    A canary that is absent says nothing by itself: a module that cannot be imported reports none
    of its tests. Beside expected tests that all passed, it says that someone has been choosing.
    """
    if evidence.report is None:
        return ""
    statuses = {name: evidence.report.named(name) for name in evidence.canaries}
    for status in statuses.values():
        if status in ("passed", "skipped"):
            return f"a test that cannot but fail was reported as {status}"
    absent = sum(status == "missing" for status in statuses.values())
    if judged.resolved and absent:
        return f"{absent} of {len(statuses)} tests that cannot but fail are not in the report"
    if judged.resolved and statuses and evidence.ran.exit_code == 0:
        return "eval.sh ended with 0 although tests failed; it must end with its runner's exit code"
    return ""


def _by_name(oracle: Oracle, evidence: Evidence, judged: Verdict) -> str:
    """Whether tests passed for their names, or nothing: copies under other names did not."""
    if evidence.report is None or not judged.resolved:
        return ""
    tests = evidence.report.tests
    for id_ in (*oracle.fail_to_pass, *oracle.pass_to_pass):
        copy = echo.counterpart(id_, evidence.copies)
        if copy is not None and tests.get(copy) != "passed":
            return f"{id_} passed, and a copy of it under another name did not"
    return ""


def _remarks(evidence: Evidence) -> Iterator[str]:
    ran, report = evidence.ran, evidence.report
    if evidence.trouble:
        yield evidence.trouble
    if ran.ended == "lost":
        yield "the tests killed the shell that ran them"
    if ran.exit_code == _KILLED:
        yield "eval.sh was killed (137), as a box does that runs out of its memory"
    if report is None:
        return
    for name in report.conflicting[:20]:
        yield f"reported more than once, and differently; the worse counts: {name}"
    if not evidence.canaries:
        yield "no canaries: nothing shows whether the runner was honest"
    if absent := sum(report.named(name) == "missing" for name in evidence.canaries):
        yield (
            f"{absent} of {len(evidence.canaries)} planted tests are not in the report either: "
            "the runner ended early, or a test file could not be loaded"
        )
    failed = any(status in ("failed", "error") for status in report.tests.values())
    yield from _mismatch(ran.exit_code, failed)


def _mismatch(exit_code: int | None, failed: bool) -> Iterator[str]:
    if failed and exit_code == 0:
        yield "eval.sh ended with 0 although tests failed"
    elif not failed and exit_code not in (0, None):
        yield f"eval.sh ended with {exit_code} although no test failed"
