"""Private folders of a box on this machine: made under a name that says whose, removed whole."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

from harness.sandboxes.owner import PREFIX, Owner


def private_folder(parent: Path | None = None, prefix: str = PREFIX) -> Path:
    folder = parent or Path(tempfile.gettempdir())
    made = folder / f"{prefix}{Owner.me().mark}-{uuid.uuid4().hex[:12]}"
    made.mkdir(mode=0o700, parents=True)
    return made


def remove_tree(root: Path) -> None:
    """Remove a folder whatever its modes: an overlay leaves some that not even we may enter."""
    with suppress(FileNotFoundError):
        _unlock(root)
        shutil.rmtree(root)


def _unlock(folder: Path) -> None:
    folder.chmod(0o700)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            _unlock(entry)
