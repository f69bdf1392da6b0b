"""One made-up row of SWE-Bench Pro, graded in both modes against what people submit and attempt."""

from __future__ import annotations

import asyncio
import io
import json
import os
import tarfile
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import docker
import pytest

from harness.api import Sandbox
from harness.errors import Fault
from harness.sandboxes.docker import Docker
from harness.types import Environment, Grade, Submission, Task
from tasks.swebench_pro.grade import ProGrader
from tasks.swebench_pro.load import SwebenchPro

pytestmark = [pytest.mark.anyio, pytest.mark.docker]

NAME = "instance_example__calc-1"
IMAGE = "example/sweap-images:example.calc-example__calc-1"
DOCKERFILE = """
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends git python3 python3-pytest \
 && rm -rf /var/lib/apt/lists/*
RUN ln -s python3 /usr/bin/python
COPY repository /app
WORKDIR /app
COPY hidden /hidden
RUN git init -q -b main && git config user.name a && git config user.email a@example.invalid \
 && git add -A && git commit -q -m base && git tag base && cp -r /hidden/. . \
 && git add -A && git commit -q -m solution && git tag solution && git checkout -q base \
 && printf 'of the image' >left.txt
"""
CALC = "def add(a, b):\n    return a - b\n\n\ndef mul(a, b):\n    return a * b\n"
ADD = "from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"
FILES = {
    "Dockerfile": DOCKERFILE,
    "repository/calc.py": CALC,
    "repository/dos.txt": "one\r\ntwo\r\n",
    "repository/tests/test_mul.py": (
        "from calc import mul\n\n\ndef test_mul():\n    assert mul(2, 3) == 6\n"
    ),
    "hidden/tests/test_add.py": ADD,
}
RUN_SCRIPT = """
IFS=',' read -r -a files <<<"$1"
python -m pytest -v -s -p no:cacheprovider "${files[@]}" || true
"""
PARSER = r"""
import json, re, sys
found = {}
for line in open(sys.argv[1]).read().split("\n"):
    if match := re.match(r"(tests/\S+::\S+)\s+(PASSED|FAILED|SKIPPED|ERROR)", line.strip()):
        found[match[1]] = match[2]
tests = [{"name": name, "status": status} for name, status in found.items()]
json.dump({"tests": tests}, open(sys.argv[3], "w"))
"""
GOLD = (
    "diff --git a/calc.py b/calc.py\n--- a/calc.py\n+++ b/calc.py\n@@ -1,5 +1,5 @@\n"
    " def add(a, b):\n-    return a - b\n+    return a + b\n \n \n def mul(a, b):\n"
)


def new(path: str, text: str) -> str:
    lines = text.splitlines()
    body = "".join(f"+{line}\n" for line in lines)
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
        f"@@ -0,0 +1,{len(lines)} @@\n{body}"
    )


def at_import(code: str) -> str:
    """A patch that fixes nothing and runs `code` when the tests import the module."""
    lines = code.splitlines()
    body = "".join(f"+{line}\n" for line in lines)
    return (
        "diff --git a/calc.py b/calc.py\n--- a/calc.py\n+++ b/calc.py\n"
        f"@@ -1,2 +1,{2 + len(lines)} @@\n{body} def add(a, b):\n     return a - b\n"
    )


def row(name: str, base: str, solution: str) -> dict[str, str]:
    """The row of an instance, as the data set has it."""
    return {
        "instance_id": name,
        "repo": "example/calc",
        "base_commit": base,
        "problem_statement": "add() subtracts",
        "before_repo_set_cmd": f"true\ngit checkout {solution} -- tests/test_add.py",
        "selected_test_files_to_run": "['tests/test_add.py', 'tests/test_mul.py']",
        "fail_to_pass": "['tests/test_add.py::test_add']",
        "pass_to_pass": '["tests/test_mul.py::test_mul"]',
        "patch": GOLD,
        "test_patch": new("tests/test_add.py", ADD),
    }


BINARY = (
    "diff --git a/b b/b\n"
    "new file mode 100644\n"
    "index 0000000000000000000000000000000000000000..8352675d67aed6625ece79af41c27fdb4ee2e867\n"
    "GIT binary patch\n"
    "literal 3\n"
    "KcmZQzWC8#H2LJ>B\n"
    "\n"
    "literal 0\n"
    "HcmV?d00001\n"
    "\n"
)
DOS = (
    "diff --git a/dos.txt b/dos.txt\n--- a/dos.txt\n+++ b/dos.txt\n"
    "@@ -1,2 +1,2 @@\n one\r\n-two\r\n+TWO\r\n"
)
FORGED = "tests/test_add.py::test_add PASSED [100%]"
CONFTEST = """\
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    report = (yield).get_result()
    report.outcome = "passed"
"""
REWRITE = """\
import json, pathlib
for place in pathlib.Path("/").glob("workspace"):
    (place / "parser.py").write_text('''
import json, sys
names = ["tests/test_add.py::test_add", "tests/test_mul.py::test_mul"]
tests = [dict(name=name, status="PASSED") for name in names]
json.dump(dict(tests=tests), open(sys.argv[3], "w"))
''')
"""


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """The row, its scripts on disk and its image on the engine."""
    base, solution = build()
    root: Path = tmp_path_factory.mktemp("pro")
    scripts = root / "run_scripts" / NAME
    scripts.mkdir(parents=True)
    (scripts / "run_script.sh").write_text(RUN_SCRIPT)
    (scripts / "parser.py").write_text(PARSER)
    (root / "rows.jsonl").write_text(json.dumps(row(NAME, base, solution)))
    source = SwebenchPro(file=str(root / "rows.jsonl"), scripts=str(root), dockerhub_user="example")
    (loaded,) = source.load()
    assert loaded.brief.environment.image == IMAGE
    return loaded


def build() -> Sequence[str]:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in sorted(FILES.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    packed.seek(0)
    client = docker.from_env()
    try:
        client.images.build(fileobj=packed, custom_context=True, tag=IMAGE, rm=True)
        asked = ["git", "-C", "/app", "rev-parse", "base", "solution"]
        said = client.containers.run(IMAGE, asked, remove=True, network_mode="none")
    except docker.errors.BuildError as error:
        if os.environ.get("HARNESS_REQUIRE_DOCKER") == "1":
            raise
        pytest.skip(f"the image for these tests cannot be built here: {error}")
    finally:
        client.close()
    return bytes(said).decode().split()


async def grade(task: Task, patch: str | bytes, mode: str, seconds: float = 120.0) -> Grade:
    data = patch.encode() if isinstance(patch, str) else patch
    return await ProGrader(mode, tests_seconds=seconds).grade(task, Submission(data), Docker())


@pytest.mark.parametrize("mode", ["strict", "compat"])
async def test_the_boxes_that_are_foretold_are_those_that_are_opened(task: Task, mode: str) -> None:
    grader, opened = ProGrader(mode), list[Environment]()

    class Noted(Docker):
        def open(self, environment: Environment, /) -> AbstractAsyncContextManager[Sandbox]:
            opened.append(environment)
            return super().open(environment)

    await grader.grade(task, Submission(GOLD.encode()), Noted())
    assert opened == list(grader.opens(task))


@pytest.mark.parametrize(
    ("patch", "strict", "compat"),
    [
        pytest.param(GOLD, "resolved", "resolved", id="gold"),
        pytest.param("", "empty_patch", "tests_failed", id="empty"),
        pytest.param(GOLD.replace("a + b", "a * b"), "tests_failed", "tests_failed", id="wrong"),
        pytest.param(
            GOLD.replace("mul(a, b)", "mul(x)"), "patch_failed", "tests_failed", id="unappliable"
        ),
        pytest.param(GOLD + DOS, "resolved", "resolved", id="carriage-returns-in-a-file"),
        pytest.param(
            GOLD.replace("\n", "\r\n"), "patch_failed", "tests_failed", id="carriage-returns-added"
        ),
        pytest.param(
            (GOLD + new("z", "z")).rstrip("\n"), "resolved", "tests_failed", id="no-final-newline"
        ),
        pytest.param(BINARY + GOLD, "resolved", "resolved", id="binary-part"),
        pytest.param(
            GOLD + new("left.txt", "mine"), "resolved", "tests_failed", id="over-an-untracked-file"
        ),
        pytest.param(
            GOLD + new("tests/test_add.py", "def test_add(): 1 / 0"),
            "resolved",
            "resolved",
            id="hidden-test-written-over",
        ),
        pytest.param(GOLD + new("../x", "x"), "patch_refused", "tests_failed", id="reaches-out"),
        pytest.param(
            at_import("import no_such_module"), "tests_missing", "tests_missing", id="never-runs"
        ),
        pytest.param(
            at_import(f"import atexit\natexit.register(print, '\\n{FORGED}')"),
            "tests_failed",
            "resolved",
            id="forged-line",
        ),
        pytest.param(new("conftest.py", CONFTEST), "tests_failed", "resolved", id="conftest"),
        pytest.param(at_import(REWRITE), "tests_failed", "resolved", id="parser-rewritten"),
    ],
)
async def test_what_each_mode_says_of_a_submission(
    task: Task, patch: str, strict: str, compat: str
) -> None:
    fair, official = await asyncio.gather(
        grade(task, patch, "strict"), grade(task, patch, "compat")
    )
    assert (fair.verdict.reason, fair.verdict.resolved) == (strict, strict == "resolved")
    assert (official.verdict.reason, official.verdict.resolved) == (compat, compat == "resolved")
    assert (fair.verdict.mode, official.verdict.mode) == ("strict", "compat")


async def test_tests_that_hang_are_the_submissions_doing(task: Task) -> None:
    patch = at_import("import time\ntime.sleep(600)")
    for mode in ("strict", "compat"):
        verdict = (await grade(task, patch, mode, seconds=3.0)).verdict
        assert not verdict.resolved and verdict.reason == "tests_hung"


async def test_the_verdict_names_what_was_restored_forged_and_left_out(task: Task) -> None:
    forged = at_import(f"import atexit\natexit.register(print, '\\n{FORGED}')")
    first = await grade(task, forged + new("conftest.py", CONFTEST), "strict")
    assert "conftest.py" in first.verdict.notes[0]
    assert "tests/test_add.py::test_add" in first.verdict.notes[1]
    second = await grade(task, BINARY + GOLD, "compat")
    assert "binary" in second.verdict.notes[0]
    third = await grade(task, GOLD + new("left.txt", "mine"), "compat")
    assert "did not apply" in third.verdict.notes[0]


async def test_output_that_is_no_text_costs_only_the_official_verdict(task: Task) -> None:
    noisy = GOLD.replace("+    return", "+    __import__('os').write(2, b'\\xff'); return")
    assert not (await grade(task, noisy, "compat")).verdict.resolved
    captured = await grade(task, noisy, "strict")
    assert captured.verdict.resolved


async def test_an_image_that_is_not_the_rows_is_a_fault_and_no_verdict(task: Task) -> None:
    strange = Task(task.brief, {**task.oracle, "base_commit": "0" * 40}, task.grader, task.origin)
    with pytest.raises(Fault) as caught:
        await grade(strange, GOLD, "strict")
    assert caught.value.culprit == "grader"


async def test_what_an_agent_does_in_its_box_is_collected_and_graded(task: Task) -> None:
    grader, boxes = ProGrader(), Docker()
    async with boxes.open(task.brief.environment) as box:
        edit = "sed -i 's/a - b/a + b/' calc.py && git commit -qam done && rm -rf .git/index"
        assert (await box.exec(["sh", "-c", edit], kill_after=60)).ok
        submission = await grader.collect(task, box)
    assert b"left.txt" in submission.patch  # untracked in the image, so it looks new
    found = await grader.grade(task, submission, boxes)
    assert found.verdict.resolved
    assert found.tests == {
        "tests/test_add.py::test_add": "passed",
        "tests/test_mul.py::test_mul": "passed",
    }
    assert {"stdout", "stderr", "parser", "run"} <= found.logs.keys()
