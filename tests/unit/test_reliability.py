"""The reliability table: what K gradings of the gold and of nothing say of every expected test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.attempt import not_submitted
from harness.errors import UsageError
from harness.types import Attempt, Record, Task, TaskId
from harness.verbs import assemble
from harness.verbs.controls import fingerprint, publish
from results import quarantine, reliability
from results.blobs import Blobs
from results.regrades import ONE_PATCH, PREDICTIONS
from results.reliability import Source, Subject, Table, tabulate
from results.report.build import Report, build
from results.report.plain import as_json as report_json
from results.report.reliability_text import SHOWN, as_text
from results.report.text import as_text as report_text
from tasks.local.load import LocalFolders, demo
from tests.unit.run_folders import attempt, condition, declared, faulted, graded, stored

CONTROLS = {condition(name).digest: name for name in ("oracle", "nop")}
EXPECTED = {"fail_to_pass": ("fixed",), "pass_to_pass": ("kept", "shaky")}
GOOD = {"fixed": "passed", "kept": "passed", "shaky": "passed"}
BAD = GOOD | {"fixed": "failed"}
Statuses = Mapping[str, str]


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def gradings(
    blobs: Blobs, task: str, control: str, each: Sequence[tuple[bool, Statuses]]
) -> list[Record]:
    return [
        graded(
            attempt(task, repeat, control),
            resolved,
            blobs={"tests": blobs.keep(json.dumps(dict(tests)).encode())},
            facts={"image_digest": "sha256:1"},
        )
        for repeat, (resolved, tests) in enumerate(each)
    ]


def table(
    blobs: Blobs,
    oracle: Sequence[tuple[bool, Statuses]],
    nop: Sequence[tuple[bool, Statuses]],
    times: int = 3,
    expected: Mapping[str, Sequence[str]] = EXPECTED,
    more: Sequence[Record] = (),
) -> Table:
    records = gradings(blobs, "t0", "oracle", oracle) + gradings(blobs, "t0", "nop", nop)
    subject = Subject("t0", "set@1", "abc", expected)
    return tabulate([subject], Source(CONTROLS, "docker", [*records, *more], blobs.fetch), times)


def words(found: Table) -> dict[str, str]:
    return {name: test.word for _, name, test in found.tasks["t0"].tests()}


def test_a_test_is_what_its_passes_under_both_controls_make_it(blobs: Blobs) -> None:
    shaky = [(True, GOOD), (False, GOOD | {"shaky": "failed"}), (True, GOOD)]
    found = table(blobs, shaky, [(False, BAD)] * 3)
    assert words(found) == {"fixed": "stable", "kept": "stable", "shaky": "flaky"}
    entry = found.tasks["t0"]
    assert (entry.pass_to_pass["shaky"].oracle, entry.pass_to_pass["shaky"].nop) == (2, 3)
    assert (entry.fail_to_pass["fixed"].oracle, entry.fail_to_pass["fixed"].nop) == (3, 0)
    assert entry.words == {"flaky": 1, "stable": 2}
    assert entry.images == ("sha256:1",)
    assert len(entry.oracle.evidence) == 3


@pytest.mark.parametrize(
    ("oracle", "nop", "name", "word"),
    [
        (GOOD, GOOD, "fixed", "not a fail-to-pass"),
        (BAD, BAD, "fixed", "never passes with the gold"),
        (GOOD | {"kept": "skipped"}, BAD, "kept", "never passes with the gold"),
        (GOOD, {}, "kept", "stable"),
        ({"fixed": "passed"}, {}, "kept", "never passes with the gold"),
    ],
)
def test_a_test_that_is_always_the_same_may_still_be_no_use(
    blobs: Blobs, oracle: Statuses, nop: Statuses, name: str, word: str
) -> None:
    assert words(table(blobs, [(True, oracle)] * 3, [(False, nop)] * 3))[name] == word


def test_a_control_that_was_never_measured_leaves_its_tests_unmeasured(blobs: Blobs) -> None:
    faults = [faulted(attempt("t0", r, "nop")) for r in range(3)]
    found = table(blobs, [(True, GOOD)] * 3, [], more=faults)
    assert set(words(found).values()) == {"not measured"}
    assert found.tasks["t0"].nop.faults == 3
    assert found.unfit() == {"t0": "not measured 3 times: 3 faults"}


@pytest.mark.parametrize(
    ("oracle", "nop", "why"),
    [
        ([True] * 3, [False] * 3, None),
        ([True, False, True], [False] * 3, "not solved by its reference patch, 2 of 3"),
        ([True] * 3, [False, True, False], "solved by doing nothing, 1 of 3"),
        ([True] * 2, [False] * 3, "not measured 3 times: 0 faults"),
        ([True, True, True, False], [False] * 4, "not solved by its reference patch, 3 of 4"),
    ],
)
def test_a_task_is_quarantined_with_its_evidence(
    blobs: Blobs, oracle: list[bool], nop: list[bool], why: str | None
) -> None:
    found = table(blobs, [(r, GOOD) for r in oracle], [(r, BAD) for r in nop])
    assert found.tasks["t0"].trouble == why
    assert found.unfit() == ({"t0": why} if why else {})


def test_two_tables_that_found_the_same_have_one_pattern_whatever_k(blobs: Blobs) -> None:
    shaky = (False, GOOD | {"shaky": "failed"})
    three = table(blobs, [(True, GOOD)] * 2 + [shaky], [(False, BAD)] * 3)
    five = table(blobs, [(True, GOOD)] + [shaky] * 4, [(False, BAD)] * 5, times=5)
    steady = table(blobs, [(True, GOOD)] * 3, [(False, BAD)] * 3)
    assert three.pattern == five.pattern != steady.pattern


def test_the_mistakes_and_flips_of_the_grader_are_counted(blobs: Blobs) -> None:
    found = table(blobs, [(True, GOOD), (False, BAD), (True, GOOD)], [(False, BAD)] * 3)
    errors = found.errors
    assert (errors.good_failed, errors.good, errors.bad_passed, errors.bad) == (1, 3, 0, 3)
    chances = found.flip_chances()
    assert list(chances.each) == ["t0/oracle", "t0/nop"]
    assert chances.each["t0/oracle"].at_most is None
    assert chances.each["t0/nop"].at_most == pytest.approx(1 - 0.05 ** (1 / 3))
    assert reliability.as_json(found)["flip_chances"]["each"]["t0/nop"]["value"] < 0.3
    assert "flipped: t0/oracle" in " ".join(as_text(found).split())
    rate = found.flip_rate()
    assert (rate.value, rate.n, rate.question) == (0.5, 2, "A")
    assert rate.low is not None and rate.high is not None and rate.low < 0.5 < rate.high


def test_with_one_grading_each_the_flip_rate_is_null_with_a_reason(blobs: Blobs) -> None:
    plain = reliability.as_json(table(blobs, [(True, GOOD)], [(False, BAD)], times=1))
    assert plain["flip_rate"]["value"] is None
    assert plain["flip_rate"]["reason"] == "no patch was graded twice"


def test_the_table_is_read_back_as_it_was_written(blobs: Blobs, tmp_path: Path) -> None:
    found = table(blobs, [(True, GOOD)] * 3, [(False, BAD)] * 3)
    reliability.write(tmp_path, found)
    assert reliability.read(tmp_path) == found
    plain = json.loads((tmp_path / "reliability.json").read_text())
    assert plain["schema"] == "harness-reliability/1"
    assert plain["tasks"]["t0"]["fail_to_pass"]["fixed"] == {
        "oracle": 3,
        "nop": 0,
        "word": "stable",
    }


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "other/1"}'])
def test_a_broken_table_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "reliability.json").write_text(text)
    with pytest.raises(UsageError, match=r"reliability\.json") as caught:
        reliability.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_tasks_of_an_earlier_check_keep_their_lines(blobs: Blobs, tmp_path: Path) -> None:
    bad = table(blobs, [(False, BAD)] * 3, [(False, BAD)] * 3)
    other = Table({"t1": bad.tasks["t0"]})
    publish(other, tmp_path)
    publish(table(blobs, [(True, GOOD)] * 3, [(False, BAD)] * 3), tmp_path)
    assert set(reliability.read(tmp_path).tasks) == {"t0", "t1"}
    assert list(quarantine.read(tmp_path)) == ["t1"]


def test_a_name_that_is_not_utf8_can_be_written(blobs: Blobs, tmp_path: Path) -> None:
    odd = "b\udcff"
    found = table(
        blobs,
        [(True, {odd: "passed"})] * 2,
        [(False, {})] * 2,
        times=2,
        expected={"fail_to_pass": (odd,), "pass_to_pass": ()},
    )
    reliability.write(tmp_path, found)
    assert reliability.read(tmp_path).tasks["t0"].fail_to_pass["b\\udcff"].oracle == 2


def test_the_terminal_lists_flaky_tests_first_and_says_how_many_more(blobs: Blobs) -> None:
    many = [f"s{i}\x1b" for i in range(SHOWN + 5)]
    expected = {"fail_to_pass": ("fixed",), "pass_to_pass": tuple(many)}
    passed = GOOD | dict.fromkeys(many, "passed")
    mixed = [(True, passed), (False, passed | dict.fromkeys(many, "failed")), (True, passed)]
    text = as_text(table(blobs, mixed, [(False, passed)] * 3, expected=expected))
    lines = text.splitlines()
    assert lines[1].split()[:4] == ["t0", "2/3", "0/3", "0"]
    assert "t0  s0?" in lines
    assert "    pass_to_pass, flaky: passes 2/3 with the gold, 3/3 without" in lines
    assert "and 6 more; all are in reliability.json" in lines
    assert "26 expected tests: 25 flaky, 1 not a fail-to-pass" in lines
    assert "1 tasks, 1 in quarantine" in lines[-1]
    assert "\x1b" not in text and max(map(len, lines)) <= 100


# ---- what a task is


def tasks_of(folder: Path) -> Task:
    (task,) = LocalFolders(folder=str(folder)).load()
    return task


def copied(folder: Path) -> Path:
    """One bundled task, in a folder of its own."""
    source = Path(next(iter(demo().load())).oracle["tests"]).parent
    for path in source.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            to = folder / source.name / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(path.read_bytes())
    return folder


def test_a_task_has_one_fingerprint_wherever_it_lies(tmp_path: Path) -> None:
    one, other = tasks_of(copied(tmp_path / "a")), tasks_of(copied(tmp_path / "b"))
    assert one.oracle["tests"] != other.oracle["tests"]
    assert fingerprint(one) == fingerprint(other)


def test_a_changed_hidden_test_is_another_task(tmp_path: Path) -> None:
    before = tasks_of(copied(tmp_path / "a"))
    known = fingerprint(before)
    hidden = next(p for p in Path(before.oracle["tests"]).rglob("*") if p.is_file())
    hidden.write_bytes(hidden.read_bytes() + b"\n")
    assert fingerprint(tasks_of(tmp_path / "a")) != known


# ---- one patch graded again


def regraded(folder: Path, verdicts: Mapping[str, list[bool]], times: int) -> Report:
    """A run of `grade --times`, and beside it an ordinary condition."""
    call = declared(list(verdicts), PREDICTIONS, "editor", repeats=times)
    records = [
        graded(attempt(task, repeat, scaffold), resolved)
        for task, each in verdicts.items()
        for repeat, resolved in enumerate(each)
        for scaffold in (PREDICTIONS, "editor")
    ]
    return build(stored(folder, call, records))


def test_the_flip_rate_is_of_patches_and_names_the_tasks(tmp_path: Path) -> None:
    verdicts = {"a": [True] * 3, "b": [True, False, True], "c": [False] * 3, "d": [True]}
    report = regraded(tmp_path / "run", verdicts, 3)
    found = report.regrades[condition(PREDICTIONS).digest]
    assert (found.times, found.patches) == (3, 3)
    assert [(f.task, f.resolved, f.graded) for f in found.flipped] == [("b", 2, 3)]
    assert found.rate.value == pytest.approx(1 / 3)
    assert found.rate.low is not None and found.rate.high is not None
    text = report_text(report)
    assert found.chances.patches == 3 and list(found.chances.each) == ["a", "b", "c"]
    assert f"#1 flipped: b 2/3 ({100 * found.chances.each['b'].value:.1f}% [" in text
    assert "33.3 [6.1, 79.2]" in text
    assert "3 gradings [" in text


def test_regrades_are_never_called_attempts(tmp_path: Path) -> None:
    report = regraded(tmp_path / "run", {"a": [True, False], "b": [True, True]}, 2)
    ours, ordinary = (report.precision[condition(name).digest] for name in (PREDICTIONS, "editor"))
    assert ours.pass_k == () and ours.noise is None and ours.batch_p is None
    assert (ours.rerun.low, ours.rerun.reason) == (None, ONE_PATCH)
    assert ordinary.pass_k and ordinary.rerun.low is not None


def test_an_ordinary_run_has_no_flip_rate_and_says_why(tmp_path: Path) -> None:
    report = regraded(tmp_path / "run", {"a": [True, False]}, 2)
    plain = json.loads(json.dumps(report_json(report), allow_nan=False))
    found: dict[str, Any] = plain["regrades"][condition("editor").digest]
    assert found["rate"]["value"] is None and "a new attempt" in found["rate"]["reason"]


def test_a_task_without_a_prediction_has_no_patch_to_flip(tmp_path: Path) -> None:
    call = declared(["a"], PREDICTIONS, repeats=2)
    key = condition(PREDICTIONS).digest
    records = [not_submitted(Attempt(TaskId("a"), key, repeat)) for repeat in range(2)]
    found = build(stored(tmp_path / "run", call, records)).regrades[key]
    assert found.patches == 0 and found.rate.value is None


def test_the_name_for_other_peoples_patches_is_the_same_on_both_sides() -> None:
    assert PREDICTIONS == assemble.PREDICTIONS


# ---- a quarantine list of another run


def test_a_list_of_another_run_adjusts_the_score_beside_the_raw_one(tmp_path: Path) -> None:
    records = [graded(attempt(f"t{i}"), i > 0) for i in range(4)]
    run = stored(tmp_path / "run", declared(4), records).folder
    check = tmp_path / "check"
    check.mkdir()
    quarantine.write(check, {"t0": "solved by doing nothing, 3 of 3", "elsewhere": "x"})
    for place in (check, check / "quarantine.json"):
        report = build(run, fenced=quarantine.of_another(place))
        assert list(report.quarantined) == ["t0"]
        (summary,) = report.conditions
        assert summary.adjusted is not None
        assert (summary.raw.rate.value, summary.adjusted.rate.value) == (0.75, 1.0)
    assert build(run).conditions[0].adjusted is None
    assert not (run / "quarantine.json").exists()


def test_a_list_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such quarantine list; `harness check` writes one"):
        quarantine.of_another(tmp_path)
