"""Anyone's results, read into records that are never taken for ours."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from harness.codec import decode, encode
from harness.errors import UsageError
from harness.types import Ending, Faulted, Graded, Usage
from results.exchange.harbor import HarborJob
from results.exchange.imported import (
    UNDECLARED,
    Declaration,
    Imported,
    Outcome,
    judged,
    renamed,
    repo,
    taken,
)
from results.exchange.inspect_samples import Samples
from results.exchange.mini_swe_agent import MiniSweAgent
from results.exchange.pro import EvalResults
from results.exchange.sniff import format_of
from results.exchange.swe_agent import SweAgent
from results.exchange.swebench import RunReport
from results.exchange.tables import Table
from results.manifest import Declared
from tests.unit import exchange_sources as foreign
from tests.unit.exchange_sources import PATCH, TASKS, write
from tests.unit.run_folders import BY


def by_task(found: Imported, system: int = 0) -> dict[str, Outcome]:
    return {outcome.task: outcome for outcome in found.batches[system].outcomes}


def words(found: Imported) -> Counter[str]:
    return Counter(o.reason or f"fault of {o.culprit}" for o in found.batches[0].outcomes)


def test_the_official_evaluators_file_says_what_is_resolved_and_nothing_of_the_rest(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "model-x.json", {TASKS[0]: True, TASKS[1]: False})
    assert format_of(path) == "pro"
    found = EvalResults().read(path)
    assert words(found) == {"resolved": 1, "tests_failed": 1}
    assert found.batches[0].model == "model-x"
    tasks = {task: Declared("set@1", {"repo": "acme/widgets"}) for task in TASKS[1:4]}
    run = taken(found, Declaration(tasks), BY)
    assert list(run.manifest.tasks) == TASKS[1:4] and run.strange == (TASKS[0],)
    assert [record.attempt.task for record in run.records] == [TASKS[1]]


def test_the_evaluators_folder_is_named_after_itself_and_not_after_its_file(tmp_path: Path) -> None:
    write(tmp_path / "opus" / "eval_results.json", {TASKS[0]: True})
    assert format_of(tmp_path / "opus") == "pro"
    assert EvalResults().read(tmp_path / "opus").batches[0].model == "opus"


def test_imported_records_do_not_look_like_ours(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", {TASKS[0]: True})
    run = taken(EvalResults().read(path), None, BY)
    (arm,) = run.manifest.conditions.values()
    (record,) = run.records
    assert arm.condition.scaffold.name == arm.condition.sandbox.name == "imported"
    assert arm.condition.scaffold.knobs["file"] == record.facts["file"]
    assert isinstance(record, Graded) and record.verdict.mode == "imported pro"
    assert record.usage == Usage(usd=None)
    assert run.manifest.tasks[TASKS[0]] == Declared(UNDECLARED, {"repo": "acme/widgets"})


def test_a_changed_file_is_another_condition(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", {TASKS[0]: True})
    before = taken(EvalResults().read(path), None, BY)
    write(path, {TASKS[0]: False})
    after = taken(EvalResults().read(path), None, BY)
    assert before.manifest.conditions.keys().isdisjoint(after.manifest.conditions)


@pytest.mark.parametrize("schema", [None, 2])
def test_a_run_report_of_swe_bench_keeps_errors_apart_from_failures(
    tmp_path: Path, schema: int | None
) -> None:
    path = write(tmp_path / "org__gpt-4.1.run7.json", foreign.report(schema))
    assert format_of(path) == "swebench"
    found = RunReport().read(path)
    culprit = "sandbox" if schema else "grader"
    assert words(found) == {
        "resolved": 2,
        "tests_failed": 1,
        "empty_patch": 1,
        f"fault of {culprit}": 1,
        "fault of scaffold": 1,
    }
    assert found.batches[0].model == "org/gpt-4.1"
    if schema:
        assert "no space left" in by_task(found)[TASKS[4]].message


def test_an_error_that_schema_2_also_calls_infrastructure_is_one_fault(tmp_path: Path) -> None:
    raw = foreign.report() | {"error_ids": TASKS[4:5], "error_instances": 1}
    found = RunReport().read(write(tmp_path / "m.r.json", raw))
    assert by_task(found)[TASKS[4]].culprit == "sandbox"


def test_a_report_that_lists_fewer_than_it_counts_is_refused(tmp_path: Path) -> None:
    raw = foreign.report() | {"resolved_ids": TASKS[:1]}
    with pytest.raises(UsageError, match="says resolved_instances 2, and lists 1"):
        RunReport().read(write(tmp_path / "m.r.json", raw))


def test_swe_agents_folder_has_costs_and_patches_and_no_verdict(tmp_path: Path) -> None:
    folder = foreign.swe_agent(tmp_path / "run")
    assert format_of(folder) == "swe-agent"
    found = SweAgent().read(folder)
    of = by_task(found)
    assert (found.batches[0].model, found.batches[0].scaffold) == ("gpt-x", "swe-agent")
    assert of[TASKS[0]].reason is None and of[TASKS[0]].patch == PATCH.encode(
        errors="surrogateescape"
    )
    assert of[TASKS[0]].usage == Usage(calls=7, fresh=1000, output=50, usd=1.5)
    assert of[TASKS[0]].clocks.tool == 2.0
    assert of[TASKS[1]].ending is Ending.COST
    assert of[TASKS[2]].reason == of[TASKS[4]].reason == "empty_patch"
    assert (of[TASKS[3]].reason, of[TASKS[3]].culprit) == (None, "sandbox")


def test_verdicts_of_another_file_are_joined_to_the_patches(tmp_path: Path) -> None:
    found = SweAgent().read(foreign.swe_agent(tmp_path / "run"))
    path = write(tmp_path / "v.json", {TASKS[0]: True, TASKS[3]: False})
    both = judged(found, EvalResults().read(path))
    of = by_task(both)
    assert of[TASKS[0]].reason == "resolved" and of[TASKS[0]].usage.usd == 1.5
    assert of[TASKS[1]].reason is None and "no verdict" in of[TASKS[1]].message
    assert of[TASKS[3]].reason is None, "a broken box is no failure, whatever the grader made of it"
    assert both.format == "swe-agent + pro" and both.digest != found.digest
    run = taken(both, None, BY)
    assert len(run.patches) == 4
    assert sum(isinstance(record, Faulted) for record in run.records) == 2


def test_mini_swe_agents_exit_status_tells_a_limit_from_an_exception(tmp_path: Path) -> None:
    folder = foreign.mini_swe_agent(tmp_path / "run")
    assert format_of(folder) == "mini-swe-agent"
    found = MiniSweAgent().read(folder)
    of = by_task(found)
    batch = found.batches[0]
    assert (batch.model, batch.scaffold) == ("openai/gpt-x", "mini-swe-agent 2.0.0")
    assert of[TASKS[0]].patch and of[TASKS[0]].ending is Ending.SUBMITTED
    assert of[TASKS[0]].usage == Usage(calls=3, fresh=20, cache_read=80, output=9, usd=0.25)
    assert (of[TASKS[1]].reason, of[TASKS[1]].ending) == ("empty_patch", Ending.TURNS)
    assert of[TASKS[2]].culprit == "model" and "502 Bad Gateway" in of[TASKS[2]].message


def test_harbors_trials_are_repeats_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    folder = foreign.harbor(tmp_path / "job")
    assert format_of(folder) == "harbor"
    found = HarborJob().read(folder)
    (batch,) = found.batches
    assert (batch.model, batch.scaffold) == ("openai/gpt-x", "terminus 2")
    a = [(o.repeat, o.reason) for o in batch.outcomes if o.task == "a"]
    assert a == [(0, "resolved"), (1, "tests_failed")]
    of = by_task(found)
    assert (of["b"].reason, of["b"].ending) == ("tests_failed", Ending.TIME)
    assert (of["c"].reason, of["c"].culprit) == (None, "sandbox")
    assert of["c"].message == "EnvironmentStartError: no"
    assert "d" not in of and found.ids == ("a", "b", "c", "d")
    first = next(o for o in batch.outcomes if o.task == "a")
    assert first.usage == Usage(fresh=100, cache_read=900, output=70, usd=0.5)
    assert (first.clocks.total, first.clocks.grade) == (600.0, 60.0)
    run = taken(found, None, BY)
    assert next(iter(run.manifest.conditions.values())).repeats == 2


def test_two_configurations_of_one_harbor_agent_are_two_systems(tmp_path: Path) -> None:
    foreign.trial(tmp_path, "a__1", "a", config={"agent": {"kwargs": {"turns": 5}}})
    foreign.trial(tmp_path, "a__2", "a", config={"agent": {"kwargs": {"turns": 50}}})
    assert len(HarborJob().read(tmp_path).batches) == 2


def test_inspects_epochs_are_repeats_and_its_errors_are_faults() -> None:
    samples, log = Samples("log"), foreign.inspect_log()
    batch = samples.batch(log)
    assert samples.ids(log) == ("a", "b", "c")
    told = [(o.task, o.repeat, o.reason) for o in batch.outcomes]
    assert told == [
        ("a", 0, "resolved"),
        ("a", 1, "tests_failed"),
        ("b", 0, None),
        ("b", 1, None),
    ]
    assert batch.outcomes[1].ending is Ending.TOKENS
    assert batch.outcomes[2].message == "RuntimeError('no box')"
    assert (batch.outcomes[3].culprit, batch.outcomes[3].message) == (
        "grader",
        "the sample has no score",
    )
    used = Usage(fresh=10, cache_read=90, output=5, reasoning=2, usd=None)
    assert batch.outcomes[0].usage == used


def test_inspects_tokens_are_told_apart_by_their_total() -> None:
    log = foreign.inspect_log()
    log["samples"][0]["model_usage"] = {
        "m": {"input_tokens": 100, "output_tokens": 5, "input_tokens_cache_read": 90}
        | {"total_tokens": 105}
    }
    assert Samples("log").batch(log).outcomes[0].usage.fresh == 10


def test_a_log_with_several_scorers_asks_which() -> None:
    log = foreign.inspect_log()
    log["samples"][0]["scores"]["judge"] = {"value": 0.0}
    with pytest.raises(UsageError, match="scores of match, judge; say whose"):
        Samples("log").batch(log)
    del log["samples"][1:]
    assert Samples("log", "judge").batch(log).outcomes[0].reason == "tests_failed"


def test_a_real_inspect_log_is_read_where_inspect_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai", reason="the extra `inspect` is not installed")
    logs = import_module("results.exchange.inspect_logs")
    path = write(tmp_path / "log.json", {"version": 2, "status": "started"})
    with pytest.raises(UsageError, match="inspect_ai cannot read it"):
        logs.InspectLog().read(path)


def test_a_table_has_systems_repeats_and_costs(tmp_path: Path) -> None:
    path = write(
        tmp_path / "runs.csv",
        "instance_id,model,repeat,resolved,submitted,usd,tokens_sent,tool_seconds,culprit,message\n"
        "t1,a,1,true,true,1.5,100,2.5,,\n"
        "t1,a,2,False,False,0.5,10,0,,\n"
        "t2,a,1,,,,,,sandbox,no box\n"
        "t3,a,1,,,,,,,\n"
        "t1,b,1,0,true,,,,,\n",
    )
    assert format_of(path) == "csv"
    found = Table().read(path)
    assert [batch.model for batch in found.batches] == ["a", "b"]
    a, b = (batch.outcomes for batch in found.batches)
    assert [(o.task, o.repeat, o.reason) for o in a] == [
        ("t1", 0, "resolved"),
        ("t1", 1, "not_submitted"),
        ("t2", 0, None),
    ]
    assert a[0].usage == Usage(fresh=100, usd=1.5) and a[0].clocks.tool == 2.5
    assert (a[2].culprit, a[2].message) == ("sandbox", "no box")
    assert b[0].usage.usd is None, "an empty cell is not free of charge"
    assert found.ids == ("t1", "t2", "t3")


def test_a_table_may_have_headings_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "runs.csv", "case,ok\nt1,yes\nt2,no\n")
    with pytest.raises(UsageError, match=r"no column for task; it has case, ok"):
        Table().read(path)
    found = Table(task="case", resolved="ok").read(path)
    assert words(found) == {"resolved": 1, "tests_failed": 1}
    with pytest.raises(UsageError, match="no column 'id'; it has case, ok"):
        Table(task="id").read(path)


WRONG: list[tuple[str, str, Callable[[Path], object], str]] = [
    ("v.json", '{"a": true, "b": fal', EvalResults().read, r"v.json:1: not JSON"),
    ("v.json", '{"a": true,', EvalResults().read, r"cut short\?"),
    ("v.json", '{"a": true, "a": false}', EvalResults().read, "'a' stands there twice"),
    ("v.json", '{"a": "true"}', EvalResults().read, "under 'a' stands text, not true or false"),
    ("v.json", "{}", EvalResults().read, "holds no verdict"),
    ("v.json", "[" * 100_000, EvalResults().read, "not JSON that can be read"),
    ("v.json", '{"resolved_ids": 3}', RunReport().read, "resolved_ids: is a number, not a list"),
    ("v.json", '{"resolved_ids": ["a"], "error_ids": ["a"]}', RunReport().read, "another list"),
    ("v.json", '{"resolved_ids": [], "schema_version": 9}', RunReport().read, "schemas 1 and 2"),
    ("v.csv", "task,resolved\nt1\n", Table().read, r"v.csv:2: has 1 columns, not 2"),
    ("v.csv", "task,resolved\nt1,perhaps\n", Table().read, "resolved is 'perhaps'"),
    ("v.csv", "task,resolved\nt1,1\nt1,1\n", Table().read, "'t1' stands there twice"),
    ("v.csv", "task,resolved,usd\nt1,1,nan\n", Table().read, "usd is 'nan', not a number"),
    ("v.csv", "task,resolved\n", Table().read, "no row below its headings"),
]


@pytest.mark.parametrize(("name", "text", "read", "line"), WRONG, ids=[w[3] for w in WRONG])
def test_a_wrong_file_is_one_line_that_says_where(
    tmp_path: Path, name: str, text: str, read: Callable[[Path], object], line: str
) -> None:
    with pytest.raises(UsageError, match=line) as caught:
        read(write(tmp_path / name, text))
    assert "\n" not in str(caught.value)


def test_what_is_no_result_is_told_so_with_the_formats_that_are(tmp_path: Path) -> None:
    for name, text in [("x.json", '{"a": 1}'), ("x.txt", "hello"), ("x.json", "[]")]:
        with pytest.raises(UsageError, match="no format known here; choose with --format pro"):
            format_of(write(tmp_path / name, text))
    with pytest.raises(UsageError, match="no such file"):
        format_of(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no format known here"):
        format_of(tmp_path / "empty")
    trajectory = next(foreign.mini_swe_agent(tmp_path / "mini").rglob("*.traj.json"))
    with pytest.raises(UsageError, match="name its whole folder"):
        format_of(trajectory)


def test_a_broken_trajectory_names_its_file(tmp_path: Path) -> None:
    folder = foreign.swe_agent(tmp_path / "run")
    path = folder / TASKS[0] / f"{TASKS[0]}.traj"
    path.write_text(path.read_text()[:80])
    with pytest.raises(UsageError, match=rf"{TASKS[0]}\.traj:1: not JSON \(cut short\?\)"):
        SweAgent().read(folder)


def test_a_name_for_one_system_is_not_given_to_two(tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", "task,model,resolved\nt,a,1\nt,b,1\n")
    with pytest.raises(UsageError, match=r"several systems \(a, b\); --model is for one"):
        renamed(Table().read(path), model="c")
    found = renamed(Table().read(path), scaffold="mine")
    assert {batch.scaffold for batch in found.batches} == {"mine"}


@pytest.mark.parametrize("name", ["", "a\nb", "\ud800", "\x1b[31m"])
def test_what_no_file_of_a_run_could_name_is_no_task(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "m.json", {name: True})
    with pytest.raises(UsageError, match="is no id of a task"):
        taken(EvalResults().read(path), None, BY)


def test_a_repository_is_read_from_an_id_that_has_one() -> None:
    assert repo("django__django-1234") == {"repo": "django/django"}
    commit = "1ea9481af6125ffd6da0592ed439aa62af0bca11"
    assert repo(f"instance_NodeBB__NodeBB-{commit}-vd59a") == {"repo": "NodeBB/NodeBB"}
    assert repo(f"instance_element-hq__element-web-{commit}") == {"repo": "element-hq/element-web"}
    assert repo("humanize-naturalsize-carry") == {}


def test_every_record_of_an_import_comes_back_from_its_line(tmp_path: Path) -> None:
    found = HarborJob().read(foreign.harbor(tmp_path / "job"))

    for record in taken(found, None, BY).records:
        assert decode(encode(record)) == record
        assert json.loads(encode(record))["facts"]["imported"] == "harbor"
