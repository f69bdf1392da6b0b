"""The agent's view of a repository holds the past whole, and nothing of what came after."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.errors import Fault
from harness.sandboxes.history import Certificate, certify, prune
from harness.sandboxes.host import Host
from harness.types import Environment

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine"),
]
CANARY = "what-the-fix-says"
MAKE = """
git init -q . && git symbolic-ref HEAD refs/heads/main
printf '*.log\\n' >.gitignore; echo one >a.txt; mkdir sub; echo deep >sub/b.txt; echo x >'sp ace'
at 1; git add -A; git commit -qm 'first'; git tag -a v1 -m 'release one'
git checkout -q -b side; echo side >side.txt; git add -A; at 2; git commit -qm 'side work'
git checkout -q main; echo two >>a.txt; at 3; git commit -qam 'second'
at 4; git merge -q --no-edit side; git branch -q -D side
at 5; echo three >>a.txt; git commit -qam 'base'; git tag light
git rev-parse HEAD
"""
FUTURE = f"""
at 9; echo {CANARY} >>a.txt; echo {CANARY} >new.txt; git add -A; git commit -qm 'the fix: {CANARY}'
"""


PAST = """
git log --format=%H%s; git log --follow --format=%h sub/b.txt; git blame -s a.txt HEAD
git diff HEAD~1 HEAD; git show side.txt; git describe --tags
"""


@dataclass(frozen=True)
class Repository:
    path: Path
    base: str = ""

    def run(self, script: str, *, check: bool = True, at: Path | None = None) -> str:
        done = subprocess.run(
            ["sh", "-euc", AT + script],
            cwd=at or self.path,
            env={"PATH": os.environ["PATH"], **IDENTITY, "HOME": str(self.path.parent / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def files(self) -> dict[str, bytes]:
        """What is in the working directory, but for `.git`."""
        every = [p for p in self.path.rglob("*") if p.is_file() and ".git" not in p.parts]
        return {str(p.relative_to(self.path)): p.read_bytes() for p in every}

    def knows(self, object_: str) -> bool:
        return self.run(f"git cat-file -e {object_} 2>/dev/null && echo yes || :") == "yes\n"

    async def prune(self, within: Path | str = "") -> Certificate:
        async with Host().open(Environment("", "/app")) as box:
            await prune(box, str(self.path), self.base, within=str(within))
            return await certify(box, str(self.path), self.base, within=str(within))

    async def certify(self, within: Path | str = "") -> Certificate:
        async with Host().open(Environment("", "/app")) as box:
            return await certify(box, str(self.path), self.base, within=str(within))

    def bytes_of_git(self) -> bytes:
        """Every object's content, and every other file of `.git`."""
        every = "git cat-file --batch-all-objects --batch"
        whole = subprocess.run(["sh", "-c", every], cwd=self.path, capture_output=True, check=True)
        files = [p for p in (self.path / ".git").rglob("*") if p.is_file()]
        return whole.stdout + b"".join(str(p).encode() + p.read_bytes() for p in files)


AT = """
at() { export GIT_AUTHOR_DATE="2020-01-0$1T00:00:00Z" GIT_COMMITTER_DATE="2020-01-0$1T00:00:00Z"; }
"""
IDENTITY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "protocol.file.allow",
    "GIT_CONFIG_VALUE_0": "always",
}


def make(path: Path) -> Repository:
    path.mkdir()
    base = Repository(path).run(MAKE).split()[-1]
    return Repository(path, base)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return make(tmp_path_factory.mktemp("made") / "repo")


@pytest.fixture
def repo(made: Repository, tmp_path: Path) -> Repository:
    """At its base commit, on a branch, with nothing after it yet."""
    shutil.copytree(made.path, tmp_path / "repo", symlinks=True)
    return Repository(tmp_path / "repo", made.base)


def clean(certificate: Certificate) -> bool:
    assert certificate.trouble == ()
    return certificate.clean


HIDING_PLACES = {
    "a branch": f"git checkout -q -b later; {FUTURE} git checkout -q main",
    "a commit that nothing leads to": f"{FUTURE} git reset -q --hard HEAD~1;"
    " rm -rf .git/logs .git/ORIG_HEAD",
    "a pack": f"{FUTURE} git gc -q; git reset -q --hard HEAD~1",
    "a reflog": f"{FUTURE} git reset -q --hard HEAD~1",
    "a stash": f"echo {CANARY} >>a.txt; at 8; git stash -q",
    "a lightweight tag": f"{FUTURE} git tag v2; git reset -q --hard HEAD~1",
    "an annotated tag": f"{FUTURE} git tag -a v2 -m {CANARY}; git reset -q --hard HEAD~1",
    "the text of a later tag on an old commit": f"at 9; git tag -a v1.1 -m {CANARY} HEAD~1",
    "a tag behind a tag": f"at 9; git tag -a inner -m {CANARY} HEAD~1; at 1;"
    " git tag -a outer -m old inner; git tag -d inner",
    "a tag of a blob": f"git tag blob $(echo {CANARY} | git hash-object -w --stdin)",
    "a note": f"at 9; git notes add -m {CANARY}",
    "a replacement": f"fix=$(git commit-tree -m {CANARY} HEAD:sub); git replace HEAD~1 $fix",
    "a graft": f"fix=$(git commit-tree -m {CANARY} HEAD:sub); mkdir -p .git/info;"
    ' echo "$(git rev-parse HEAD) $fix" >.git/info/grafts',
    "packed refs": f"git checkout -q -b later; {FUTURE} git checkout -q main; git pack-refs --all",
    "a fetched head": f"{FUTURE} git rev-parse HEAD >.git/FETCH_HEAD; git reset -q --hard HEAD~1",
    "a merge that was not finished": f"git checkout -q -b later; {FUTURE} git checkout -q main;"
    " git rev-parse later >.git/MERGE_HEAD; git branch -q -D later",
    "a remote": f"git checkout -q -b later; {FUTURE} git checkout -q main;"
    " git update-ref refs/remotes/origin/main later; git branch -q -D later;"
    " git remote add origin https://example.org/upstream.git;"
    " git config branch.main.remote origin; git config branch.main.merge refs/heads/main",
    "a ref of another kind": f"{FUTURE} git update-ref refs/pull/1/head HEAD;"
    " git reset -q --hard HEAD~1",
    "a bisection": f"{FUTURE} git reset -q --hard HEAD~1; git bisect start -q"
    " ORIG_HEAD HEAD~2 >/dev/null; git checkout -q main",
    "the index": f"echo {CANARY} >>a.txt; git add a.txt",
    "a conflict that was resolved": f"git checkout -q -b later; {FUTURE} git checkout -q main;"
    " echo other >>a.txt; git commit -qam other; git merge later >/dev/null 2>&1 || :;"
    " echo solved >a.txt; git add a.txt; git update-ref HEAD {base}",
    "an unfinished pack": f"{FUTURE} git rev-parse HEAD | git pack-objects -q --revs"
    " .git/objects/pack/tmp_pack >/dev/null; git reset -q --hard HEAD~1",
    "a kept pack with a bitmap and a commit graph": f"{FUTURE} git repack -qadb;"
    " git commit-graph write --reachable 2>/dev/null; git multi-pack-index write 2>/dev/null || :;"
    " touch .git/objects/pack/$(ls .git/objects/pack | sed -n 's/pack$/keep/p');"
    " git reset -q --hard HEAD~1",
    "a message": f"echo {CANARY} >.git/COMMIT_EDITMSG; echo {CANARY} >.git/gc.log",
    "a folder of somebody's own": f"mkdir .git/lfs; echo {CANARY} >.git/lfs/object",
    "a setting of the remote": f"git config http.extraheader {CANARY};"
    f" git config url.https://{CANARY}/.insteadOf x: ; git config include.path {CANARY}",
}


@pytest.mark.parametrize("place", HIDING_PLACES)
async def test_nothing_of_the_future_is_left_in(repo: Repository, place: str) -> None:
    repo.run(HIDING_PLACES[place].replace("{base}", repo.base))
    assert repo.run("git rev-parse HEAD").strip() == repo.base
    before, files = repo.run(PAST), repo.files()
    assert not (await repo.certify()).clean

    certificate = await repo.prune()
    assert clean(certificate)
    assert CANARY.encode() not in repo.bytes_of_git()
    assert repo.run("git fsck --full --strict 2>&1") == ""
    if place not in ("a replacement", "a graft"):  # those had falsified it
        assert repo.run(PAST) == before
    assert repo.files() == files
    assert certificate.commits_visible == 5
    assert certificate.newest_commit_date == "2020-01-05T00:00:00+00:00"


async def test_what_git_says_of_the_files_stays_the_same(repo: Repository) -> None:
    repo.run(
        "echo mine >>a.txt; rm sub/b.txt; echo new >new.txt; echo log >x.log; chmod +x 'sp ace'"
    )
    asked = "git status --porcelain --ignored; git diff --summary; git ls-files -s"
    before, files = repo.run(asked), repo.files()
    assert clean(await repo.prune())
    assert (repo.run(asked), repo.files()) == (before, files)
    assert repo.run("git stash list; git branch -a --format='%(refname)'") == "refs/heads/main\n"


async def test_what_was_staged_is_in_the_files_and_no_longer_in_the_index(repo: Repository) -> None:
    repo.run(
        f"echo {CANARY} >>a.txt; git add a.txt; echo later >>a.txt; git rm -q --cached sub/b.txt"
    )
    files = repo.files()
    assert clean(await repo.prune())
    assert repo.files() == files
    assert repo.run("git status --porcelain") == " M a.txt\n"


async def test_a_staged_deletion_stays_staged(repo: Repository) -> None:
    repo.run("git rm -q a.txt; git update-index --assume-unchanged 'sp ace'")
    assert clean(await repo.prune())
    assert repo.run("git status --porcelain; git ls-files -v | grep ^h") == "D  a.txt\nh sp ace\n"


async def test_a_split_index_and_a_sparse_checkout_survive(repo: Repository) -> None:
    repo.run("git status -s; git sparse-checkout set --no-cone /sub/")
    repo.run("git update-index --split-index")
    before = repo.run("git status --porcelain; git ls-files -t")
    assert "S side.txt" in before
    assert clean(await repo.prune())
    assert repo.run("git status --porcelain; git ls-files -t") == before


async def test_tags_of_the_past_are_kept(repo: Repository) -> None:
    repo.run("at 9; git tag -a late -m later HEAD~1")
    certificate = await repo.prune()
    assert clean(certificate) and certificate.tags == 2
    assert repo.run("git tag; git cat-file -t v1") == "light\nv1\ntag\n"


@pytest.mark.parametrize("head", ["git checkout -q --detach", "git checkout -q -b feat/x", ":"])
async def test_head_stays_as_it_was(repo: Repository, head: str) -> None:
    repo.run(head)
    asked = "cat .git/HEAD; git rev-parse HEAD; git status --porcelain"
    before = repo.run(asked)
    assert clean(await repo.prune())
    assert repo.run(asked) == before


async def test_work_goes_on_in_a_pruned_repository(repo: Repository) -> None:
    await repo.prune()
    repo.run(
        "git checkout -q -b mine; echo x >>a.txt; git commit -qam mine; git stash list; git gc -q"
    )
    repo.run(
        "git checkout -q main; git merge -q mine; git fsck --strict; git bisect start HEAD HEAD~3"
    )


async def test_pruning_twice_changes_nothing_more(repo: Repository) -> None:
    first = await repo.prune()
    assert await repo.prune() == first


async def test_a_shallow_repository_stays_valid(repo: Repository, tmp_path: Path) -> None:
    repo.run(FUTURE)
    repo.run(f"git clone -q --depth 4 file://{repo.path} {tmp_path}/shallow")
    shallow = Repository(tmp_path / "shallow", repo.base)
    shallow.run(f"git reset -q --hard {repo.base}")
    log = shallow.run("git log --format=%H")
    certificate = await shallow.prune()
    assert clean(certificate) and certificate.shallow
    assert shallow.run("git log --format=%H") == log
    assert shallow.run("git fsck --strict 2>&1") == ""
    assert CANARY.encode() not in shallow.bytes_of_git()


async def test_a_submodule_ends_at_its_own_commit(repo: Repository, tmp_path: Path) -> None:
    inner = make(tmp_path / "inner")
    inner.run(FUTURE)
    repo.run(
        f"git submodule --quiet add {inner.path} part; git submodule --quiet add {inner.path} gone"
    )
    repo.run(f"git -C part checkout -q {inner.base}; git add -A; at 6; git commit -qm parts")
    repo.run("git submodule --quiet deinit -f gone")
    outer = Repository(repo.path, repo.run("git rev-parse HEAD").strip())
    asked = "git status --porcelain; git submodule status; git -C part log --format=%H"
    before = outer.run(asked)
    certificate = await outer.prune()
    assert clean(certificate) and certificate.submodules == 1
    assert outer.run(asked) == before
    assert not (repo.path / ".git/modules/gone").exists()
    part = Repository(repo.path / "part", inner.base)
    assert part.run("git fsck --strict 2>&1; git remote; git log --all --oneline | wc -l") == "5\n"


async def test_other_copies_of_the_history_are_removed_where_we_may(
    repo: Repository, tmp_path: Path
) -> None:
    box, outside = tmp_path / "box", tmp_path / "outside"
    box.mkdir()
    repo.run(FUTURE + f"git clone -q --bare . {box}/mirror.git; git clone -q . {outside}")
    repo.run(f"git clone -q --shared {box}/mirror.git {box}/work; git worktree add -q {box}/tree")
    repo.run(f"mkdir -p {box}/x; cp -r {repo.path} {box}/x/again; git init -q {box}/other")
    work = Repository(box / "work", repo.base)
    work.run(f"git reset -q --hard {repo.base}; git worktree add -q {box}/later origin/main")
    found = await work.certify(box)
    assert found.alternates == 1 and len(found.copies) == 2
    certificate = await work.prune(box)
    assert clean(certificate) and certificate.other_stores == 1
    assert work.run("git fsck --strict 2>&1") == "" and work.run(PAST)
    assert not (box / "later").exists() and not (box / "mirror.git/objects").exists()
    assert Repository(outside).run("git fsck --strict && git log --oneline | wc -l") == "6\n"


async def test_without_leave_to_look_further_nothing_else_is_touched(
    repo: Repository, tmp_path: Path
) -> None:
    repo.run(f"git clone -q --bare . {tmp_path}/mirror.git")
    repo.run(f"git clone -q --shared {tmp_path}/mirror.git {tmp_path}/work")
    work = Repository(tmp_path / "work", repo.base)
    assert clean(await work.prune())
    assert Repository(tmp_path / "mirror.git").run("git fsck --strict && git log -1 --format=%s")
    assert work.run("git fsck --strict 2>&1") == ""


async def test_a_folder_within_the_repository_will_do(repo: Repository) -> None:
    repo.run(FUTURE + "git reset -q --hard HEAD~1")
    async with Host().open(Environment("", "/app")) as box:
        await prune(box, str(repo.path / "sub"), repo.base)
        certificate = await certify(box, str(repo.path / "sub"), repo.base)
    assert clean(certificate) and certificate.repository == str(repo.path)
    assert repo.run("git status --porcelain") == ""


async def test_real_hooks_stay_and_samples_go(repo: Repository) -> None:
    hooks = repo.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-push", "update.sample"):
        (hooks / name).write_text("#!/bin/sh\n")
        (hooks / name).chmod(0o755)
    certificate = await repo.prune()
    assert clean(certificate) and certificate.hooks == ("pre-push",)


async def test_where_there_is_no_repository_there_is_nothing_to_see(tmp_path: Path) -> None:
    certificate = await Repository(tmp_path, "0" * 40).prune()
    assert clean(certificate) and certificate.repository == ""


CANNOT = {
    "is at commit": "git checkout -q HEAD~1",
    "leads to no commit": "git checkout -q --orphan void",
    "leads to a git folder elsewhere": "mv .git ../elsewhere; echo 'gitdir: ../elsewhere' >.git",
    "has gaps": "rm -f .git/objects/$(git rev-parse HEAD~1:sub/b.txt | sed 's|..|&/|')",
}


@pytest.mark.parametrize("why", CANNOT)
async def test_what_cannot_be_pruned_is_a_fault_and_stays_as_it_is(
    repo: Repository, why: str
) -> None:
    repo.run(CANNOT[why])
    before = repo.bytes_of_git() if why != "has gaps" and (repo.path / ".git").is_dir() else b""
    with pytest.raises(Fault, match=why) as caught:
        await repo.prune()
    assert caught.value.culprit == "sandbox" and "\n" not in caught.value.message
    if before:
        assert repo.bytes_of_git() == before


async def test_a_certificate_is_plain_json_and_names_what_is_wrong(repo: Repository) -> None:
    repo.run(FUTURE + "git branch later; git reset -q --hard HEAD~1")
    found = await repo.certify()
    facts = json.loads(json.dumps(found.facts()))
    assert facts["clean"] is False and facts["other_refs"] == ["refs/heads/later"]
    assert any("objects beyond the base" in phrase for phrase in found.trouble)
