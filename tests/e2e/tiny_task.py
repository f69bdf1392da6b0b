"""A task of one word, in an image made of this machine's own programs: no registry, no build.

The repository holds a file `state` that says `broken`; what says `fixed` resolves it. The hidden
test is shell, so the image needs git and the programs that the grader itself asks for.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import pytest

FIX = "echo fixed >state"
WAIT = "until [ -e /tmp/go ]; do sleep 0.05; done"
"""A command that lasts until somebody outside makes the file."""
_PROGRAMS = """
awk bash basename cat chgrp chmod chown cmp comm cp cut date dd df dirname du env expr find git grep
head id join kill ln ls mkdir mktemp mv od paste printf readlink realpath rm rmdir sed seq sh
sha1sum sha256sum sleep sort split stat tail tee test timeout touch tr true uname uniq wc xargs
"""
_REPORT = (
    'result=; grep -q fixed state || result="<failure/>"\n'
    'echo "<testsuite><testcase classname=\\"t\\" name=\\"fixed\\">$result</testcase></testsuite>"'
    ' >"$HARNESS_REPORT"\n'
)
_EXIT = '[ -z "$result" ]\n'
EVAL = _REPORT + _EXIT
EVAL_THAT_WAITS = f"{_REPORT}sh -c '{WAIT}'\n{_EXIT}"
"""It has written its report, and then lasts until somebody makes the file."""
SETUP = """set -eu
cd "$HARNESS_REPO"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_DATE=2026-01-01T00:00:00Z GIT_COMMITTER_DATE=2026-01-01T00:00:00Z
echo broken >state
git init -q -b main --template= .
git add state
git -c user.name=a -c user.email=a@example.invalid commit -qm base
git rev-parse HEAD
"""


def _programs() -> Iterator[tuple[str, Path]]:
    """Where each program and each library that they load lies, and what it really is."""
    found: dict[str, Path] = {}
    for name in _PROGRAMS.split():
        real = shutil.which(name)
        if real is None:
            pytest.skip(f"no {name} on this machine")
        found[f"/bin/{name}"] = Path(real).resolve()
        told = subprocess.run(["ldd", real], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", told):
            found[library] = Path(library).resolve()
    yield from found.items()


def repository(root: Path) -> str:
    """Make the task's repository; return its one commit."""
    root.mkdir(parents=True)
    env = {**os.environ, "HARNESS_REPO": str(root)}
    told = subprocess.run(
        ["sh", "-c", SETUP], env=env, check=True, capture_output=True, text=True
    ).stdout
    return told.strip()


def packed(app: Path) -> bytes:
    """A root file system as a tar, with the repository in it as `/app`."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for folder in ("tmp", "dev", "proc", "sys", "root", "etc", "bin"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        for place, path in _programs():
            archive.add(path, arcname=place.lstrip("/"), recursive=False)
        archive.add(app, arcname="app", filter=_root_owned)
    return whole.getvalue()


def _root_owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    return entry


@contextmanager
def image(client: docker.DockerClient, name: str, folder: Path) -> Iterator[str]:
    """Put the image on an engine under this name for as long as the block lasts."""
    repository(folder / "app")
    repo, _, tag = name.partition(":")
    settings = ["ENV PATH=/bin", "WORKDIR /app"]
    client.api.import_image_from_data(
        packed(folder / "app"), repository=repo, tag=tag, changes=settings
    )
    try:
        yield name
    finally:
        _remove(client, name)


def _remove(client: docker.DockerClient, name: str) -> None:
    """With the views of it that were made for agents."""
    with suppress(docker.errors.DockerException, OSError):
        made = client.images.get(name).id
        views = [view["Id"] for view in client.api.images() if view["ParentId"] == made]
        for gone in [*views, name]:
            client.images.remove(gone, force=True)


def write(
    folder: Path,
    image_name: str = "",
    *,
    copies: int = 1,
    evaluate: str = EVAL,
    memory_mb: int = 256,
) -> Path:
    """Write so many tasks, alike but for their names; without an image they are for bubblewrap."""
    commit = repository(folder / "repository")
    where = f'image = "{image_name}"\n' if image_name else ""
    contents = {
        "task.toml": f'repo = "a/b"\nlanguage = "sh"\nbase_commit = "{commit}"\n{where}'
        "canary = false\n[limits]\ncpus = 1\npids = 256\ntest_seconds = 60\n"
        f"memory_mb = {memory_mb}\n",
        "problem_statement.md": "The state is broken.\n",
        "tests.json": json.dumps({"FAIL_TO_PASS": ["t::fixed"], "PASS_TO_PASS": []}),
        "gold.patch": "diff --git a/state b/state\n--- a/state\n+++ b/state\n"
        "@@ -1 +1 @@\n-broken\n+fixed\n",
        "eval.sh": evaluate,
        "tests/check.sh": "grep -q fixed state\n",
        **({} if image_name else {"environment/setup.sh": SETUP}),
    }
    for number in range(copies):
        for name, text in contents.items():
            path = folder / "tasks" / f"tiny-{number}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return folder / "tasks"
