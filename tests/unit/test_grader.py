"""Scores corrected for the mistakes that a check's controls show of the grader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.verbs import reporting
from harness.verbs.controls import publish
from results.grader import NO_CHECK, NO_GRADINGS, USELESS, of_a_check
from results.reliability import Source, Subject, Table, tabulate
from results.report.build import build
from results.report.markdown import as_markdown
from results.report.page import whole
from results.report.page.whole import Fence
from results.report.plain import as_json
from results.report.text import as_text
from results.stats.flips import Errors, corrected
from tests.unit.run_folders import attempt, condition, declared, graded, stored

NOTHING = {"fail_to_pass": (), "pass_to_pass": ()}
CONTROLS = {condition(name).digest: name for name in ("oracle", "nop")}


def checked(gold: Sequence[Sequence[bool]], empty: Sequence[Sequence[bool]]) -> Table:
    """A check of t0, t1, ...: the verdicts of each one's gradings under both controls."""
    records = [
        graded(attempt(f"t{i}", repeat, name), resolved)
        for name, of in (("oracle", gold), ("nop", empty))
        for i, verdicts in enumerate(of)
        for repeat, resolved in enumerate(verdicts)
    ]
    subjects = [Subject(f"t{i}", "set@1", "abc", NOTHING) for i in range(len(gold))]
    return tabulate(subjects, Source(CONTROLS, "docker", records, lambda _: b"{}"), len(gold[0]))


def run(folder: Path, tasks: int = 40) -> Path:
    records = [graded(attempt(f"t{i}"), i % 2 == 0) for i in range(tasks)]
    return stored(folder / "run", declared(tasks), records).folder


def test_raw_adjusted_and_corrected_stand_side_by_side(tmp_path: Path) -> None:
    check = tmp_path / "check"
    check.mkdir()
    gold = [[False] * 2, [True, False], *[[True] * 2] * 38]
    publish(checked(gold, [[False] * 2] * 40), check)
    folder = run(tmp_path)
    for place in (check, check / "quarantine.json"):
        report = build(folder, fenced={"t0": "x", "t1": "y"}, checked=of_a_check(place))
        (found,) = report.grader.corrected.values()
        # 1.5 of 40 reference patches fail, so a score of 0.5 was 0.5 / (1 - 0.0375).
        assert found.value == pytest.approx(0.5 / 0.9625)
        assert found.low is not None and found.high is not None
        assert (found.low, found.high) == pytest.approx((0.3545, 0.6910), abs=1e-4)
        assert report.grader.false_positive.value == 0
        assert report.grader.flip_rate.value == pytest.approx(1 / 80)
        assert report.grader.flips_at_most.value == pytest.approx(1 - 0.05**0.5)
        chances = report.grader.flip_chances
        assert chances.patches == 80 and chances.each["t1/oracle"].at_most is None
        assert chances.each["t1/oracle"].value > 10 * chances.each["t1/nop"].value
    text = as_text(report)
    row = next(line for line in text.splitlines() if line.startswith("#1") and "51.9 [" in line)
    assert "50.0 [35.2, 64.8]" in row
    assert "the reference patch fails 3.8%" in text
    assert "chance that a grading is not the usual one" in " ".join(text.split())
    page = whole.page(
        [folder], typed=["run"], beside=tmp_path, fenced=Fence(checked=of_a_check(check))
    )
    assert "of the check&#x27;s controls" in page and "t1/oracle" in page
    assert "| corrected for the grader |" in as_markdown(report, "run")
    assert as_json(report)["grader"]["corrected"][report.conditions[0].digest]["n"] == 40


def test_the_verb_reads_the_gradings_beside_the_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "check").mkdir()
    publish(checked([[True]] * 39 + [[False]], [[False]] * 40), tmp_path / "check")
    reporting.report([run(tmp_path)], as_json=False, fenced_by=tmp_path / "check")
    told = capsys.readouterr().out
    assert "corrected for" in told
    assert "verdicts that flip: not known, no patch was graded twice" in " ".join(told.split())


def test_without_gradings_nothing_is_corrected_and_the_reason_is_told(tmp_path: Path) -> None:
    folder = run(tmp_path)
    listed = tmp_path / "list.json"
    listed.write_text('["t0"]')
    for place, reason in ((None, NO_CHECK), (listed, NO_GRADINGS)):
        report = build(folder, fenced={"t0": ""}, checked=of_a_check(place))
        (found,) = report.grader.corrected.values()
        assert (found.value, found.reason) == (None, reason)
        assert report.grader.flip_rate.reason == report.grader.flips_at_most.reason == reason
        assert (report.grader.flip_chances.mean, report.grader.flip_chances.reason) == (
            None,
            reason,
        )
        assert reason in " ".join(as_text(report).split())
    useless = checked([[True], [False]], [[False], [True]])
    (found,) = build(folder, checked=useless).grader.corrected.values()
    assert (found.value, found.reason) == (None, USELESS)


def test_a_correction_by_controls_without_a_mistake_is_still_uncertain() -> None:
    few, many = (corrected(30, 60, Errors(0, n, 0, n)) for n in (10, 1000))
    assert few is not None and many is not None
    assert few.value == many.value == 0.5
    assert few.interval[1] - few.interval[0] > many.interval[1] - many.interval[0] > 0.2
    every = corrected(20, 20, Errors(0, 10, 0, 10))
    assert every is not None and every.interval[0] < 0.9 and every.interval[1] == 1
