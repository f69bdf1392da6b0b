"""The pure parts of grading task folders: reports, protected files, canaries, verdicts."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from harness.types import ExecResult, Status
from tasks import protect
from tasks.local import canary, folder, junit
from tasks.local.verdict import Evidence, reach

BASE = "0" * 40

# ---- reports

PYTEST = """<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest">
<testcase classname="tests.test_a" name="test_one[a::b]" time="0"/>
<testcase classname="tests.test_a.TestB" name="test_two"><failure message="m">t</failure></testcase>
<testcase classname="tests.test_a" name="test_three"><skipped/></testcase>
<testcase classname="tests.test_a" name="test_four"><properties/><error>e</error></testcase>
</testsuite></testsuites>"""
NODE = """<?xml version="1.0" encoding="utf-8"?><testsuites>
<testsuite name="outer"><testsuite name="inner"><testcase name="works" classname="test"/>
</testsuite><testcase name="fails" classname="test"><failure type="x">boom</failure></testcase>
</testsuite>
<testcase name="alone" classname="test"/></testsuites>"""


def test_pytest_names_tests_by_class_and_node_by_suites() -> None:
    assert junit.read(PYTEST.encode(), "classname").tests == {
        "tests.test_a::test_one[a::b]": "passed",
        "tests.test_a.TestB::test_two": "failed",
        "tests.test_a::test_three": "skipped",
        "tests.test_a::test_four": "error",
    }
    assert junit.read(NODE.encode(), "suites").tests == {
        "outer > inner > works": "passed",
        "outer > fails": "failed",
        "alone": "passed",
    }


@pytest.mark.parametrize("order", [("", "<failure/>"), ("<failure/>", "")])
def test_of_two_entries_for_one_test_the_worse_counts_and_is_named(order: tuple[str, str]) -> None:
    cases = "".join(f'<testcase classname="t" name="a">{inner}</testcase>' for inner in order)
    report = junit.read(f"<testsuite>{cases}</testsuite>".encode(), "classname")
    assert report.tests == {"t::a": "failed"}
    assert report.conflicting == ("t::a",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PASSED everything",
        b"<testsuites><testsuite>",
        b"<html/>",
        b'<!DOCTYPE t [<!ENTITY a "aaaa">]><testsuites><testcase name="&a;"/></testsuites>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE t><testsuite/>'.encode("utf-16"),
        b"<testsuite>\xff</testsuite>",
    ],
)
def test_what_is_no_honest_report_is_refused(data: bytes) -> None:
    with pytest.raises(junit.Malformed):
        junit.read(data, "classname")


def test_a_test_is_found_by_its_own_name_whatever_its_parameters() -> None:
    report = junit.read(PYTEST.encode(), "classname")
    assert report.named("test_one") == "passed"
    assert report.named("test_two") == "failed"
    assert report.named("one") == "missing"
    assert list(report.without(["test_one", "test_two"])) == [
        "tests.test_a::test_three",
        "tests.test_a::test_four",
    ]


# ---- protected files


@pytest.mark.parametrize(
    "path",
    [
        "conftest.py",
        "src/pkg/conftest.py",
        "pytest.ini",
        "tox.ini",
        "sitecustomize.py",
        "lib/usercustomize.py",
        "evil.pth",
        "evil.egg-info/entry_points.txt",
        "pytest.py",
        "pytest.cpython-311-x86_64-linux-gnu.so",
        "packaging/__init__.py",
        "shlex.py",
        "json/__init__.py",
        "_pytest/__init__.py",
        "src/pluggy/__init__.py",
        "bin/python3",
        "node",
        ".npmrc",
        ".mocharc.json",
        "jest.config.mjs",
        "vitest.config.ts",
        "node_modules/mocha/index.js",
        "pkg/__pycache__/m.cpython-311.pyc",
        "pkg/test_in_place.py",
        "lib/thing.test.mjs",
        "tests/data/x.json",
        "test",
    ],
)
def test_what_steers_tests_is_put_back_unless_the_reference_patch_touches_it(path: str) -> None:
    assert protect.plan([path], []).restore == (path,)
    assert protect.plan([path], [path]).restore == ()


@pytest.mark.parametrize(
    "path",
    [
        *("src/click/testing.py", "django/test/client.py", "setup.py", "contest.py", "a/latest.js"),
        *(
            "pkg/types.py",
            "src/json/__init__.py",
            "html/index.html",
            "site/build.py",
            "queue/a/b.py",
        ),
    ],
)
def test_what_only_sounds_like_a_test_is_left_alone(path: str) -> None:
    assert protect.plan([path], []) == protect.Plan((), ())


def test_a_task_may_name_more_and_the_package_of_a_runner_may_change_itself() -> None:
    assert protect.plan(["run_all.sh", "a.py"], [], ["run_*.sh"]).restore == ("run_all.sh",)
    own = protect.plan(["src/_pytest/mark.py"], ["src/_pytest/python.py"])
    assert own.restore == ()


PROJECT = (
    b'[project]\nname = "a"\n\n[tool.pytest.ini_options]\naddopts = "-ra"\n\n[tool.b]\nc = 1\n'
)


def test_a_project_file_keeps_an_honest_change_and_loses_one_of_the_test_settings() -> None:
    honest = PROJECT.replace(b'name = "a"', b'name = "a"\ndependencies = ["x"]  # why')
    assert protect.merge("pyproject.toml", PROJECT, honest) == honest
    both = honest.replace(b'"-ra"', b'"-p evil"')
    merged = protect.merge("pyproject.toml", PROJECT, both)
    assert merged is not None
    assert b'dependencies = ["x"]  # why' in merged
    assert b"evil" not in merged
    assert b'addopts = "-ra"' in merged


@pytest.mark.parametrize(
    "hostile",
    [
        b'[project]\nname = "b"\n[tool]\npytest.ini_options.addopts = "-p evil"\n',
        b'tool.pytest.ini_options = {addopts = "-p evil"}\n',
        b'["tool"."pytest"."ini_options"]\naddopts = [\n["-p evil"]\n]\n',
        b"[tool.pytest.ini_options\n",
        b"\xff\xfe",
        b"a = " + b"[" * 5000,
    ],
)
def test_a_project_file_that_cannot_be_told_apart_is_as_in_the_base_commit(hostile: bytes) -> None:
    merged = protect.merge("pyproject.toml", PROJECT, hostile)
    assert merged is not None
    assert b"evil" not in merged
    assert b'addopts = "-ra"' in merged
    new = protect.merge("pyproject.toml", None, hostile)
    assert new is None or b"evil" not in new


def test_setup_cfg_and_package_json_lose_only_what_steers_tests() -> None:
    setup = protect.merge(
        "setup.cfg",
        b"[metadata]\nname = a\n",
        b"[metadata]\nname = b\n[tool:pytest]\naddopts = -p evil\n[flake8]\nx = 1\n",
    )
    assert setup == b"[metadata]\nname = b\n[flake8]\nx = 1\n"
    was = {"name": "a", "scripts": {"test": "node --test"}}
    now = {"name": "a", "exports": "./b.js", "scripts": {"test": "true"}, "jest": {}}
    merged = protect.merge("package.json", json.dumps(was).encode(), json.dumps(now).encode())
    assert json.loads(merged or b"") == {**was, "exports": "./b.js"}
    assert protect.merge("package.json", b'{"a": 1}', None) == b'{"a": 1}'
    assert protect.merge("package.json", b'{"a": 1}', b"[" * 90000) == b'{"a": 1}'


# ---- canaries


def plant(text: str, name: str, language: str) -> canary.Planted:
    expected = ["tests.test_it::test_a", "tests.test_it::test_b[1]", "suite > it works"]
    return canary.plant({name: text.encode()}, expected, language, random.Random(7))


def test_python_canaries_fail_under_an_honest_pytest_and_nothing_else_changes(
    tmp_path: Path,
) -> None:
    text = (
        "import pytest\nimport unittest\n\n\n@pytest.mark.parametrize('p', ['x::y'])\n"
        "def test_a(p):\n    with pytest.raises(ValueError):\n        int('z')\n\n\n"
        "class T(unittest.TestCase):\n    def test_b(self):\n        self.assertEqual(1, 1)"
    )
    planted = plant(text, "test_it.py", "python")
    (tmp_path / "test_it.py").write_bytes(planted.files["test_it.py"])
    report = tmp_path / "report.xml"
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    subprocess.run(
        [*run, f"--junitxml={report}", f"--rootdir={tmp_path}"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
    )
    found = junit.read(report.read_bytes(), "classname")
    assert len(planted.names) == len(set(planted.names)) >= 4
    assert {found.named(name) for name in planted.names} == {"failed"}
    assert {found.named(name) for name in planted.copies.values()} == {"passed"}
    assert set(found.without(planted.added).values()) == {"passed"}
    assert len(found.without(planted.added)) == 2


def test_canaries_are_named_anew_each_time_and_like_the_tests_around_them() -> None:
    text = "def test_a():\n    assert True\n"
    expected = ["tests.test_it::test_a"]
    runs = [
        canary.plant({"test_it.py": text.encode()}, expected, "python", random.SystemRandom()).names
        for _ in range(8)
    ]
    assert len(set(runs)) > 1
    assert all(name.startswith("test_a_") for names in runs for name in names)


def test_only_files_that_hold_tests_get_canaries_and_only_in_known_languages() -> None:
    files = {"test/a.test.js": b"test('x', () => {});", "test/data.js": b"x = 1", "b.txt": b""}
    planted = canary.plant(files, ["s > x"], "javascript", random.Random(1))
    assert planted.files["test/data.js"] == b"x = 1"
    assert planted.files["test/a.test.js"] != files["test/a.test.js"]
    assert canary.plant(files, ["x"], "cobol", random.Random(1)).names == ()


def test_a_module_that_python_cannot_parse_is_planted_all_the_same() -> None:
    planted = plant("print 'two'\n", "tests/test_it.py", "python")
    assert planted.files["tests/test_it.py"].startswith(b"print 'two'\n")
    assert planted.names


# ---- verdicts

ORACLE = folder.Oracle("", BASE, "", ("t::a",), ("t::b",), "", 9.0, "python")


def verdict_of(
    tests: dict[str, Status] | None,
    *,
    canaries: tuple[str, ...] = ("c",),
    exit_code: int | None = 1,
    ended: Literal["exit", "deadline", "lost"] = "exit",
) -> tuple[bool, str, tuple[str, ...]]:
    ran = ExecResult(exit_code, b"", 1.0, ended=ended)
    report = None if tests is None else junit.Report(tests)
    verdict = reach(ORACLE, Evidence(ran, report, "", canaries), empty=False)
    return verdict.resolved, verdict.reason, verdict.notes


def test_the_honest_case_is_resolved() -> None:
    tests: dict[str, Status] = {"t::a": "passed", "t::b": "passed", "t::c": "failed"}
    assert verdict_of(tests) == (True, "resolved", ())


@pytest.mark.parametrize("status", ["passed", "skipped"])
def test_a_canary_that_does_not_fail_is_tampering(status: Status) -> None:
    assert verdict_of({"t::a": "passed", "t::b": "passed", "t::c": status})[1] == "tampered"
    assert verdict_of({"t::c": status})[1] == "tampered"


def test_an_absent_canary_is_tampering_only_beside_success() -> None:
    assert verdict_of({"t::a": "passed", "t::b": "passed"})[:2] == (False, "tampered")
    assert verdict_of({"t::a": "failed"})[:2] == (False, "tests_failed")
    assert verdict_of({})[:2] == (False, "tests_missing")


def test_a_runner_that_ends_with_0_although_a_canary_failed_is_not_believed() -> None:
    tests: dict[str, Status] = {"t::a": "passed", "t::b": "passed", "t::c": "failed"}
    assert verdict_of(tests, exit_code=0)[:2] == (False, "tampered")


def test_without_canaries_the_verdict_says_so_and_names_a_strange_exit_code() -> None:
    tests: dict[str, Status] = {"t::a": "passed", "t::b": "passed"}
    resolved, reason, notes = verdict_of(tests, canaries=(), exit_code=3)
    assert (resolved, reason) == (True, "resolved")
    assert any("no canaries" in note for note in notes)
    assert any("ended with 3 although no test failed" in note for note in notes)


def test_tests_that_hang_never_pass_whatever_they_reported() -> None:
    tests: dict[str, Status] = {"t::a": "passed", "t::b": "passed", "t::c": "failed"}
    resolved, reason, notes = verdict_of(tests, exit_code=None, ended="deadline")
    assert (resolved, reason) == (False, "tests_hung")
    assert "more than 9 seconds" in notes[0]
