"""A folder that several machines write blobs to, by an fsspec URL. The only module that knows it.

`/mnt/study`, `s3://bucket/study`, `gs://...`: whatever fsspec has a driver for on all of them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from harness.errors import UsageError
from results.blobs import Blobs, publish
from results.lines import Damaged

NAME = "blobs.url"
"""The file in a run's folder that says where blobs lie that are not in it."""


class Share:
    """Blobs under their sha256, like those of a run's own folder. UsageError for no such place."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._fs, self._root = url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise UsageError(f"--share {url}: {error}") from error

    def keep(self, data: bytes, /) -> str:
        """Store bytes under their sha256 and return it. Objects appear whole, as files do."""
        if isinstance(self._fs, LocalFileSystem):
            return Blobs(Path(self._root)).keep(data)
        digest = hashlib.sha256(data).hexdigest()
        self._fs.pipe_file(self._path(digest), data)
        return digest

    def fetch(self, digest: str, /) -> bytes:
        try:
            data = bytes(self._fs.cat_file(self._path(digest)))
        except FileNotFoundError as error:
            raise Damaged(f"{self.url}/{digest} is missing; restore it from a copy") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise Damaged(f"{self.url}/{digest} does not hold what its name says; restore it")
        return data

    def _path(self, digest: str) -> str:
        return f"{self._root.rstrip('/')}/{digest}"


def named(folder: Path) -> Share | None:
    """The share of a run, if it has one."""
    try:
        return Share((folder / NAME).read_text().strip())
    except FileNotFoundError:
        return None


def name(folder: Path, url: str) -> None:
    """Say where the blobs of a run lie. UsageError where they lie elsewhere already."""
    before = named(folder)
    if before and before.url != url:
        raise UsageError(f"--share {url}: the blobs of {folder} are in {before.url}; name that")
    folder.mkdir(parents=True, exist_ok=True)
    publish(folder / NAME, f"{url}\n".encode())
