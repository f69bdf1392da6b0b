"""The report says what was measured, what was not, and what its numbers mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.codec import encode
from harness.errors import UsageError
from results import quarantine
from results.lines import Damaged
from results.report.build import build, gist
from results.report.layout import cut, distinct, duration, money
from results.report.plain import SCHEMA, as_json
from results.report.text import as_text
from tests.unit.run_folders import attempt, declared, faulted, graded, stored


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two conditions, four tasks, two repeats; some graded, some faulted, some owed."""
    run = declared(4, "editor", "bash", repeats=2, left_out={"t9": "its image is gone"})
    records = [graded(attempt(f"t{i}", r), i != r) for i in range(3) for r in range(2)]
    records += [graded(attempt("t0", 0, "bash"), False)]
    faults = [
        faulted(attempt("t3", 0), "model", "503: overloaded\nid 12345"),
        faulted(attempt("t3", 1), "sandbox", "ImageNotFound: no image 8d5f1c2e3a4b5c6d"),
        faulted(attempt("t1", 0, "bash"), "sandbox", "ImageNotFound: no image 0a1b2c3d4e5f6a7b"),
    ]
    stored(tmp_path / "mixed", run, [*faults, *records])
    return tmp_path / "mixed"


def test_the_terminal_report_has_every_condition_task_and_fault(mixed: Path) -> None:
    text = as_text(build(mixed))
    assert "4 tasks declared: 4 of set@1; 1 left out" in text
    assert "#1  m + editor, in docker, 2 repeats" in text
    assert "#2  m + bash" in text
    row = next(line for line in text.splitlines() if line.startswith("#1 ") and "$" in line)
    assert row.split()[1:6] == ["8", "6", "2", "0", "4"], "planned graded faulted owed solved"
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert lines["t0"] == ["1/2", "0/1."]
    assert lines["t1"] == ["1/2", "!."]
    assert lines["t3"] == ["!", "."]
    assert "ImageNotFound: no image ..." in text and "503: overloaded" in text
    assert "question B" in text
    assert "3 of 16 attempts faulted" in text
    assert "6 of 16 attempts are owed" in text


@pytest.mark.parametrize("width", [60, 100, 140])
def test_nothing_is_wider_than_the_terminal(tmp_path: Path, width: int) -> None:
    names = [f"instance_organisation__repository-{i:040x}-vnan" for i in range(60)]
    scaffolds = [f"editor-with-a-long-name-{i}" for i in range(30)]
    run = declared(names, *scaffolds, repeats=5)
    records = [
        graded(attempt(name, 0, scaffold), True, usd=123_456.0)
        for name in names[:50]
        for scaffold in scaffolds
    ]
    store = stored(tmp_path / "wide", run, [])
    path = store.folder / "ledger.jsonl"
    path.write_bytes(b"".join(encode(record) + b"\n" for record in records))
    text = as_text(build(store), width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "20 more tasks" in text
    assert "more tasks" not in as_text(build(store), width=width, full=True)


def test_with_nothing_to_say_it_prints_a_dash_and_the_reason(tmp_path: Path) -> None:
    report = build(stored(tmp_path / "run", declared(2), []))
    text = as_text(report)
    (row,) = [line for line in text.splitlines() if line.startswith("#1 ") and " 2 " in line]
    assert row.split() == [
        "A",
        "2",
        "0",
        "0",
        "2",
        "0",
        "-",
        "[0.0,",
        "100.0]",
        "$0",
        "-",
        "-",
    ] or (row.split()[6] == "-" and row.split()[-2:] == ["-", "-"])
    assert "a dash for #1: nothing has been graded" in text
    assert "no record yet" in text


def test_unpriced_calls_are_a_dash_with_their_number(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", declared(1), [graded(attempt("t0"), True, usd=None)])
    text = as_text(build(run))
    assert "a dash for #1: 1 of 1 graded attempts made a call that has no price" in text


def test_raw_and_adjusted_scores_stand_side_by_side(tmp_path: Path) -> None:
    records = [graded(attempt(f"t{i}"), i > 0) for i in range(4)]
    store = stored(tmp_path / "run", declared(4), records)
    assert build(store).conditions[0].adjusted is None
    quarantine.write(store.folder, {"t0": "the reference patch fails 1 of 3 times"})
    report = build(store)
    assert report.quarantined == {"t0": "the reference patch fails 1 of 3 times"}
    assert "75.0 [30.1, 95.4]  100.0 [43.9, 100.0]" in as_text(report)


@pytest.mark.parametrize("text", ['["t0"]', '{"t0": "flaky"}'])
def test_a_quarantine_list_may_have_reasons_or_not(tmp_path: Path, text: str) -> None:
    (tmp_path / "quarantine.json").write_text(text)
    assert list(quarantine.read(tmp_path)) == ["t0"]


@pytest.mark.parametrize("text", ["", "7", "[7]", '{"t0": 1}'])
def test_a_broken_quarantine_list_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "quarantine.json").write_text(text)
    with pytest.raises(UsageError, match=r"quarantine\.json") as caught:
        quarantine.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_json_report_is_json_and_says_its_schema(mixed: Path) -> None:
    plain = json.loads(json.dumps(as_json(build(mixed)), allow_nan=False))
    assert plain["schema"] == SCHEMA == "harness-report/1"
    first = plain["conditions"][0]
    assert first["raw"]["planned"] == 8
    assert first["faulted"] == {"model": 1, "sandbox": 1}
    assert first["raw"]["rate"]["question"] == "B"
    cell = plain["rows"][1]["cells"][plain["conditions"][1]["digest"]]
    assert cell == {"planned": 2, "graded": 0, "resolved": 0, "faulted": 1, "owed": 1}
    assert plain["left_out"] == {"t9": "its image is gone"}


def test_every_key_of_the_json_report_is_in_the_readme(mixed: Path) -> None:
    readme = (Path(__file__).parents[2] / "results" / "README.md").read_text()
    plain = as_json(build(mixed))
    keys = {*plain, *plain["conditions"][0], *plain["conditions"][0]["cost"], *plain["rows"][0]}
    keys |= {*plain["conditions"][0]["raw"], *plain["conditions"][0]["raw"]["rate"]}
    keys |= {*plain["faults"][0]}
    assert not [key for key in sorted(keys) if f"`{key}`" not in readme]


def test_faults_that_say_the_same_are_counted_together(mixed: Path) -> None:
    groups = {(g.culprit, g.message): g for g in build(mixed).faults}
    assert groups["sandbox", "ImageNotFound: no image ..."].tries == 2
    assert len(groups["sandbox", "ImageNotFound: no image ..."].conditions) == 2


def test_a_fault_that_a_later_try_made_good_is_shown_as_such(tmp_path: Path) -> None:
    records = [faulted(attempt("t0")), graded(attempt("t0"), True)]
    (group,) = build(stored(tmp_path / "run", declared(1), records)).faults
    assert (group.tries, group.recovered) == (1, 1)


@pytest.mark.parametrize(
    ("message", "first"),
    [
        ("\n\n boom \nmore", "boom"),
        ("", "(no message)"),
        ("no decade of effaced beads", "no decade of effaced beads"),
        ("box 3f2504e0-4f89-11d3-9a0c-0305e82c3301 died", "box ... died"),
    ],
)
def test_the_gist_of_a_message_is_its_first_line(message: str, first: str) -> None:
    assert gist(message) == first


def test_no_message_can_steer_the_terminal(tmp_path: Path) -> None:
    run = stored(
        tmp_path / "run",
        declared(["t\x1b[31m"]),
        [faulted(attempt("t\x1b[31m"), "model", "\x1b[2J")],
    )
    assert "\x1b" not in as_text(build(run))


def test_a_run_without_conditions_says_so(tmp_path: Path) -> None:
    run = declared(1)
    store = stored(tmp_path / "run", type(run)(run.tasks, {}), [])
    assert "declares no condition" in as_text(build(store))


def test_strays_are_told(tmp_path: Path) -> None:
    report = build(stored(tmp_path / "run", declared(1), [graded(attempt("other"), True)]))
    assert report.stray == 1
    assert "1 recorded attempts are not declared" in as_text(report)


def test_a_ledger_that_grades_twice_is_named(tmp_path: Path) -> None:
    store = stored(tmp_path / "run", declared(1), [graded(attempt("t0"), True)])
    path = store.folder / "ledger.jsonl"
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(Damaged, match=r"ledger\.jsonl grades attempt t0~"):
        build(store)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run"):
        build(tmp_path)


def test_a_report_on_731_tasks_counts_every_attempt_and_the_tasks_that_it_does_not_list(
    tmp_path: Path,
) -> None:
    run = declared(731, "editor", "bash", repeats=2)
    records = [graded(key, i % 4 == 0) for i, key in enumerate(run.planned())]
    text = as_text(build(stored(tmp_path / "large", run, records)))
    row = next(line for line in text.splitlines() if line.startswith("#1 ") and "$" in line)
    assert row.split()[1:6] == ["1462", "1462", "0", "0", "731"]
    assert "691 more tasks" in text


@pytest.mark.parametrize(
    ("usd", "shown"),
    [(None, "-"), (0.0, "$0.00"), (0.00042, "$0.00042"), (26.0, "$26.00"), (12345.6, "$12,346")],
)
def test_money_keeps_what_can_be_said(usd: float | None, shown: str) -> None:
    assert money(usd) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "-"), (3.21, "3.2s"), (90, "1.5m"), (3599, "1h00m"), (7260, "2h01m")],
)
def test_durations_are_short(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_a_long_name_is_cut_in_its_middle() -> None:
    assert cut("abcdefghij", 10) == "abcdefghij"
    assert cut("abcdefghijk", 8) == "abc..ijk"


def test_different_names_stay_different_when_they_are_cut() -> None:
    hexes = [f"{i:040x}" for i in (1, 2, 16**39, 16**39 + 1)]
    names = [f"instance_acme__web-{name}-v{'0' * 40}" for name in hexes]
    for width in (30, 60):
        short = distinct(names, width)
        assert len(set(short)) == 4 and max(map(len, short)) <= width
    assert distinct(["short", "names"], 30) == ["short", "names"]
    assert distinct(["x" * 50] * 2, 30) == ["x" * 28 + ".."] * 2


def test_a_report_says_how_many_blocks_are_whole_and_which_code_measured(tmp_path: Path) -> None:
    call = declared(3, "editor", "bash")
    records = [
        graded(attempt("t0"), True, facts={"scaffold_code": "aaa"}),
        graded(attempt("t0", scaffold="bash"), True, facts={"scaffold_code": "aaa"}),
        graded(attempt("t1"), False, facts={"scaffold_code": "bbb"}),
    ]
    found = build(stored(tmp_path / "run", call, records))
    assert (found.blocks.complete, found.blocks.part, found.blocks.none) == (1, 1, 1)
    said = "\n".join(found.notes)
    assert "1 complete, 1 in part, 1 not begun" in said
    assert "#1 was measured by 2 versions" in said and "#2 was measured" not in said


def test_a_report_names_what_of_an_agent_cannot_be_made_equal(tmp_path: Path) -> None:
    facts = {"agent": "codex", "agent_unequal": ["compacts by itself", "has its own prompt"]}
    records = [
        graded(attempt("t0", scaffold="codex"), True, facts=facts),
        graded(attempt("t0"), True),
    ]
    found = build(stored(tmp_path / "run", declared(1, "codex", "editor"), records))
    said = "\n".join(found.notes)
    assert "codex has the limits" in said and "editor has the limits" not in said
    assert "it compacts by itself; it has its own prompt" in said
