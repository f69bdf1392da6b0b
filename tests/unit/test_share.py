"""Blobs that lie in a folder of several machines, and how a run's own readers find them."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from harness.errors import UsageError
from results import share
from results.lines import Damaged
from results.share import Share
from results.store import RunStore


@pytest.fixture(params=["folder", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder that is mounted, and a store of objects."""
    own = uuid.uuid4().hex
    return str(tmp_path / "shared") if request.param == "folder" else f"memory://{own}/blobs"


def test_what_one_machine_keeps_another_fetches(url: str) -> None:
    digest = Share(url).keep(b"a patch")
    assert Share(url).fetch(digest) == b"a patch"


def test_what_is_missing_is_said(url: str) -> None:
    with pytest.raises(Damaged, match="is missing"):
        Share(url).fetch("0" * 64)


def test_a_run_finds_its_blobs_in_its_folder_and_in_its_share(url: str, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "run")
    share.name(store.folder, url)
    here, there = store.keep(b"here"), Share(url).keep(b"there")
    assert (store.fetch(here), store.fetch(there)) == (b"here", b"there")


def test_the_blobs_of_one_run_lie_in_one_place(url: str, tmp_path: Path) -> None:
    share.name(tmp_path, url)
    share.name(tmp_path, url)
    with pytest.raises(UsageError, match="name that"):
        share.name(tmp_path, "memory://elsewhere")


def test_a_url_that_nobody_serves_is_one_line() -> None:
    with pytest.raises(UsageError, match="nonsense"):
        Share("nonsense://x")
