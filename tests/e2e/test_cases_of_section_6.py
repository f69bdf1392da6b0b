"""The known ways in which a verdict goes wrong, each with a test of its own, by its number.

case                                                    where
(1)  hooks that force an outcome                        here, test_local_grading.py (each file)
(2)  parser, runner or report rewritten                 here, test_local_grading.py (TAMPERING)
(3)  forged lines on standard output                    here
(4)  the report of an earlier grading                   here
(5)  a verdict looked up by name, not by patch          here
(6)  empty lists of expected tests                      here, unit/test_local_tasks.py
(7)  later commits within reach                         here (bundled tasks; runs: history tests)
(8)  colliding test names                               here
(9)  two gradings of one task at a time                 here
(10) duplicates                                         here; predictions: unit/test_predictions.py
(11) unknown ids and missing patches                    the tests of the `grade` verb
(12) machine trouble                                    here
(13) patches that do not quite apply                    here
(14) binary hunks                                       here
(15) lists that are lists                               here; rows of Pro: test_swebench_pro.py
(16) output that is not UTF-8                           here
(17) boxes removed while they are waited for            here
(18) no limits                                          here
(19) strings of the data set that are run               here; rows of Pro: test_swebench_pro.py
(20) links that the tests leave behind                  here
(21) no deadline                                        here
(22) network, and boxes that an interruption leaves     here
(23) images by tag                                      here
(24) shell metacharacters in names                      here
(25) (26) (27) columns and image names of Pro           unit/test_swebench_pro.py
"""

from __future__ import annotations

import asyncio
import json
import os
import textwrap
import uuid
from functools import cache
from pathlib import Path

import pytest
from docker.models.containers import Container

from harness.errors import Fault, UsageError
from harness.sandboxes.docker import Docker
from harness.types import Environment, Grade, Submission, Task
from tasks.local import folder
from tasks.local.grade import LocalGrader
from tasks.local.load import LocalFolders, demo
from tasks.verdicts import judge
from tests.e2e import small_task
from tests.e2e.small_task import EVAL, FIXED, REPOSITORY, diff, knowing

pytestmark = [pytest.mark.anyio, pytest.mark.docker]

RUN = f"test-{uuid.uuid4().hex}"
BUGGY = REPOSITORY["calc/__init__.py"]
PYTHON, NODE = "humanize-naturalsize-carry", "semver-caret-prerelease"


@cache
def boxes() -> Docker:
    """One client for all tests."""
    return Docker(run_id=RUN)


@pytest.fixture(scope="session")
def base_commit() -> str:
    return small_task.build()


@pytest.fixture
def task(tmp_path: Path, base_commit: str) -> Task:
    return small_task.load(small_task.write(tmp_path, base_commit))


@pytest.fixture
def gold(task: Task) -> bytes:
    return small_task.diff({"calc/__init__.py": FIXED})


async def bundled(name: str) -> Task:
    """One of the bundled tasks, its image built; skipped where no package registry is reached."""
    (found,) = [task for task in demo().load() if task.id == name]
    try:
        await boxes().prepare(found.brief.environment)
    except Fault as fault:
        if os.environ.get("HARNESS_REQUIRE_DOCKER") == "1":
            raise
        pytest.skip(f"the image of {name} cannot be built here: {fault.message[-200:]}")
    return found


async def graded(task: Task, patch: bytes) -> Grade:
    return await LocalGrader().grade(task, Submission(patch), boxes())


async def verdict_of(task: Task, patch: bytes) -> tuple[bool, str]:
    verdict = (await graded(task, patch)).verdict
    return verdict.resolved, verdict.reason


def dishonest(code: str) -> bytes:
    return diff({"calc/__init__.py": BUGGY + textwrap.dedent(code)})


async def worked(task: Task, script: str) -> Submission:
    """What an agent submits that runs `script` in its box."""
    async with boxes().open(task.brief.environment) as box:
        done = await box.exec(["sh", "-c", script], kill_after=60)
        assert done.ok, done.text
        return await LocalGrader().collect(task, box)


# ---- false pass


async def test_case_1_a_conftest_hook_forces_nothing() -> None:
    task = await bundled(PYTHON)
    hook = (
        "import pytest\n@pytest.hookimpl(hookwrapper=True)\n"
        "def pytest_runtest_makereport(item, call):\n"
        "    made = yield\n    made.get_result().outcome = 'passed'\n"
    )
    patch = diff({"conftest.py": hook, "tests/conftest.py": hook}, base={})
    grade = await graded(task, patch)
    assert (grade.verdict.resolved, grade.verdict.reason) == (False, "tests_failed")
    assert "conftest.py, tests/conftest.py" in grade.verdict.notes[0]


async def test_case_2_a_report_that_the_code_under_test_rewrites_is_not_believed() -> None:
    task = await bundled(PYTHON)
    attack = """
import atexit, re, sys
def rewrite(path=[a for a in sys.argv if a.startswith("--junitxml=")][0][11:]):
    text = open(path).read()
    open(path, "w").write(re.sub("(?s)<failure.*?</failure>", "", text))
atexit.register(rewrite)
"""
    submission = await worked(task, f"cat >> src/humanize/__init__.py <<'END'\n{attack}END\n")
    assert await verdict_of(task, submission.patch) == (False, "tampered")


async def test_case_2_assertions_that_the_code_under_test_disarms_are_missed() -> None:
    task = await bundled(NODE)
    attack = "require('node:assert').strictEqual = () => {}"
    submission = await worked(task, f'echo "{attack}" >> classes/range.js')
    grade = await graded(task, submission.patch)
    assert grade.verdict.fail_to_pass.passed == grade.verdict.fail_to_pass.total
    assert (grade.verdict.resolved, grade.verdict.reason) == (False, "tampered")


async def test_case_3_a_forged_line_is_only_output() -> None:
    task = await bundled(NODE)
    line = "PASSED caret with includePrerelease > full version"
    submission = await worked(task, f"echo 'console.log(\"{line}\")' >> classes/range.js")
    assert await verdict_of(task, submission.patch) == (False, "tests_failed")


async def test_case_4_the_report_of_an_earlier_grading_is_not_found(
    task: Task, gold: bytes
) -> None:
    assert await verdict_of(task, gold) == (True, "resolved")
    breaks_the_interpreter = dishonest("import os\nos._exit(0)\n")
    assert await verdict_of(task, breaks_the_interpreter) == (False, "tests_missing")


async def test_case_5_a_verdict_belongs_to_its_patch(task: Task, gold: bytes) -> None:
    found = [await verdict_of(task, patch) for patch in (gold, b"", gold)]
    assert [resolved for resolved, _ in found] == [True, False, True]


@pytest.mark.parametrize("listed", [[], ["tests.test_add::test_mul"]])
def test_case_6_a_task_that_expects_nothing_is_not_passed_by_everything(
    tmp_path: Path, listed: list[str]
) -> None:
    lists = json.dumps({"FAIL_TO_PASS": [], "PASS_TO_PASS": listed})
    source = LocalFolders(folder=str(small_task.write(tmp_path, "0" * 40, **{"tests.json": lists})))
    with pytest.raises(UsageError, match="FAIL_TO_PASS is empty"):
        source.load()
    with pytest.raises(ValueError, match="expects no test"):
        judge({}, [], [])


async def test_case_7_no_later_commit_can_be_reached_from_a_bundled_task() -> None:
    task = await bundled(PYTHON)
    async with boxes().open(task.brief.environment) as box:
        seen = await box.exec(
            ["sh", "-c", "git log --all --reflog --format=%H; git fsck --unreachable --no-reflogs"],
            kill_after=60,
        )
    assert seen.text.split() == [task.oracle["base_commit"]]


async def test_case_8_of_colliding_names_the_worse_outcome_counts(task: Task) -> None:
    ids = [*small_task.FAIL_TO_PASS, *small_task.PASS_TO_PASS]
    case = '<testcase classname="{}" name="{}">{}</testcase>'
    passed = "".join(case.format(*id_.split("::"), "") for id_ in ids)
    failed = case.format(*ids[0].split("::"), "<failure/>")
    # Names are whole: one that starts like another is another.
    longer = case.format("tests.test_add", "test_mul and more", "<failure/>")
    for cases, resolved in (
        (passed + longer, True),
        (passed + failed, False),
        (failed + passed, False),
    ):
        script = f"echo '<testsuite>{cases}</testsuite>' > \"$HARNESS_REPORT\"\n"
        grade = await graded(knowing(task, eval_script=script, canary=False), b"")
        assert grade.verdict.resolved is resolved


# ---- wrong either way


async def test_case_9_two_gradings_of_one_task_at_a_time_share_nothing(
    task: Task, gold: bytes
) -> None:
    found = await asyncio.gather(*(verdict_of(task, patch) for patch in (gold, b"", gold, b"")))
    assert [resolved for resolved, _ in found] == [True, False, True, False]


async def test_case_10_the_same_patch_twice_gets_two_verdicts_of_its_own(
    task: Task, gold: bytes
) -> None:
    first, second = await asyncio.gather(graded(task, gold), graded(task, gold))
    assert first.verdict == second.verdict
    assert first.logs["report"] != second.logs["report"]


# ---- false fail


async def test_case_12_an_image_that_is_missing_is_a_fault(task: Task, gold: bytes) -> None:
    brief = task.brief
    nowhere = Environment(image="localhost:1/no/such:image", workdir="/app")
    lost = type(task)(
        type(brief)(brief.id, brief.statement, nowhere), task.oracle, "local", task.origin
    )
    with pytest.raises(Fault) as caught:
        await graded(lost, gold)
    assert caught.value.culprit == "sandbox"


async def test_case_12_a_box_that_dies_during_the_tests_is_a_fault(task: Task) -> None:
    async def fault() -> Fault:
        with pytest.raises(Fault) as caught:
            await graded(task, dishonest("import time\ntime.sleep(600)\n"))
        return caught.value

    async with asyncio.TaskGroup() as group:
        grading = group.create_task(fault())
        await asyncio.to_thread(small_task.with_box_in_test, RUN, Container.kill)
    assert grading.result().culprit == "sandbox"


async def test_case_13_a_final_newline_that_got_lost_is_put_back(task: Task, gold: bytes) -> None:
    assert await verdict_of(task, gold.rstrip(b"\n")) == (True, "resolved")


async def test_case_13_markdown_fences_round_a_patch_are_tolerated(task: Task, gold: bytes) -> None:
    assert await verdict_of(task, b"```diff\n" + gold + b"```\n") == (True, "resolved")


@pytest.mark.parametrize("how", ["carriage returns", "context", "new file over an old one"])
async def test_case_13_a_patch_that_does_not_apply_is_said_not_to(
    task: Task, gold: bytes, how: str
) -> None:
    patches = {
        "carriage returns": gold.replace(b"\n", b"\r\n"),
        "context": gold.replace(b" def add(a, b):", b" def add(a, c):"),
        "new file over an old one": diff({"README.md": "new\n"}, base={}) + gold,
    }
    grade = await graded(task, patches[how])
    assert (grade.verdict.resolved, grade.verdict.reason) == (False, "patch_failed")
    assert grade.verdict.notes[0], "git's own words"
    assert grade.verdict.fail_to_pass.missing == 3, "nothing ran, so nothing failed"


async def test_case_14_binary_hunks_are_applied_like_any_other(task: Task) -> None:
    blob = bytes(range(256)) * 4
    hidden = Path(task.oracle["tests"]) / "tests" / "test_blob.py"
    hidden.write_text(
        "def test_blob():\n    assert open('calc/blob', 'rb').read() == bytes(range(256)) * 4\n"
    )
    both = knowing(
        task,
        fail_to_pass=["tests.test_add::test_add", "tests.test_blob::test_blob"],
        eval_script=EVAL.replace(
            "tests/test_visible.py", "tests/test_visible.py tests/test_blob.py"
        ),
    )
    patch = diff({"calc/__init__.py": FIXED, "calc/blob": blob})
    assert b"GIT binary patch" in patch
    assert await verdict_of(both, patch) == (True, "resolved")


def test_case_15_lists_are_lists_and_never_strings_to_be_parsed(tmp_path: Path) -> None:
    lists = json.dumps({"FAIL_TO_PASS": "['tests.test_add::test_add']", "PASS_TO_PASS": []})
    root = small_task.write(tmp_path, "0" * 40, **{"tests.json": lists})
    with pytest.raises(UsageError, match=r"tests\.json FAIL_TO_PASS"):
        LocalFolders(folder=str(root)).load()


async def test_case_16_output_that_is_not_utf8_changes_no_verdict(task: Task) -> None:
    noise = "import sys\nsys.__stdout__.buffer.write(b'\\xff\\xfe\\x00' * 999)\n"
    assert await verdict_of(task, diff({"calc/__init__.py": FIXED + noise})) == (True, "resolved")


async def test_case_17_boxes_that_end_at_once_are_waited_for_without_a_race(task: Task) -> None:
    quick = knowing(task, eval_script="exit 1\n")
    found = await asyncio.gather(*(verdict_of(quick, b"") for _ in range(8)))
    assert set(found) == {(False, "empty_patch")}


async def test_case_18_a_box_has_limits_and_says_which(task: Task) -> None:
    async with boxes().open(task.brief.environment) as box:
        assert {k: box.facts[k] for k in ("memory_mb", "pids")} == {"memory_mb": 512, "pids": 256}
        assert box.facts["cpus"] <= 2
    bomb = "import os, time\nfor _ in range(999):\n    if not os.fork():\n        time.sleep(600)\n"
    assert await verdict_of(task, dishonest(bomb)) == (False, "tests_missing")


# ---- safety and operation


def test_case_19_no_string_of_a_task_is_run_on_the_host(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    code = f"__import__('pathlib').Path({str(ran)!r}).touch()"
    root = small_task.write(tmp_path / "root", "0" * 40, **{"tests.json": code})
    with pytest.raises(UsageError):
        LocalFolders(folder=str(root)).load()
    assert not ran.exists()


async def test_case_20_a_link_that_tests_leave_reaches_no_file_of_the_host(
    task: Task, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text("<testsuite/>")
    before = folder.digest_of([Path(task.oracle["tests"])])
    attack = f"""
        import atexit, os, sys
        def relink(path=[a for a in sys.argv if a.startswith("--junitxml=")][0][11:]):
            os.remove(path)
            os.symlink({str(secret)!r}, path)
        atexit.register(relink)
        """
    grade = await graded(task, dishonest(attack))
    assert (grade.verdict.resolved, grade.verdict.reason) == (False, "tests_missing")
    assert grade.logs["report"] == b""
    assert secret.read_text() == "<testsuite/>"
    assert folder.digest_of([Path(task.oracle["tests"])]) == before


async def test_case_21_tests_that_hang_end_at_their_deadline(task: Task) -> None:
    grade = await graded(knowing(task, test_seconds=3), dishonest("while True: pass\n"))
    assert (grade.verdict.resolved, grade.verdict.reason) == (False, "tests_hung")
    assert "more than 3 seconds" in grade.verdict.notes[0]


async def test_case_22_the_graders_box_has_no_network(task: Task) -> None:
    async with boxes().open(task.brief.environment) as box:
        routes = await box.exec(["sh", "-c", "wc -l < /proc/net/route"], kill_after=30)
    assert routes.text.split() == ["1"], "a header, and no route"


async def test_case_22_a_grading_that_is_interrupted_leaves_no_box(task: Task) -> None:
    grading = asyncio.create_task(graded(task, dishonest("import time\ntime.sleep(600)\n")))
    await asyncio.to_thread(small_task.with_box_in_test, RUN, str)
    grading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await grading
    assert await asyncio.to_thread(small_task.boxes_of, RUN) == []


async def test_case_23_the_image_is_recorded_by_its_digest(task: Task) -> None:
    async with boxes().open(task.brief.environment) as box:
        assert box.facts["image_digest"].startswith("sha256:")


async def test_case_24_names_mean_themselves_to_every_shell(task: Task, gold: bytes) -> None:
    odd = "test_$db_key; touch x `id` 'a'"
    hidden = Path(task.oracle["tests"]) / "tests" / f"{odd}.py"
    hidden.write_text("import os\ndef test_it():\n    assert not os.path.exists('x')\n")
    quoted = "'" + f"tests/{odd}.py".replace("'", "'\\''") + "'"
    both = knowing(
        task,
        fail_to_pass=["tests.test_add::test_add", f"tests.{odd}::test_it"],
        pass_to_pass=[],
        eval_script=EVAL.replace("tests/test_visible.py", quoted),
    )
    patch = gold + diff({"notes/$(touch x) `id` 'b'.txt": "x\n"}, base={})
    assert await verdict_of(both, patch) == (True, "resolved")
