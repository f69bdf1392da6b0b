"""Control groups where we may make them, rlimits where not; tried on a folder like the kernel's."""

from __future__ import annotations

import resource
from pathlib import Path

from harness.sandboxes.cgroups import bound, leftovers
from harness.sandboxes.owner import Owner
from harness.types import Environment

ENVIRONMENT = Environment("", "/app", cpus=1.5, memory_mb=256, pids=64)


def test_the_first_version_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    for name in ("memory", "pids", "cpu"):
        (tmp_path / name).mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("")
    bounds = bound(ENVIRONMENT, tmp_path)
    assert bounds.kind == "cgroup-v1" and bounds.cpus == 1.5 and not bounds.rlimits
    said = {file.name: file.read_text() for f in bounds.folders for file in f.iterdir()}
    assert said["memory.limit_in_bytes"] == str(256 << 20)
    assert said["pids.max"] == "64"
    assert said["cpu.cfs_quota_us"] == "150000"
    assert bounds.wrapper[-1] == "--"


def test_the_second_version_has_one_where_it_was_delegated(tmp_path: Path) -> None:
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids\n")
    bounds = bound(ENVIRONMENT, tmp_path)
    (folder,) = bounds.folders
    assert bounds.kind == "cgroup-v2" and folder.parent == tmp_path
    assert (folder / "memory.max").read_text() == str(256 << 20)
    assert (folder / "cpu.max").read_text() == "150000 100000"


def test_without_either_each_process_is_limited_and_processors_are_not(tmp_path: Path) -> None:
    bounds = bound(ENVIRONMENT, tmp_path)
    assert bounds.kind == "rlimit" and bounds.cpus is None and bounds.wrapper == []
    assert bounds.rlimits == {resource.RLIMIT_DATA: 256 << 20, resource.RLIMIT_NPROC: 64}


def test_a_group_of_a_dead_owner_is_left_over_and_one_of_a_living_is_not(tmp_path: Path) -> None:
    (tmp_path / f"harness-{Owner.me().mark}-abc").mkdir()
    dead = tmp_path / "harness-4194399-17-abc"
    dead.mkdir()
    assert leftovers(tmp_path) == [dead]
