"""Patches are taken and applied whatever an agent did to its repository."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.api import Sandbox
from harness.errors import Fault
from harness.sandboxes.host import Host
from harness.types import Environment, ExecResult
from tasks import patches

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine"),
]
ROWS = Path(__file__).parents[3] / "shared" / "data" / "swe_bench_pro" / "test.jsonl"
ME = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b\n"
REPOSITORY = """
git init -q . && printf 'one\\ntwo\\n' >a.txt && printf 'x\\n' >'b b.txt' && printf 'g\\n' >gone
printf 'a\\r\\nb\\r\\n' >crlf && ln -s a.txt link && printf '*.pyc\\n' >.gitignore
git add -A && git commit -qm base && git rev-parse HEAD
"""


@dataclass(frozen=True)
class Repository:
    box: Sandbox
    base: str

    async def run(self, script: str) -> ExecResult:
        return await self.box.exec(["sh", "-c", ME + script], kill_after=60)

    async def collect(self, **options: object) -> bytes:
        return await patches.collect(self.box, base=self.base, **options)  # type: ignore[arg-type]


@asynccontextmanager
async def repository() -> AsyncIterator[Repository]:
    async with Host().open(Environment(image="", workdir="/app")) as box:
        made = await box.exec(["sh", "-c", ME + REPOSITORY], kill_after=60)
        yield Repository(box, made.text.split()[-1])


async def rebuilt(work: Repository, patch: bytes) -> Repository:
    """Put the working files back to the base commit and apply the patch."""
    await work.run(f"git reset -q --hard {work.base}; git clean -fdxq; git clean -fdxq -ff")
    assert (await patches.apply(work.box, patch)).ok
    return work


async def test_an_untouched_repository_gives_an_empty_patch() -> None:
    async with repository() as work:
        assert await work.collect() == b""


async def test_every_kind_of_change_survives_the_way_to_another_copy() -> None:
    change = """
    printf 'one\\nTWO\\n' >a.txt; git commit -qam mine; rm gone; chmod 755 'b b.txt'
    printf 'a\\r\\nB\\r\\n' >crlf; rm link; ln -s crlf link; mkdir -p d; printf 'no newline' >d/é
    printf 'staged' >s; git add s; head -c 3000 /dev/urandom >bin; cp bin ../bin; : >empty
    """
    check = """
    grep -q TWO a.txt && [ ! -e gone ] && [ -x 'b b.txt' ] && [ "$(readlink link)" = crlf ] &&
    [ "$(od -An -c crlf | tr -d ' ')" = 'a\\r\\nB\\r\\n' ] && [ "$(cat d/é)" = 'no newline' ] &&
    cmp bin ../bin && [ -e s ] && [ -f empty ] && echo same
    """
    async with repository() as work:
        await work.run(change)
        patch = await work.collect()
        assert (await (await rebuilt(work, patch)).run(check)).text.strip() == "same"
        assert patches.touched(patch) == sorted(
            ["a.txt", "b b.txt", "bin", "crlf", "d/é", "empty", "gone", "link", "s"]
        )


async def test_nothing_that_the_agent_put_into_its_git_folder_runs_or_bends_the_patch() -> None:
    sabotage = """
    printf 'one\\nTWO\\n' >a.txt; printf new >new
    for name in diff.external core.fsmonitor core.pager filter.f.clean diff.t.textconv; do
      git config $name 'touch ../pwned; cat'; done
    git config core.hooksPath ../hooks; git config diff.noprefix true; git config color.ui always
    git config core.autocrlf true; git config core.worktree /etc; git config core.bare true
    printf '* diff=t filter=f\\n' >.git/info/attributes; printf '*\\n' >.git/info/exclude
    rm -f ../pwned .git/index; printf junk >.git/index
    """
    async with repository() as work:
        await work.run(sabotage)
        patch = await work.collect()
        assert patches.touched(patch) == ["a.txt", "new"]
        assert b"+TWO" in patch
        assert (await work.run("ls ../pwned")).exit_code != 0


async def test_flags_that_hide_a_change_in_the_index_hide_nothing() -> None:
    async with repository() as work:
        await work.run("git update-index --assume-unchanged a.txt; printf changed >a.txt")
        await work.run("git update-index --skip-worktree crlf; printf changed >crlf")
        assert patches.touched(await work.collect()) == ["a.txt", "crlf"]


async def test_a_repository_inside_the_repository_is_collected_as_files_and_left_in_place() -> None:
    async with repository() as work:
        await work.run(
            "mkdir n && cd n && git init -q && printf f >f && git add f && git commit -qm n"
        )
        await work.run("mkdir e && cd e && git init -q && printf g >g")
        assert patches.touched(await work.collect()) == ["e/g", "n/f"]
        assert (await work.run("ls -d n/.git e/.git")).ok


async def test_what_git_cannot_hold_costs_nothing_else() -> None:
    async with repository() as work:
        await work.run("mkfifo pipe; printf x >'git~1'; mkdir .GIT; printf x >.GIT/config; : >kept")
        assert patches.touched(await work.collect()) == ["kept"]


async def test_a_submodule_stands_still_whatever_became_of_it() -> None:
    add = """
    git init -q ../sub && git -C ../sub commit -q --allow-empty -m s
    git -c protocol.file.allow=always submodule add -q "$(cd ../sub && pwd)" sub
    git commit -qm sub && git rev-parse HEAD
    """
    async with repository() as work:
        base = (await work.run(add)).text.split()[-1]
        await work.run("printf x >sub/x && git -C sub add x && git -C sub commit -qm x")
        assert await patches.collect(work.box, base=base) == b""
        await work.run("rm -rf sub")
        assert await patches.collect(work.box, base=base) == b""


async def test_ignored_files_stay_out_and_further_patterns_may_be_given() -> None:
    async with repository() as work:
        await work.run("printf x >a.pyc; mkdir .state; printf x >.state/log; printf x >kept")
        assert patches.touched(await work.collect(ignore=[".state/"])) == ["kept"]


async def test_an_agent_that_threw_its_repository_away_has_submitted_nothing() -> None:
    async with repository() as work:
        await work.run("printf changed >a.txt; rm -rf .git")
        assert await work.collect() == b""
        await work.run("git init -q . && git add -A && git commit -qm fresh")
        assert await work.collect() == b""


async def test_a_patch_over_the_limit_is_a_fault_that_names_it() -> None:
    async with repository() as work:
        await work.run("head -c 100000 /dev/urandom >big")
        with pytest.raises(Fault, match="over the limit of 5000 bytes") as caught:
            await work.collect(limit_bytes=5000)
        assert caught.value.culprit == "scaffold"


async def test_a_patch_applies_wholly_or_not_at_all() -> None:
    good = header("new")
    bad = b"--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n no\n-such\n+line\n"
    async with repository() as work:
        applied = await patches.apply(work.box, good + bad)
        assert not applied.ok and "patch does not apply" in applied.message
        assert await work.collect() == b""


async def test_a_lost_final_newline_is_put_back() -> None:
    async with repository() as work:
        await work.run("printf 'one\\nTWO\\n' >a.txt")
        patch = await work.collect()
        await rebuilt(work, patch.removesuffix(b"\n"))
        assert await work.collect() == patch


async def test_applying_outside_a_repository_does_not_silently_do_nothing() -> None:
    new = header("new")
    async with Host().open(Environment(image="", workdir="/app")) as box:
        await box.exec(["git", "init", "-q", ".."], kill_after=60)
        assert (await patches.apply(box, new)).ok
        assert await box.read("new") == b"x\n"


def header(path: str, mode: str = "100644", content: str = "x") -> bytes:
    return (
        f"diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n"
        f"@@ -0,0 +1 @@\n+{content}\n"
    ).encode()


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        (header("../x"), "outside the repository"),
        (header("a/../../x"), "outside the repository"),
        (b"--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n", "outside the repository"),
        (header(".git/hooks/post-checkout"), "own records"),
        (header("sub/.GIT/config"), "own records"),
        (header(".git"), "own records"),
        (
            b'diff --git "a/\\056\\056/x" "b/\\056\\056/x"\nold mode 100644\nnew mode 100755\n',
            "outside",
        ),
        (b"diff --git a/x b/y\nrename from x\nrename to .git/y\n", "own records"),
        (header("l", "120000", "/etc/passwd"), "points outside"),
        (header("d/l", "120000", "../../x"), "points outside"),
        (header("l", "120000", ".git/config"), "into .git"),
        (header("l", "120000", "d") + header("l/x"), "through its own symbolic link"),
        (b'--- a/x\n+++ "b/a\\nb"\n@@ -1 +1 @@\n-a\n+b\n', "line break"),
    ],
)
def test_a_patch_that_reaches_out_is_refused(patch: bytes, why: str) -> None:
    assert why in (patches.refusal(patch) or "nothing")


@pytest.mark.parametrize(
    "patch",
    [
        header(".gitignore"),
        header(".github/x"),
        header("a..b/c"),
        header("d/l", "120000", "../x"),
        header("x", content="+++ b/../evil"),
        b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n--- a/../y\n x\n",
        b"diff --git a/sub b/sub\nindex 1..2 160000\n--- a/sub\n+++ b/sub\n@@ -1 +1 @@\n-a\n+b\n",
    ],
)
def test_a_harmless_patch_is_not_refused(patch: bytes) -> None:
    assert patches.refusal(patch) is None


def test_names_are_read_as_git_writes_them() -> None:
    patch = (
        b'diff --git "a/f\\303\\251.py" "b/f\\303\\251.py"\nold mode 100644\nnew mode 100755\n'
        b"diff --git a/x y b/x y\nnew file mode 100644\n"
        b"diff --git a/o b/n\nsimilarity index 100%\nrename from o\nrename to n\n"
        b"some words\n--- a/t\t2020-01-01\n+++ b/t\t2020-01-02\n@@ -1 +1 @@\n-a\n+b\n"
        b'diff --git "a/q\\"\\t" "b/q\\"\\t"\n'
        b'--- "a/q\\"\\t"\t\n+++ "b/q\\"\\t"\t\n@@ -1 +1 @@\n-a\n+b\n'
    )
    assert patches.touched(patch) == ["fé.py", "x y", "o", "n", "t", 'q"\t']


def test_a_new_file_has_no_old_side_and_a_deleted_one_no_new() -> None:
    new, gone = patches.changes(
        header("n") + b"diff --git a/g b/g\ndeleted file mode 100644\nindex 1..0\n"
    )
    assert new.creates and new.paths == ("n",)
    assert not gone.creates and gone.paths == ("g",)


def test_binary_parts_are_left_out_and_the_rest_stays_byte_for_byte() -> None:
    text = header("t", content="caf\xe9 \r")
    binary = b"diff --git a/b b/b\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIcmZ\n\n"
    differ = b"diff --git a/c b/c\nBinary files a/c and b/c differ\n"
    assert patches.strip_binary_hunks(text + binary + text + differ) == text + text
    assert patches.strip_binary_hunks(text) == text
    assert patches.strip_binary_hunks(b"") == b""


@pytest.mark.skipif(not ROWS.exists(), reason=f"no {ROWS.name} of the real rows here")
def test_no_reference_patch_of_the_real_rows_is_refused() -> None:
    for line in ROWS.read_text().splitlines():
        row = json.loads(line)
        for column in ("patch", "test_patch"):
            patch = (row[column] or "").encode()
            assert patches.refusal(patch) is None, row["instance_id"]
            assert bool(patches.touched(patch)) == bool(patch), row["instance_id"]
