"""Which runs there are under a folder, each with a name that is safe in an address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from harness.errors import UsageError
from results.manifest import NAME
from results.view.index import Index

DEPTH = 3
KEPT = 8
"""So many runs are held in memory at a time; others are read again when they are asked for."""
MOST = 2000
_STRANGE = re.compile(r"[^A-Za-z0-9._-]+")


class Runs:
    """A run's folder, or a folder of runs. New ones are found while it is looked at."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        if not self.root.is_dir():
            raise UsageError(f"{root} is no folder; name a run, or a folder of runs")
        self._lock = Lock()
        self._open: dict[str, Index] = {}
        if not self.folders():
            raise UsageError(
                f"{root} holds no run (a folder with {NAME}); `harness run` or `harness demo` "
                "makes one, `harness import` one of somebody else's results"
            )

    @property
    def is_one(self) -> bool:
        return (self.root / NAME).is_file()

    def folders(self) -> dict[str, Path]:
        """By name, those last written to first."""
        found = [self.root] if self.is_one else sorted(_under(self.root, DEPTH))[:MOST]
        found.sort(key=_changed, reverse=True)
        names: dict[str, Path] = {}
        for folder in found:
            wanted = folder.name if self.is_one else folder.relative_to(self.root).as_posix()
            name = plain = _STRANGE.sub("_", wanted.replace("/", ".")).lstrip(".") or "run"
            number = 2
            while name in names:
                name, number = f"{plain}_{number}", number + 1
            names[name] = folder
        return names

    def index(self, name: str) -> Index | None:
        """The run of that name, opened if it is not."""
        with self._lock:
            known = self._open.pop(name, None)
            folder = known.folder if known else self.folders().get(name)
            if folder is None:
                return None
            index = known or Index(folder, name)
            self._open[name] = index
            while len(self._open) > KEPT:
                del self._open[next(iter(self._open))]
            return index


def _under(folder: Path, depth: int) -> Iterator[Path]:
    try:
        children = [child for child in folder.iterdir() if child.is_dir()]
    except OSError:
        return
    for child in children:
        if (child / NAME).is_file():
            yield child
        elif depth > 1 and not child.name.startswith("."):
            yield from _under(child, depth - 1)


def _changed(folder: Path) -> float:
    for name in ("ledger.jsonl", NAME):
        try:
            return (folder / name).stat().st_mtime
        except OSError:
            continue
    return 0.0
