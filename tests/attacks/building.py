"""From the description of a case to the patch that would be handed in."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path

from harness.api import Sandboxes
from harness.types import Task
from tests.attacks.cases import Case

_TREE_BYTES = 64 << 20


async def tree(task: Task, sandboxes: Sandboxes) -> bytes:
    """The files of a task's base commit, as a tar archive."""
    async with sandboxes.open(task.brief.environment) as box:
        made = await box.exec(
            ["git", "-c", "safe.directory=*", "archive", "-o", "/tmp/base.tar", "HEAD"],
            kill_after=120,
        )
        if not made.ok:
            raise RuntimeError(f"{task.id}: {made.text}")
        return await box.read("/tmp/base.tar", limit=_TREE_BYTES)


def patch(case: Case, task: Task, base: bytes) -> bytes:
    """What `git diff` says once the case has had its way with the files of `base`."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        with tarfile.open(fileobj=io.BytesIO(base)) as packed:
            packed.extractall(root, filter="data")
        _git(root, "init", "-q", "--template=")
        _git(root, "add", "-A", "-f")
        base_tree = _git(root, "write-tree").decode().strip()
        if case.gold:
            gold = str(task.oracle["patch"]).encode(errors="surrogateescape")
            _git(root, "apply", "-", stdin=gold)
        _change(root, case, _filler(task))
        _git(root, "add", "-A", "-f")
        diff = _git(root, "diff", "--cached", "--binary", "--no-renames", "--no-color", base_tree)
    return _filler(task)(case.raw).encode() + diff


def _change(root: Path, case: Case, fill: Callable[[str], str]) -> None:
    for old, new in case.rename.items():
        (root / old).rename(_room(root / new))
    for path in case.delete:
        (root / path).unlink()
    _change_texts(root, case, fill)
    for path, target in case.link.items():
        _room(root / path).symlink_to(target)
    for path in case.binary:
        _room(root / path).write_bytes(bytes(range(256)) * 4)
    for path in case.crlf:
        data = (root / path).read_bytes()
        (root / path).write_bytes(data.replace(b"\n", b"\r\n"))
    for path in case.executable:
        (root / path).chmod(0o755)


def _change_texts(root: Path, case: Case, fill: Callable[[str], str]) -> None:
    for path, text in case.write.items():
        _room(root / path).write_text(fill(text))
    for path, text in case.append.items():
        with _room(root / path).open("a") as file:
            file.write("\n" + fill(text))
    for path, (old, new) in case.replace.items():
        text = (root / path).read_text()
        if old not in text:
            raise ValueError(f"{case.id}: {path} has no {old!r}")
        (root / path).write_text(text.replace(old, new))


def _room(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _filler(task: Task) -> Callable[[str], str]:
    """What an attacker is granted to know: the names of the expected tests, from their project."""
    listed = [*task.oracle["fail_to_pass"], *task.oracle["pass_to_pass"]]
    words = {
        "@AIMS@": json.dumps(sorted({_own(id_) for id_ in task.oracle["fail_to_pass"]})),
        "@NAMES@": json.dumps(sorted({_own(id_) for id_ in listed})),
        "@IDS@": json.dumps(listed),
        "@FORGED@": "".join(_forged(id_) for id_ in listed),
    }

    def fill(text: str) -> str:
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    return fill


def _own(id_: str) -> str:
    return re.sub(r"\[.*", "", id_, flags=re.DOTALL).rpartition("::")[2].rpartition(" > ")[2]


def _forged(id_: str) -> str:
    if "::" in id_:
        where, _, name = id_.partition("::")
        # Escaped once for XML and once more for the string literal that it will stand in.
        cases = f'<testcase classname="{escape(where)}" name="{escape(name)}"/>'
    else:
        *suites, name = id_.split(" > ")
        cases = f'<testcase name="{escape(name)}"/>'
        for suite in reversed(suites):
            cases = f'<testsuite name="{escape(suite)}">{cases}</testsuite>'
    return cases.replace("\\", "\\\\").replace("'", "&#39;").replace("\n", "&#10;")


def _git(root: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", "-c", "core.autocrlf=false", *arguments],
        cwd=root,
        env={**os.environ, **plain},
        input=stdin,
        check=True,
        capture_output=True,
    ).stdout
