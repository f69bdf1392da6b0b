"""Tasks from a folder of task folders; README.md beside this file is the format's definition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.errors import UsageError
from harness.types import Task
from tasks.local import folder as task_folder

DEMO = Path(__file__).parents[1] / "demo"


class LocalFolders:
    """Every folder below `folder` that holds a task; broken ones are named, and left out."""

    def __init__(self, *, folder: str) -> None:
        self.folder = Path(folder).expanduser()
        self._left_out: dict[str, str] = {}

    def load(self) -> Iterable[Task]:
        if task_folder.looks_like_one(self.folder):
            raise UsageError(f"{self.folder} is one task; give the folder that it lies in")
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder}: no such folder; give one that holds task folders")
        found = [f for f in sorted(self.folder.iterdir()) if task_folder.looks_like_one(f)]
        origin = f"local:{self.folder.resolve().name}@{task_folder.digest_of(found)}"
        self._left_out = {}
        tasks: list[Task] = []
        for each in found:
            try:
                tasks.append(task_folder.read(each, origin))
            except UsageError as error:
                self._left_out[each.name] = str(error)
        if not tasks:
            raise UsageError(f"{self.folder}: {self._nothing()}")
        return tasks

    def left_out(self) -> Mapping[str, str]:
        return dict(self._left_out)

    def _nothing(self) -> str:
        if not self._left_out:
            return f"no task folder there; one holds {', '.join(task_folder.FILES)}, tests/"
        first = next(iter(self._left_out.values()))
        return f"none of its {len(self._left_out)} task folders can be graded; the first: {first}"


def demo() -> LocalFolders:
    """The real bugs that come with this package."""
    return LocalFolders(folder=str(DEMO))
