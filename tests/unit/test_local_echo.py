"""Copies of hidden tests: what must fail fails, what must agree agrees, all else is the same."""

from __future__ import annotations

import ast
import random
import subprocess
import sys
from pathlib import Path

import pytest

from harness.types import ExecResult, Status
from tasks.local import canary, folder, junit
from tasks.local.echo import counterpart
from tasks.local.load import demo
from tasks.local.verdict import Evidence, reach

PYTHON = '''\
import pytest


def size(value):
    return f"{value} B"


@pytest.mark.parametrize(("value", "shown"), [(1, "1 B"), (2, "2 B")])
def test_size(value, shown):
    assert size(value) == shown


@pytest.mark.parametrize("value", ["a", "ä"])
def test_round_trip(value):
    assert value.encode().decode() == value


def test_literal():
    """It has an ä and a docstring."""
    assert len("ä") == 1
    assert size(3) == "3 B"


class TestMore:
    def test_expression(self):
        assert [size(1)] == [
            "1 B",
        ]
'''
IDS = [
    "test_it::test_size[1-1 B]",
    "test_it::test_round_trip[a]",
    "test_it::test_literal",
    "test_it.TestMore::test_expression",
]
SCRIPT = """\
const assert = require('node:assert');
const {test} = require('node:test');

test('adds', () => {
  assert.strictEqual(1 + 1, 2);
  assert.strictEqual(Math.max(1, 2), 2, 'with a message');
});
test('joins', () => {
  assert.strictEqual(['a'].join(''), 'a');
});
test('is no one-liner', () => { assert.ok(1); });
"""


def planted(text: str, ids: list[str], seed: int, name: str = "test_it.py") -> canary.Planted:
    language = "python" if name.endswith(".py") else "javascript"
    return canary.plant({name: text.encode()}, ids, language, random.Random(seed))


@pytest.mark.parametrize("seed", [1, 2])
def test_under_an_honest_runner_copies_fail_or_agree_as_they_must(
    tmp_path: Path, seed: int
) -> None:
    made = planted(PYTHON, IDS, seed)
    (tmp_path / "test_it.py").write_bytes(made.files["test_it.py"])
    report = tmp_path / "report.xml"
    runner = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
    subprocess.run(
        [*runner, f"--rootdir={tmp_path}", f"--junitxml={report}", "test_it.py"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
    )
    found = junit.read(report.read_bytes(), "classname")
    assert {found.named(name) for name in made.names} == {"failed"}
    assert len(made.copies) == 3
    copies = [c for id_ in found.tests if (c := counterpart(id_, made.copies))]
    assert copies
    assert {found.tests[copy] for copy in copies} == {"passed"}
    assert set(found.without(made.added).values()) == {"passed"}


def test_no_two_plantings_share_a_line_by_which_canaries_could_be_told() -> None:
    before = set(PYTHON.splitlines())
    lines = [
        {
            line.strip()
            for line in planted(PYTHON, IDS, seed).files["test_it.py"].decode().splitlines()
            if "assert" in line and line not in before
        }
        for seed in range(2)
    ]
    assert lines[0]
    assert not lines[0] & lines[1]


def test_javascript_copies_expect_another_value_but_never_another_message() -> None:
    for seed in range(20):
        made = planted(SCRIPT, ["adds", "joins"], seed, "a.test.js")
        text = made.files["a.test.js"].decode()
        assert text.count("'with a message'") == text.count("Math.max(1, 2), 2, 'with a message'")
        assert text.startswith(SCRIPT.partition("test('adds'")[0])
        assert "assert.strictEqual(1 + 1, 2);" in text
        assert set(made.copies) == {"adds", "joins"}


def test_every_bundled_python_test_file_is_still_python_with_its_canaries() -> None:
    for task in demo().load():
        oracle = folder.Oracle(**task.oracle)
        if oracle.language != "python":
            continue
        root = Path(oracle.tests)
        files = {p.relative_to(root).as_posix(): p.read_bytes() for p in folder.files_of(root)}
        expected = [*oracle.fail_to_pass, *oracle.pass_to_pass]
        made = canary.plant(files, expected, "python", random.Random(3), oracle.fail_to_pass)
        for data in made.files.values():
            ast.parse(data)
        aims = {id_.partition("[")[0].rpartition("::")[2] for id_ in oracle.fail_to_pass}
        assert made.copies
        assert set(made.copies) <= aims


@pytest.mark.parametrize(
    ("id_", "copy"),
    [
        ("t.test_a::test_b", "t.test_a::new"),
        ("t.test_a.TestB::test_b[x::y]", "t.test_a.TestB::new[x::y]"),
        ("suite > test_b", "suite > new"),
        ("t.test_a::test_bc", None),
    ],
)
def test_the_copy_of_a_test_is_where_the_test_is(id_: str, copy: str | None) -> None:
    assert counterpart(id_, {"test_b": "new"}) == copy


@pytest.mark.parametrize("status", ["failed", "missing"])
def test_a_test_that_passes_by_its_name_alone_is_tampering(status: Status) -> None:
    oracle = folder.Oracle("", "0" * 40, "", ("t::a",), ("t::b",), "", 9.0, "python")
    tests: dict[str, Status] = {"t::a": "passed", "t::b": "passed", "t::c": "failed"}
    ran = ExecResult(1, b"", 1.0)
    for copied, reason in (("passed", "resolved"), (status, "tampered")):
        report = junit.Report({**tests, "t::new": copied})
        verdict = reach(oracle, Evidence(ran, report, "", ("c",), {"a": "new"}), empty=False)
        assert verdict.reason == reason
    report = junit.Report({**tests, "t::a": "failed", "t::new": "passed"})
    verdict = reach(oracle, Evidence(ran, report, "", ("c",), {"a": "new"}), empty=False)
    assert verdict.reason == "tests_failed", "a test that is not to be relied on is no accusation"
