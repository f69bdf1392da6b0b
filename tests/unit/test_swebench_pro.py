"""The rows of SWE-Bench Pro are read in every form they come in, and none disappears unnamed."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import git
import pytest
from pyarrow import Table, parquet

from harness.errors import UsageError
from harness.types import Status, Task
from tasks.repo import pull_official
from tasks.swebench_pro import protected, row
from tasks.swebench_pro.grade import ProGrader
from tasks.swebench_pro.load import SwebenchPro, default_folder
from tasks.swebench_pro.oracle import Oracle, variables
from tasks.swebench_pro.report import Results

ROWS = Path(__file__).parents[3] / "shared" / "data" / "swe_bench_pro" / "test.jsonl"
WHOLE_NAME = "element-hq__element-web-ec0f940ef0e8e3b61078f145f34dc40d1938e6c5-vnan"
NAME = "instance_example__calc-1"
ROW: dict[str, Any] = {
    "instance_id": NAME,
    "repo": "Example/Calc",
    "repo_language": "python",
    "base_commit": "a" * 40,
    "problem_statement": '"It\\nfails"',
    "requirements": "- none",
    "interface": "No new interfaces",
    "before_repo_set_cmd": "git reset --hard x\ngit checkout y -- t.py",
    "selected_test_files_to_run": "['t.py']",
    "fail_to_pass": "['t.py::a', \"t.py::b's\"]",
    "pass_to_pass": "[]",
    "patch": "diff --git a/setup.cfg b/setup.cfg\n--- a/setup.cfg\n+++ b/setup.cfg\n",
    "test_patch": "diff --git a/t.py b/t.py\n--- a/t.py\n+++ b/t.py\n",
}


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A checkout of the evaluator that knows NAME and one other row."""
    for name in (NAME, "other"):
        folder = tmp_path / "official" / "run_scripts" / name
        folder.mkdir(parents=True)
        (folder / "run_script.sh").write_text("python run_tests.py && npm install\n")
        (folder / "parser.py").write_text("")
        docker = tmp_path / "official" / "dockerfiles" / "base_dockerfile" / name
        docker.mkdir(parents=True)
        (docker / "Dockerfile").write_text("FROM x\n ENV LANG C.UTF-8\nRUN y\n")
    return tmp_path / "official"


def source(scripts: Path, rows: list[dict[str, Any]], **knobs: Any) -> SwebenchPro:
    file = scripts.parent / "rows.jsonl"
    file.write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    return SwebenchPro(file=str(file), scripts=str(scripts), **knobs)


def only(scripts: Path, **changes: Any) -> Task:
    (task,) = source(scripts, [{**ROW, **changes}]).load()
    return task


def test_a_row_becomes_a_task_that_shows_the_agent_nothing_of_the_tests(scripts: Path) -> None:
    task = only(scripts)
    assert task.brief.statement == (
        "It\nfails\n\nRequirements:\n- none\n\nNew interfaces introduced:\nNo new interfaces"
    )
    assert task.brief.environment.workdir == "/app"
    assert task.brief.environment.network == "none"
    assert task.facets == {"repo": "Example/Calc", "language": "python"}
    assert task.grader == "swebench-pro" and task.origin.startswith("swebench-pro@sha256:")
    assert json.loads(json.dumps(task.oracle)) == task.oracle
    oracle = Oracle.of(task)
    assert oracle.before == "git checkout y -- t.py"
    assert oracle.fail_to_pass == ("t.py::a", "t.py::b's")
    assert oracle.env == ("ENV LANG C.UTF-8",)
    assert oracle.network, "its script fetches packages when the tests run"


@pytest.mark.parametrize("form", [["x"], '["x"]', "['x']", "('x',)"])
def test_lists_come_as_lists_json_and_python_reprs(scripts: Path, form: Any) -> None:
    assert Oracle.of(only(scripts, fail_to_pass=form)).fail_to_pass == ("x",)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ('"a\\nb \\u00e9"', "a\nb é"),
        ('"a\nb"', "a\nb"),
        ('"quoted" and "quoted"', '"quoted" and "quoted"'),
        ("plain\\n", "plain\\n"),
        ('"', '"'),
        (None, ""),
    ],
)
def test_both_forms_of_text_are_read(value: Any, plain: str) -> None:
    assert row.text(value) == plain


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"before_repo_set_cmd": None, "patch": None}, "it has no before_repo_set_cmd, patch"),
        ({"base_commit": ""}, "it has no base_commit"),
        ({"base_commit": "$(reboot)"}, "is no commit id"),
        ({"repo": "../x"}, "is not owner/name"),
        ({"fail_to_pass": "[]"}, "it expects no test to pass"),
        ({"selected_test_files_to_run": "[]"}, "it selects no test"),
        ({"fail_to_pass": "__import__('os').system('true')"}, "neither JSON nor the repr"),
        ({"fail_to_pass": "[" * 5000}, "neither JSON nor the repr"),
        ({"fail_to_pass": "[1]"}, "not a list of names"),
        ({"fail_to_pass": ["x"] * 20_001}, "over the limit"),
        ({"pass_to_pass": ["a\0b"]}, "NUL"),
        ({"problem_statement": "a\0b"}, "NUL"),
        ({"problem_statement": 3}, "not text"),
    ],
)
def test_a_row_that_cannot_be_graded_is_named_with_the_reason(
    scripts: Path, changes: dict[str, Any], why: str
) -> None:
    loaded = source(scripts, [{**ROW, **changes}, {**ROW, "instance_id": "other"}])
    assert [task.id for task in loaded.load()] == ["other"]
    assert why in loaded.left_out()[NAME]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\0b", "a b", "$(x)", "", None, "x" * 201, ".."]
)
def test_an_id_that_cannot_name_a_folder_is_refused_by_its_row(scripts: Path, name: Any) -> None:
    loaded = source(scripts, [ROW, {**ROW, "instance_id": name}])
    assert [task.id for task in loaded.load()] == [NAME]
    assert "its id" in loaded.left_out()["row 2"]


def test_an_id_that_comes_twice_counts_once_and_is_named(scripts: Path) -> None:
    loaded = source(scripts, [ROW, {**ROW, "problem_statement": "else"}])
    (task,) = loaded.load()
    assert task.brief.statement.startswith("It")
    assert loaded.left_out() == {"row 2": f"it repeats {NAME}; the first one stands"}


def test_a_row_without_scripts_is_left_out(scripts: Path) -> None:
    loaded = source(scripts, [ROW, {**ROW, "instance_id": "unknown"}])
    assert len(list(loaded.load())) == 1
    assert "no run_script.sh and no parser.py" in loaded.left_out()["unknown"]


@pytest.mark.parametrize("suffix", ["json", "csv", "parquet"])
def test_every_kind_of_file_gives_the_same_tasks(scripts: Path, suffix: str) -> None:
    file = scripts.parent / f"rows.{suffix}"
    rows = [ROW, {**ROW, "instance_id": "other"}]
    if suffix == "json":
        file.write_text(json.dumps(rows))
    elif suffix == "csv":
        with file.open("w", newline="") as out:
            table = csv.DictWriter(out, list(ROW))
            table.writeheader()
            table.writerows(rows)
    else:
        parquet.write_table(Table.from_pylist(rows), file)
    found = SwebenchPro(file=str(file), scripts=str(scripts)).load()
    expected = source(scripts, rows).load()
    assert [t.brief for t in found] == [t.brief for t in expected]
    assert [t.oracle for t in found] == [t.oracle for t in expected]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.jsonl", '{"instance_id": ', "not a table of rows"),
        ("x.json", "{}", "no row can be graded"),
        ("x.json", "[1]", "not a table of rows"),
        ("x.txt", "", "give .jsonl, .json, .csv or .parquet"),
        ("x.jsonl", "", "no row can be graded"),
    ],
)
def test_a_file_that_is_no_table_is_one_line(
    scripts: Path, name: str, content: str, says: str
) -> None:
    file = scripts.parent / name
    file.write_text(content)
    with pytest.raises(UsageError, match=says) as caught:
        SwebenchPro(file=str(file), scripts=str(scripts)).load()
    assert "\n" not in str(caught.value)


def test_missing_scripts_and_files_say_what_to_do(tmp_path: Path, scripts: Path) -> None:
    with pytest.raises(UsageError, match="tasks pull swebench-pro"):
        SwebenchPro(file="x.jsonl", scripts=str(tmp_path / "none")).load()
    with pytest.raises(UsageError, match=r"none\.jsonl: cannot be read"):
        SwebenchPro(file=str(tmp_path / "none.jsonl"), scripts=str(scripts)).load()
    with pytest.raises(UsageError, match="strict or compat"):
        SwebenchPro(mode="fair")
    with pytest.raises(UsageError, match="strict or compat"):
        ProGrader("fair")


@pytest.mark.parametrize(
    ("name", "repo", "tag"),
    [
        ("instance_A__b-1-vnan", "A/b", "a.b-A__b-1"),
        ("instance_A__b-1-v2", "A/b", "a.b-A__b-1-v2"),
        (
            "instance_element-hq__element-web-1-vnan",
            "element-hq/element-web",
            "element-hq.element-element-hq__element-web-1",
        ),
        (
            f"instance_{WHOLE_NAME}",
            "element-hq/element-web",
            f"element-hq.element-web-{WHOLE_NAME}",
        ),
        ("instance_" + "x" * 150, "A/b", "a.b-" + "x" * 124),
    ],
)
def test_images_are_named_as_the_official_helper_names_them(name: str, repo: str, tag: str) -> None:
    assert row.image_name(name, repo, "me") == f"me/sweap-images:{tag}"


def test_env_lines_are_read_as_docker_reads_them() -> None:
    lines = ["ENV A B C", "ENV X=1 Y='a b'", 'ENV Z="$X-${Y}"', "ENV PATH=/x:$PATH", "ENV"]
    assert variables(lines) == {"A": "B C", "X": "1", "Y": "a b", "Z": "1-a b"}


def touching(*paths: str) -> bytes:
    return "".join(f"--- a/{p}\n+++ b/{p}\n@@ -1 +1 @@\n-a\n+b\n" for p in paths).encode()


def test_files_that_steer_the_tests_are_restored_unless_the_reference_changes_them_too(
    scripts: Path,
) -> None:
    oracle = Oracle.of(only(scripts))
    patch = touching("calc.py", "t.py", "x/conftest.py", "setup.cfg", "tox.ini", "run_tests.py")
    assert protected.to_restore(oracle, patch) == [
        "t.py",
        "x/conftest.py",
        "tox.ini",
        "run_tests.py",
    ]


def results(*pairs: tuple[str, str]) -> Results:
    tests = [{"name": name, "status": status} for name, status in pairs]
    return Results.read(json.dumps({"tests": tests}).encode())


@pytest.mark.parametrize(
    "log",
    [
        "t.py::a FAILED [ 50%]",
        "\x1b[31mFAILED\x1b[0m t.py::a - assert 1",
        "progress\rERROR t.py::a",
        "t.py::a ERROR",
    ],
)
def test_a_test_that_the_log_also_reports_as_failed_has_failed(log: str) -> None:
    found = results(("t.py::a", "PASSED"), ("t.py::b", "PASSED"))
    assert found.strict(log) == ({"t.py::a": "failed", "t.py::b": "passed"}, ["t.py::a"])


def test_any_failure_wins_in_strict_and_any_pass_officially() -> None:
    found = results(("a", "PASSED"), ("a", "FAILED"), ("b", "SKIPPED"))
    expected: dict[str, Status] = {"a": "passed", "b": "skipped"}
    assert found.official() == expected
    assert found.strict("") == ({**expected, "a": "failed"}, ["a"])


def test_names_that_a_parser_cut_short_are_not_held_against_each_other() -> None:
    found = results(("t.py::a[x", "PASSED"), ("t.py::a[x", "FAILED"))
    assert found.strict("") == ({"t.py::a[x": "passed"}, [])


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"tests": 3}', b'{"tests": [{"name": "x"}]}', b"\xff"]
)
def test_what_is_no_report_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(ValueError):
        Results.read(data)


def test_a_pull_gives_the_commit_and_leaves_what_is_there_alone(tmp_path: Path) -> None:
    from_here = tmp_path / "upstream"
    made = [["init", "-q", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q"]]
    _git(from_here, made[0])
    _git(from_here, [*made[1], "--allow-empty", "-m", "one"])
    commit = _git(from_here, ["rev-parse", "HEAD"])
    _git(from_here, [*made[1], "--allow-empty", "-m", "two"])
    newer = _git(from_here, ["rev-parse", "HEAD"])
    place = tmp_path / "cache" / "official"
    for revision in (commit, commit, newer):
        assert pull_official(place, revision, url=str(from_here)) == revision
    with pytest.raises(UsageError, match="cannot be cloned"):
        pull_official(tmp_path / "no", url=str(tmp_path / "nowhere"))
    assert not (tmp_path / "no").exists()
    with pytest.raises(UsageError, match="is no clone"):
        pull_official(from_here.parent / "cache", commit, url=str(from_here))
    assert default_folder().name == "swebench-pro"


def _git(folder: Path, arguments: list[str]) -> str:
    folder.mkdir(exist_ok=True)
    return str(git.Git(folder).execute(["git", *arguments]))


needs_rows = pytest.mark.skipif(not ROWS.exists(), reason="the real rows are not on this machine")


@needs_rows
def test_all_real_rows_load_quickly_and_the_one_that_cannot_be_graded_is_named(
    tmp_path: Path,
) -> None:
    for line in ROWS.read_text().splitlines():
        folder = tmp_path / "run_scripts" / json.loads(line)["instance_id"]
        folder.mkdir(parents=True)
        (folder / "run_script.sh").touch()
        (folder / "parser.py").touch()
    loaded = SwebenchPro(file=str(ROWS), scripts=str(tmp_path))
    started = time.process_time()
    tasks = list(loaded.load())
    assert time.process_time() - started < 2
    assert len(tasks) == 730
    ((name, why),) = loaded.left_out().items()
    assert "protonmail" in name and "before_repo_set_cmd" in why and "patch" in why


@needs_rows
def test_the_image_of_every_real_row_has_the_tag_that_its_row_gives() -> None:
    rows = [json.loads(line) for line in ROWS.read_text().splitlines()]
    assert len(rows) == 731
    for each in rows:
        name = row.image_name(each["instance_id"], each["repo"], "me")
        assert name == f"me/sweap-images:{each['dockerhub_tag']}"
