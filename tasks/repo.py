"""Checkouts of other people's repositories. The only module that knows GitPython."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import git

from harness.errors import UsageError

OFFICIAL = "https://github.com/scaleapi/SWE-bench_Pro-os"
REVISION = "ca10a60a5fcae51e6948ffe1485d4153d421e6c5"

Say = Callable[[str, float], None]
"""Told what is going on, and how much of it is done, from 0 to 1."""


class _Progress(git.RemoteProgress):
    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say

    def update(
        self,
        op_code: int,
        cur_count: str | float,
        max_count: str | float | None = None,
        message: str = "",
    ) -> None:
        done = float(cur_count) / float(max_count) if max_count else 0.0
        self._say(message or "receiving", min(done, 1.0))


def pull_official(
    target: str | Path,
    revision: str = REVISION,
    *,
    say: Say = lambda message, done: None,
    url: str = OFFICIAL,
) -> str:
    """Have the official evaluator of SWE-Bench Pro at `revision` in `target`; its full commit id.

    Doing it again costs nothing. A clone that breaks off leaves no half of itself behind: it is
    made next to the target and moved there when it is whole.
    """
    place = Path(target).expanduser()
    try:
        if place.exists():
            repo = _existing(place, revision, url)
        else:
            fresh = place.with_name(place.name + ".part")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.parent.mkdir(parents=True, exist_ok=True)
            progress = _Progress(say)
            with git.Repo.clone_from(url, fresh, progress=progress, no_checkout=True) as clone:  # type: ignore[arg-type]
                clone.git.checkout("--detach", revision)
            fresh.rename(place)
            repo = git.Repo(place)
        with repo:
            return repo.head.commit.hexsha
    except git.GitCommandError as error:
        said = " ".join((error.stderr or str(error)).split())[:200]
        raise UsageError(f"{url} cannot be cloned into {place}: {said}") from error
    except OSError as error:
        raise UsageError(f"{place}: {error.strerror or error}") from error


def _existing(place: Path, revision: str, url: str) -> git.Repo:
    try:
        repo = git.Repo(place)
    except git.InvalidGitRepositoryError:
        raise UsageError(f"{place} is there and is no clone; move it away first") from None
    if repo.head.commit.hexsha != revision:
        repo.git.fetch(url, revision)
        repo.git.checkout("--detach", revision)
    return repo
