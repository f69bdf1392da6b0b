"""A task of a few lines, in an image of its own, for tests that grade hostile submissions.

Its eval.sh runs pytest as a careless author would: with the repository's own settings, so that
whatever a submission does to them would count if the grader let it.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from harness.sandboxes.docker import RUN_LABEL
from harness.types import Task
from tasks.local.load import LocalFolders

IMAGE = "harness-test-small-task"
REPOSITORY = {
    "calc/__init__.py": "def add(a, b):\n    return a - b\n\n\ndef mul(a, b):\n    return a * b\n",
    "calc/text.py": "def join(words):\n    return ' '.join(words)\n",
    "tests/test_visible.py": (
        "from calc.text import join\n\n\ndef test_join():\n    assert join(['a', 'b']) == 'a b'\n"
    ),
    "pyproject.toml": (
        '[project]\nname = "calc"\nversion = "1"\n\n'
        '[tool.pytest.ini_options]\naddopts = "-ra"\n\n[tool.other]\nkey = 1\n'
    ),
    "README.md": "calc\n",
}
FIXED = REPOSITORY["calc/__init__.py"].replace("a - b", "a + b")
HIDDEN = {
    "tests/test_add.py": textwrap.dedent(
        """\
        import pytest

        from calc import add, mul


        def test_add():
            assert add(2, 3) == 5


        @pytest.mark.parametrize("a", [1, -4])
        def test_add_mirrored(a):
            assert add(a, 7) == add(7, a) == a + 7


        def test_add_refuses_none():
            with pytest.raises(TypeError):
                add(None, 1)


        def test_mul():
            assert mul(2, 3) == 6
        """
    )
}
FAIL_TO_PASS = [
    "tests.test_add::test_add",
    "tests.test_add::test_add_mirrored[1]",
    "tests.test_add::test_add_mirrored[-4]",
]
PASS_TO_PASS = [
    "tests.test_add::test_add_refuses_none",
    "tests.test_add::test_mul",
    "tests.test_visible::test_join",
]
EVAL = (
    'exec python3 -m pytest -q -p no:cacheprovider --junitxml="$HARNESS_REPORT"'
    " tests/test_add.py tests/test_visible.py\n"
)
_DOCKERFILE = """
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends git python3 python3-pytest \
 && rm -rf /var/lib/apt/lists/*
COPY repository /app
WORKDIR /app
RUN git init -q -b main && git config user.name a && git config user.email a@example.invalid \
 && git add -A && git commit -q -m base
"""


def build() -> str:
    """Build the image, or find it built; return its base commit."""
    client = docker.from_env()
    try:
        client.images.build(fileobj=_context(), custom_context=True, tag=IMAGE, rm=True)
        asked = ["git", "-C", "/app", "rev-parse", "HEAD"]
        said = client.containers.run(IMAGE, asked, remove=True, network_mode="none")
    except docker.errors.BuildError as error:
        if os.environ.get("HARNESS_REQUIRE_DOCKER") == "1":
            raise
        pytest.skip(f"the image for these tests cannot be built here: {error}")
    finally:
        client.close()
    return bytes(said).decode().strip()


def _context() -> io.BytesIO:
    packed = io.BytesIO()
    files = {f"repository/{name}": text for name, text in REPOSITORY.items()}
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in sorted({**files, "Dockerfile": _DOCKERFILE}.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    packed.seek(0)
    return packed


def write(folder: Path, base_commit: str, **files: str) -> Path:
    """Write the task's folder below `folder`; `files` replaces some, by name."""
    task = folder / "small"
    settings = (
        f'repo = "example/calc"\nlanguage = "python"\nbase_commit = "{base_commit}"\n'
        f'image = "{IMAGE}"\n[limits]\nmemory_mb = 512\ncpus = 2\npids = 256\ntest_seconds = 60\n'
    )
    lists = {"FAIL_TO_PASS": FAIL_TO_PASS, "PASS_TO_PASS": PASS_TO_PASS}
    contents = {
        "task.toml": settings,
        "problem_statement.md": "add() subtracts.\n",
        "tests.json": json.dumps(lists),
        "gold.patch": diff({"calc/__init__.py": FIXED}).decode(),
        "eval.sh": EVAL,
        **{f"tests/{name}": text for name, text in HIDDEN.items()},
        **files,
    }
    for name, text in contents.items():
        path = task / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def load(folder: Path) -> Task:
    (task,) = LocalFolders(folder=str(folder)).load()
    return task


def knowing(task: Task, **changes: object) -> Task:
    """The same task with something else in its oracle."""
    return replace(task, oracle={**task.oracle, **changes})


def diff(
    changes: Mapping[str, str | bytes | Path | None], base: Mapping[str, str] = REPOSITORY
) -> bytes:
    """The patch that makes files so; None deletes one, and a path makes it a symbolic link."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        _git(root, "init", "-q", "--template=")
        for path, text in base.items():
            _put(root / path, text)
        _git(root, "add", "-A", "-f")
        for path, content in changes.items():
            _put(root / path, content)
        _git(root, "add", "-A", "-N", "-f")
        return _git(root, "diff", "--binary", "--no-renames", "--no-color")


def _put(path: Path, content: str | bytes | Path | None) -> None:
    if path.parent.is_file():
        path.parent.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    elif content is None or isinstance(content, Path):
        path.unlink(missing_ok=True)
    if isinstance(content, Path):
        path.symlink_to(content)
    elif content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def _git(root: Path, *arguments: str) -> bytes:
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", "-c", "core.autocrlf=false", *arguments],
        cwd=root,
        env={**os.environ, **plain},
        check=True,
        capture_output=True,
    ).stdout


def boxes_of(run: str) -> list[str]:
    """The names of a run's boxes that are there now."""
    client = docker.from_env()
    try:
        found = client.containers.list(filters={"label": f"{RUN_LABEL}={run}"})
        return [str(box.name) for box in found]
    finally:
        client.close()


def with_box_in_test(run: str, act: Callable[[Container], object]) -> None:
    """Act on the first box of a run that runs pytest; an engine has no event for that."""
    client = docker.from_env()
    give_up = time.monotonic() + 120
    try:
        while time.monotonic() < give_up:
            for box in client.containers.list(filters={"label": f"{RUN_LABEL}={run}"}):
                if "pytest" in _processes(box):
                    act(box)
                    return
            time.sleep(0.1)
        raise TimeoutError("no box came to run its tests")
    finally:
        client.close()


def _processes(box: Container) -> str:
    try:
        return str(box.top())
    except docker.errors.APIError:  # it is starting, or going
        return ""
