"""Blobs are what their names say, or an error."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from results.blobs import Blobs, publish
from results.lines import Damaged


def test_what_was_kept_is_fetched(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    for data in (b"", b"\x00\xff patch", b"x" * 1_000_000):
        digest = blobs.keep(data)
        assert digest == hashlib.sha256(data).hexdigest()
        assert blobs.fetch(digest) == data


def test_the_same_bytes_twice_are_one_file_and_no_draft_is_left(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    assert blobs.keep(b"twice") == blobs.keep(b"twice")
    assert [path.name for path in tmp_path.iterdir()] == [hashlib.sha256(b"twice").hexdigest()]


def test_many_may_keep_the_same_at_once(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    threads = [threading.Thread(target=blobs.keep, args=(b"y" * 50_000,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list((tmp_path / "blobs").iterdir())) == 1


def test_a_changed_blob_is_not_handed_out(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = blobs.keep(b"true")
    (tmp_path / digest).write_bytes(b"fals")
    with pytest.raises(Damaged, match=digest):
        blobs.fetch(digest)


def test_a_blob_of_the_wrong_size_is_written_anew(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = blobs.keep(b"whole")
    (tmp_path / digest).write_bytes(b"who")
    assert blobs.keep(b"whole") == digest
    assert blobs.fetch(digest) == b"whole"


def test_a_missing_blob_is_named(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="is missing"):
        Blobs(tmp_path).fetch("0" * 64)


@pytest.mark.parametrize("digest", ["../run.json", "", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_what_is_no_digest_opens_no_file(tmp_path: Path, digest: str) -> None:
    with pytest.raises(Damaged, match="no sha256"):
        Blobs(tmp_path).fetch(digest)


def test_a_file_is_published_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    publish(path, b"old")
    publish(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
