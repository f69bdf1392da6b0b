"""Bounds on what a box may use where no engine sets them: control groups, or else rlimits."""

from __future__ import annotations

import resource
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.sandboxes.owner import PREFIX, Owner, abandoned
from harness.types import Environment

ROOT = Path("/sys/fs/cgroup")
_PERIOD_MICROSECONDS = 100_000
_JOIN = """
for group; do
    shift
    [ "$group" = -- ] && exec "$@"
    echo $$ >"$group/cgroup.procs" || exit 1
done
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What holds a box: folders of control groups, or limits that each process inherits."""

    kind: Literal["cgroup-v1", "cgroup-v2", "rlimit"]
    folders: tuple[Path, ...] = ()
    rlimits: Mapping[int, int] = field(default_factory=dict)
    cpus: float | None = None
    """None where nothing enforces it."""

    @property
    def wrapper(self) -> list[str]:
        """A command's prefix that puts it, and all that it starts, within these bounds."""
        if not self.folders:
            return []
        return ["/bin/sh", "-c", _JOIN, "harness", *map(str, self.folders), "--"]

    def oom_kills(self) -> int:
        """How many processes within these bounds were killed for want of memory; 0 if unknown."""
        names = ("memory.oom_control", "memory.events")
        said = "".join(_read(folder / name) for folder in self.folders for name in names)
        counts = [line.split() for line in said.splitlines()]
        return sum(int(count[1]) for count in counts if count[0] == "oom_kill")

    def remove(self) -> None:
        """The last process may still be on its way out: be patient for a moment."""
        for folder in self.folders:
            for _ in range(100):
                if _removed(folder):
                    break
                time.sleep(0.02)


def bound(environment: Environment, root: Path = ROOT) -> Bounds:
    """The strongest bounds that we may set here."""
    name = f"{PREFIX}{Owner.me().mark}-{uuid.uuid4().hex[:12]}"
    return _v1(environment, root, name) or _v2(environment, root, name) or _rlimits(environment)


def _v1(environment: Environment, root: Path, name: str) -> Bounds | None:
    memory = environment.memory_mb << 20
    wanted = {
        root / "memory" / name: [
            ("memory.limit_in_bytes", memory),
            ("memory.memsw.limit_in_bytes", memory),
        ],
        root / "pids" / name: [("pids.max", environment.pids)],
        root / "cpu" / name: [
            ("cpu.cfs_period_us", _PERIOD_MICROSECONDS),
            ("cpu.cfs_quota_us", int(environment.cpus * _PERIOD_MICROSECONDS)),
        ],
    }
    if not (root / "memory" / "memory.limit_in_bytes").exists():
        return None
    return _made("cgroup-v1", wanted, environment)


def _v2(environment: Environment, root: Path, name: str) -> Bounds | None:
    for parent in _delegated(root):
        controllers = _read(parent / "cgroup.subtree_control").split()
        if not {"memory", "pids"} <= set(controllers):
            continue
        quota = int(environment.cpus * _PERIOD_MICROSECONDS)
        settings: list[tuple[str, object]] = [
            ("memory.max", environment.memory_mb << 20),
            ("memory.swap.max", 0),
            ("pids.max", environment.pids),
            ("cpu.max", f"{quota} {_PERIOD_MICROSECONDS}"),
        ]
        if made := _made("cgroup-v2", {parent / name: settings}, environment):
            return made
    return None


def _delegated(root: Path) -> list[Path]:
    """Where a sibling of ours might be made: next to us, and at the top."""
    own = next((r[3:] for r in _read(Path("/proc/self/cgroup")).splitlines() if r[:3] == "0::"), "")
    beside = (root / own.strip("/")).parent
    return [beside, root] if beside.is_relative_to(root) else [root]


def _made(
    kind: Literal["cgroup-v1", "cgroup-v2"],
    wanted: Mapping[Path, list[tuple[str, int]] | list[tuple[str, object]]],
    environment: Environment,
) -> Bounds | None:
    """Make the groups, or none of them. Swap and processors may be beyond us; the rest may not."""
    bounds = Bounds(kind, tuple(wanted), cpus=environment.cpus)
    optional = ("memory.memsw.", "memory.swap.", "cpu.")
    for folder, settings in wanted.items():
        try:
            folder.mkdir()
            for name, value in settings:
                try:
                    (folder / name).write_text(str(value))
                except OSError:
                    if not name.startswith(optional):
                        raise
                    if name.startswith("cpu."):
                        bounds = Bounds(kind, bounds.folders)
        except OSError:
            bounds.remove()
            return None
    if subprocess.run([*bounds.wrapper, "true"], capture_output=True, check=False).returncode:
        bounds.remove()  # made, but not ours to move into
        return None
    return bounds


def _rlimits(environment: Environment) -> Bounds:
    # Not RLIMIT_AS: runtimes reserve address space by the gigabyte that they never touch.
    limits = {
        int(resource.RLIMIT_DATA): environment.memory_mb << 20,
        int(resource.RLIMIT_NPROC): environment.pids,
    }
    return Bounds("rlimit", rlimits=limits)


def leftovers(root: Path = ROOT) -> list[Path]:
    """Groups whose owner is dead."""
    tops = [root, *(root / name for name in ("memory", "pids", "cpu")), *_delegated(root)]
    found = [folder for top in dict.fromkeys(tops) for folder in top.glob(f"{PREFIX}*-*-*")]
    return [folder for folder in found if folder.is_dir() and abandoned(folder.name)]


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
