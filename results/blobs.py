"""Blobs: patches and logs under the sha256 of what they hold."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from pathlib import Path

from results.lines import Damaged, sync_folder

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """Content under its own name: the same bytes twice are one file, and a file is never half.

    Any number of processes may keep blobs in one folder at a time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, data: bytes, /) -> str:
        """Store bytes under their sha256 and return it, once they would survive a crash."""
        digest = hashlib.sha256(data).hexdigest()
        path = self.folder / digest
        if not _holds(path, len(data)):
            self.folder.mkdir(parents=True, exist_ok=True)
            publish(path, data)
        return digest

    def has(self, digest: str, /) -> bool:
        return (self.folder / digest).is_file()

    def fetch(self, digest: str, /) -> bytes:
        """The bytes that were kept under a digest; Damaged where they are gone or changed."""
        if not _DIGEST.fullmatch(digest):
            raise Damaged(f"{digest!r} is no sha256, so {self.folder} cannot hold it")
        path = self.folder / digest
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise Damaged(f"{path} is missing; restore it from a copy of the run") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise Damaged(f"{path} does not hold what its name says; restore it from a copy")
        return data


def publish(path: Path, data: bytes) -> None:
    """Write a whole file or none: a reader sees the old one, or all of the new one."""
    draft = path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex}.draft")
    try:
        with draft.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.rename(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _holds(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False
