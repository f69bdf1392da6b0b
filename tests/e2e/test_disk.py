"""A full disk stops the run in one line, with what is settled intact."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.commands import harness

pytestmark = pytest.mark.bubblewrap
WORDS = ("check", "--select", "humanize*", "--sandbox", "bubblewrap", "--width", "1", "--json")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    if os.geteuid():
        pytest.skip("only root may mount a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))


def test_a_full_disk_stops_the_run_and_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    into = ("--into", small_disk / "run")
    first = harness(*WORDS, *into, "--times", "1", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    ledger = small_disk / "run" / "ledger.jsonl"
    before = ledger.read_bytes()
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        fill(ballast)

    full = harness(*WORDS, *into, "--times", "3", cwd=tmp_path)

    assert full.returncode == 2, full.stderr
    assert full.stderr.splitlines()[-1].startswith("harness: the disk is full")
    assert "Traceback" not in full.stderr
    assert ledger.read_bytes() == before
    ballast.unlink()
    more = harness(*WORDS, *into, "--times", "3", cwd=tmp_path)
    assert more.returncode == 0, more.stderr
    (task,) = json.loads(more.stdout)["tasks"].values()
    assert task["oracle"] == [3, 3] and task["nop"] == [0, 3]
