"""Grading of task folders without any engine: a recipe of the host's own programs, no network."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from harness.sandboxes.bubblewrap import Bubblewrap
from harness.types import Submission, Task
from tasks.local.grade import LocalGrader
from tasks.local.load import LocalFolders

pytestmark = [pytest.mark.anyio, pytest.mark.bubblewrap]

SETUP = """
set -eu
cd "$HARNESS_REPO"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_DEFAULT_HASH=sha1
export GIT_AUTHOR_DATE='2000-01-01T00:00:00Z' GIT_COMMITTER_DATE='2000-01-01T00:00:00Z'
printf 'echo "hello $1"\\n' > greet.sh
chmod 644 greet.sh
git init -q --template= -b main . >/dev/null
git config core.fileMode false
git -c user.name=a -c user.email=a@example.invalid add -A
git -c user.name=a -c user.email=a@example.invalid commit -q -m base
"""
HIDDEN = """#!/bin/sh
# Prints one testcase for each thing that greet.sh should do.
check() {
  if [ "$2" = "$3" ]; then echo "<testcase classname='greet' name='$1'/>"; return; fi
  echo "<testcase classname='greet' name='$1'><failure/></testcase>"
}
echo '<testsuite>'
check greets "$(sh greet.sh you)" 'hello you'
check shouts "$(sh greet.sh -s you)" 'HELLO YOU'
check offline "$(cat /proc/net/route | wc -l)" 1
echo '</testsuite>'
"""
EVAL = 'cp -r . /tmp/work && cd /tmp/work && exec ./hidden/check.sh > "$HARNESS_REPORT"\n'
GOLD = """\
diff --git a/greet.sh b/greet.sh
--- a/greet.sh
+++ b/greet.sh
@@ -1 +1,2 @@
+if [ "$1" = -s ]; then shift; echo "hello $1" | tr a-z A-Z; exit; fi
 echo "hello $1"
"""


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A task in shell, whose base commit is found by running its recipe here."""
    repository = tmp_path / "repository"
    repository.mkdir()
    environment = {"HARNESS_REPO": str(repository), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    subprocess.run(["sh", "-c", SETUP], env=environment, check=True)
    head = subprocess.run(
        ["git", "-C", str(repository), "rev-parse", "HEAD"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    lists = {"FAIL_TO_PASS": ["greet::shouts"], "PASS_TO_PASS": ["greet::greets", "greet::offline"]}
    files = {
        "task.toml": f'repo = "example/greet"\nlanguage = "shell"\nbase_commit = "{head}"\n'
        "[limits]\nmemory_mb = 256\ncpus = 1\ntest_seconds = 5\n",
        "problem_statement.md": "Add -s, which shouts.\n",
        "tests.json": json.dumps(lists),
        "gold.patch": GOLD,
        "eval.sh": EVAL,
        "tests/hidden/check.sh": HIDDEN,
        "environment/setup.sh": SETUP,
    }
    for name, text in files.items():
        path = tmp_path / "root" / "greet" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "root" / "greet" / "tests" / "hidden" / "check.sh").chmod(0o755)
    (loaded,) = LocalFolders(folder=str(tmp_path / "root")).load()
    return loaded


async def test_a_recipe_is_graded_without_an_engine(task: Task, tmp_path: Path) -> None:
    boxes, grader = Bubblewrap(cache=str(tmp_path / "cache")), LocalGrader()
    async with boxes.open(task.brief.environment) as box:
        work = "echo 'echo nothing' > greet.sh; mkdir -p a; echo '#' > 'a/$(b) c'"
        assert (await box.exec(["sh", "-c", work], kill_after=30)).ok
        wrong = await grader.collect(task, box)
    hang = GOLD.replace('echo "hello $1" | tr a-z A-Z', "sleep 600")
    verdicts = [
        (await grader.grade(task, Submission(patch), boxes)).verdict
        for patch in (GOLD.encode(), b"", wrong.patch, hang.encode())
    ]
    assert [verdict.resolved for verdict in verdicts] == [True, False, False, False]
    assert [verdict.reason for verdict in verdicts[1:]] == [
        "empty_patch",
        "tests_failed",
        "tests_hung",
    ]
    assert b"a/$(b) c" in wrong.patch
    assert any("no canaries" in note for note in verdicts[0].notes)
