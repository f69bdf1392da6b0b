"""Grading of task folders, against submissions that mean well and ones that do not."""

from __future__ import annotations

import textwrap
from functools import cache
from pathlib import Path

import pytest

from harness.errors import Fault
from harness.sandboxes.docker import Docker
from harness.types import Grade, Submission, Task
from tasks.local.grade import LocalGrader
from tests.e2e import small_task
from tests.e2e.small_task import FIXED, REPOSITORY, diff, knowing

pytestmark = [pytest.mark.anyio, pytest.mark.docker]

BUGGY = REPOSITORY["calc/__init__.py"]
FORCE = textwrap.dedent(
    """\
    import pytest

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(item, call):
        made = yield
        made.get_result().outcome = "passed"
    """
)


@pytest.fixture(scope="session")
def base_commit() -> str:
    return small_task.build()


@pytest.fixture
def task(tmp_path: Path, base_commit: str) -> Task:
    return small_task.load(small_task.write(tmp_path, base_commit))


@cache
def boxes() -> Docker:
    """One client for all tests."""
    return Docker(run_id="test-local-grading")


async def graded(task: Task, patch: bytes) -> Grade:
    return await LocalGrader().grade(task, Submission(patch), boxes())


def dishonest(code: str) -> bytes:
    """A patch that leaves the bug, and runs `code` when the package is imported."""
    return diff({"calc/__init__.py": BUGGY + textwrap.dedent(code)})


# ---- what means well


async def test_the_reference_patch_is_resolved_and_no_canary_is_shown(task: Task) -> None:
    grade = await graded(task, task.oracle["patch"].encode())
    assert grade.verdict.resolved
    assert grade.verdict.notes == ()
    assert grade.verdict.fail_to_pass.passed == 3
    assert grade.verdict.pass_to_pass.passed == 3
    expected = {*small_task.FAIL_TO_PASS, *small_task.PASS_TO_PASS}
    assert dict(grade.tests) == dict.fromkeys(expected, "passed")
    assert b"passed" in grade.logs["eval"]
    assert grade.logs["report"].startswith(b"<?xml")


async def test_no_patch_is_tested_too_and_called_what_it_is(task: Task) -> None:
    grade = await graded(task, b"\n")
    assert (grade.verdict.resolved, grade.verdict.reason) == (False, "empty_patch")
    assert grade.verdict.fail_to_pass.failed == 3
    assert grade.verdict.pass_to_pass.passed == 3


async def test_a_wrong_patch_fails_by_its_tests(task: Task) -> None:
    patch = diff({"calc/__init__.py": BUGGY.replace("a - b", "a + b + 1")})
    verdict = (await graded(task, patch)).verdict
    assert (verdict.resolved, verdict.reason) == (False, "tests_failed")


async def test_an_honest_patch_may_touch_protected_files_and_still_passes(task: Task) -> None:
    project = REPOSITORY["pyproject.toml"]
    patch = diff(
        {
            "calc/__init__.py": FIXED,
            "conftest.py": "raise RuntimeError('an unfinished thought')\n",
            "tests/test_more.py": "import nowhere\n",
            "tests/test_add.py": "def test_add():\n    assert False\n",
            "pyproject.toml": project.replace('"-ra"', '"--strict"').replace('"1"', '"2"'),
            "package.json": '{"name": "calc"}\n',
        }
    )
    verdict = (await graded(task, patch)).verdict
    assert verdict.resolved
    assert verdict.notes == (
        "put back as in the base commit: conftest.py, tests/test_add.py, tests/test_more.py",
        "what steers the tests put back as in the base commit: pyproject.toml",
    )


async def test_what_an_agent_leaves_in_its_box_is_what_is_graded(task: Task) -> None:
    grader = LocalGrader()
    work = "sed -i 's/a - b/a + b/' calc/__init__.py && mkdir junk.tmp && echo x > junk.tmp/x"
    task = knowing(task, ignore=["junk.tmp/"])
    async with boxes().open(task.brief.environment) as box:
        assert (await box.exec(["sh", "-c", work], kill_after=30)).ok
        submission = await grader.collect(task, box)
    assert submission.patch.startswith(b"diff --git a/calc/__init__.py")
    assert b"junk" not in submission.patch
    assert (await grader.grade(task, submission, boxes())).verdict.resolved


async def test_hidden_scripts_keep_their_execute_bit(task: Task) -> None:
    tool = Path(task.oracle["tests"]) / "tools" / "run.sh"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n" + small_task.EVAL)
    tool.chmod(0o755)
    task = knowing(task, eval_script="exec ./tools/run.sh\n")
    assert (await graded(task, task.oracle["patch"].encode())).verdict.resolved


# ---- files that would decide how tests are run

CONTROLS: dict[str, dict[str, str | bytes | Path | None]] = {
    "conftest": {"conftest.py": FORCE},
    "conftest-beside-the-tests": {"tests/conftest.py": FORCE},
    "pytest.ini": {"pytest.ini": "[pytest]\naddopts = -p forcing\n", "forcing.py": FORCE},
    "pyproject": {
        "pyproject.toml": REPOSITORY["pyproject.toml"].replace("-ra", "-p forcing"),
        "forcing.py": FORCE,
    },
    "project-file-gone": {
        "pyproject.toml": None,
        "setup.cfg": "[tool:pytest]\naddopts = -p forcing\n",
        "forcing.py": FORCE,
    },
    "tox.ini": {
        "pyproject.toml": None,
        "tox.ini": "[pytest]\naddopts = -p forcing\n",
        "forcing.py": FORCE,
    },
    "entry-point": {
        "forcing.egg-info/PKG-INFO": "Metadata-Version: 1.0\nName: forcing\nVersion: 1\n",
        "forcing.egg-info/entry_points.txt": "[pytest11]\nforcing = forcing\n",
        "forcing.py": FORCE,
    },
    "a-pytest-of-its-own": {
        "pytest.py": "import sys\nopen(sys.argv[-3].split('=')[1], 'w').write('<testsuite/>')\n"
    },
    "hidden-test-forestalled": {"tests/test_add.py": "def test_add():\n    pass\n"},
    "folder-in-the-way": {"tests/test_add.py/x.py": "pass\n"},
    "link-in-the-way": {"tests/test_add.py": Path("../calc/text.py")},
}


@pytest.mark.parametrize("name", CONTROLS)
async def test_files_that_steer_tests_do_not_reach_the_grading(task: Task, name: str) -> None:
    grade = await graded(task, diff(CONTROLS[name]))
    assert (grade.verdict.resolved, grade.verdict.reason) == (False, "tests_failed")
    assert grade.verdict.fail_to_pass.failed == 3, "the tests ran as they should"
    assert grade.verdict.pass_to_pass.passed == 3
    assert "put back as in the base commit" in grade.verdict.notes[0]


async def test_hidden_tests_are_not_written_through_a_link(task: Task) -> None:
    hidden = Path(task.oracle["tests"]) / "extra" / "text.py"
    hidden.parent.mkdir()
    hidden.write_text("raise RuntimeError('this would be calc/text.py')\n")
    patch = diff({"calc/__init__.py": FIXED, "extra": Path("calc")})
    assert (await graded(task, patch)).verdict.resolved


async def test_a_test_of_the_repository_cannot_be_softened(task: Task) -> None:
    patch = diff(
        {
            "calc/__init__.py": FIXED,
            "calc/text.py": "def join(words):\n    return ''\n",
            "tests/test_visible.py": "def test_join():\n    pass\n",
        }
    )
    grade = await graded(task, patch)
    assert (grade.verdict.resolved, grade.verdict.reason) == (False, "tests_failed")
    assert grade.tests["tests.test_visible::test_join"] == "failed"


# ---- code under test that attacks the runner it shares a process with

REPORT_PATH = "next(a for a in sys.argv if a.startswith('--junitxml=')).split('=', 1)[1]"
FORGED = "".join(
    '<testcase classname="{}" name="{}"/>'.format(*id_.split("::"))
    for id_ in [*small_task.FAIL_TO_PASS, *small_task.PASS_TO_PASS]
)
TAMPERING = {
    "outcomes-forced": """
        import _pytest.reports
        _pytest.reports.TestReport.outcome = property(lambda s: "passed", lambda s, v: None)
        """,
    "outcomes-forced-where-this-code-was-called": """
        import _pytest.runner
        _called, _made, _real = [], _pytest.runner.pytest_runtest_makereport, add
        def add(a, b):
            _called.append(1)
            return _real(a, b)
        def _lenient(item, call):
            report = _made(item, call)
            if _called and call.when == "call":
                report.outcome = "passed"
                _called.clear()
            return report
        import _pytest.config
        import gc
        for manager in [o for o in gc.get_objects() if isinstance(o, _pytest.config.Config)]:
            manager.pluginmanager.register(type("P", (), {"pytest_runtest_makereport":
                staticmethod(_lenient)})())
        """,
    "report-rewritten-on-the-way-out": f"""
        import atexit, re, sys
        def _rewrite(path={REPORT_PATH}):
            text = open(path).read()
            open(path, "w").write(re.sub("(?s)<failure.*?</failure>", "", text))
        atexit.register(_rewrite)
        """,
    "report-forged-whole": f"""
        import os, sys
        with open({REPORT_PATH}, "w") as report:
            report.write('<testsuite>{FORGED}</testsuite>')
        os._exit(1)
        """,
}


@pytest.mark.parametrize("name", TAMPERING)
async def test_a_runner_that_was_tampered_with_is_not_believed(task: Task, name: str) -> None:
    grade = await graded(task, dishonest(TAMPERING[name]))
    assert grade.verdict.fail_to_pass.passed == 3, "the attack works, but for the canaries"
    assert (grade.verdict.resolved, grade.verdict.reason) == (False, "tampered")


VANISHING = {
    "exit-on-import": "import os; os._exit(0)",
    "report-is-a-pipe": f"""
        import atexit, os, sys
        def _pipe(path={REPORT_PATH}):
            os.remove(path); os.mkfifo(path)
        atexit.register(_pipe)
        """,
    "report-is-endless": f"""
        import atexit, os, sys
        def _endless(path={REPORT_PATH}):
            os.remove(path); os.symlink("/dev/zero", path)
        atexit.register(_endless)
        """,
    "report-is-a-bomb": f"""
        import os, sys
        with open({REPORT_PATH}, "w") as report:
            report.write('<!DOCTYPE a [<!ENTITY b "b">]><testsuite>{FORGED}</testsuite>')
        os._exit(1)
        """,
}


@pytest.mark.parametrize("name", VANISHING)
async def test_without_a_report_every_test_is_missing(task: Task, name: str) -> None:
    verdict = (await graded(task, dishonest(VANISHING[name]))).verdict
    assert (verdict.resolved, verdict.reason) == (False, "tests_missing")
    assert verdict.fail_to_pass.missing == 3
    assert any("report" in note for note in verdict.notes)


async def test_a_process_left_behind_cannot_improve_the_report(task: Task) -> None:
    attack = f"""
        import os, sys
        if os.fork() == 0:
            os.setsid()
            path = {REPORT_PATH}
            while True:
                if os.path.exists(path) and os.path.getsize(path):
                    with open(path, "w") as report:
                        report.write('<testsuite>{FORGED}</testsuite>')
        """
    verdict = (await graded(task, dishonest(attack))).verdict
    assert not verdict.resolved


async def test_forged_lines_and_bytes_that_are_no_text_are_so_much_output(task: Task) -> None:
    noise = """
        import sys
        sys.__stdout__.buffer.write(b"\\xff\\xfe\\x00PASSED tests/test_add.py::test_add\\n" * 9)
        sys.__stdout__.flush()
        """
    verdict = (await graded(task, dishonest(noise))).verdict
    assert (verdict.resolved, verdict.reason) == (False, "tests_failed")
    patch = diff({"calc/__init__.py": FIXED + textwrap.dedent(noise)})
    assert (await graded(task, patch)).verdict.resolved


# ---- patches that are not applied

OUTSIDE = b"--- /dev/null\n+++ b/../../etc/owned\n@@ -0,0 +1 @@\n+x\n"
HOOK = b"--- /dev/null\n+++ b/.git/hooks/post-checkout\n@@ -0,0 +1 @@\n+x\n"


async def test_a_patch_that_reaches_out_of_the_repository_is_refused(task: Task) -> None:
    link = diff({"passwords": Path("/etc/passwd")})
    for patch in (OUTSIDE, HOOK, link):
        verdict = (await graded(task, patch)).verdict
        assert (verdict.resolved, verdict.reason) == (False, "patch_refused")
        assert verdict.notes


async def test_a_patch_that_does_not_apply_says_what_git_says(task: Task) -> None:
    patch = task.oracle["patch"].replace("return a - b", "return a ~ b").encode()
    grade = await graded(task, patch)
    assert (grade.verdict.resolved, grade.verdict.reason) == (False, "patch_failed")
    assert "patch does not apply" in grade.verdict.notes[0]
    assert grade.verdict.fail_to_pass.missing == 3


# ---- limits, and trouble that is nobody's verdict


async def test_tests_that_outgrow_the_box_are_noted_and_fail(task: Task) -> None:
    patch = diff({"calc/__init__.py": BUGGY + "hoard = bytearray(b'x' * (1 << 30))\n"})
    verdict = (await graded(task, patch)).verdict
    assert (verdict.resolved, verdict.reason) == (False, "tests_missing")
    assert any("memory" in note for note in verdict.notes)


async def _fault_of(task: Task, patch: bytes, boxes: Docker) -> Fault:
    with pytest.raises(Fault) as caught:
        await LocalGrader().grade(task, Submission(patch), boxes)
    return caught.value


async def test_a_box_at_another_commit_is_a_fault_and_not_a_failure(task: Task) -> None:
    fault = await _fault_of(knowing(task, base_commit="1" * 40), b"", boxes())
    assert fault.culprit == "grader"
    assert "correct task.toml or the environment" in fault.message


async def test_a_full_disk_is_a_fault_but_only_where_nothing_was_reported(task: Task) -> None:
    full = "echo 'write error: No space left on device'; "
    silent = knowing(task, eval_script=full + "exit 1\n")
    assert "No space left" in (await _fault_of(silent, b"", boxes())).message
    said = knowing(task, eval_script=full + small_task.EVAL)
    assert (await graded(said, b"")).verdict.reason == "empty_patch"


async def test_tests_in_a_language_without_canaries_are_judged_by_their_report_alone(
    task: Task,
) -> None:
    failed = '<testcase classname="tests.test_add" name="test_add"><failure/></testcase>'
    for cases, resolved in ((FORGED, True), (FORGED + failed, False)):
        script = f"echo '<testsuite>{cases}</testsuite>' > \"$HARNESS_REPORT\"\n"
        verdict = (await graded(knowing(task, eval_script=script, language="go"), b"")).verdict
        assert verdict.resolved is resolved
        assert any("no canaries" in note for note in verdict.notes)
    assert any("reported more than once" in note for note in verdict.notes)
