"""What a bubblewrap box sees: the arguments that put its file system together."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.types import Environment

PREFIX = "/opt/task"
HOME = "/home/agent"
ISOLATION = [
    "--unshare-user",
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--die-with-parent",
    "--new-session",
    "--as-pid-1",
    "--cap-drop",
    "ALL",
    "--disable-userns",
]
_SWITCHES = [
    "/proc/bus",
    "/proc/driver",
    "/proc/fs",
    "/proc/irq",
    "/proc/mtrr",
    "/proc/pressure",
    "/proc/sys",
    "/proc/sysrq-trigger",
]
_SECRETS = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
]
_TOPS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = [
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "pki",
    "protocols",
    "services",
    "ssl",
]


def isolated(view: View, mounts: list[str]) -> list[str]:
    """The arguments for bwrap, but for the program to run."""
    return [
        *ISOLATION,
        *([] if view.network else ["--unshare-net"]),
        *("--hostname", "box", "--clearenv"),
        *view.system(),
        *mounts,
        *("--remount-ro", "/"),
        *view.variables(),
        *("--chdir", view.environment.workdir),
    ]


@dataclass(frozen=True, slots=True)
class View:
    """One box's sight of the host: its programs read-only, nothing of its people."""

    folder: Path
    """Private to the box, on the host's disk."""
    environment: Environment
    network: bool
    home: str = HOME

    def system(self) -> list[str]:
        size = str(max(64, self.environment.memory_mb // 2) << 20)
        return [
            *(word for path, link in system_folders() for word in _as_on_host(path, link)),
            *self._etc(),
            *(word for path in interpreter() for word in ("--ro-bind", path, path)),
            *("--proc", "/proc", *_shielded(), "--dev", "/dev"),
            *("--size", size, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),
            *("--size", size, "--tmpfs", "/tmp", "--size", size, "--tmpfs", "/var/tmp"),
            *("--dir", "/run", "--size", size, "--tmpfs", HOME),
        ]

    def over(self, layer: Path, way: str) -> list[str]:
        """The task's repository and its tools, writable, and nobody's else to see."""
        places = {"repo": self.environment.workdir, "prefix": PREFIX}
        arguments: list[str] = []
        for name, place in places.items():
            lower, mine = str(layer / name), self.folder / name
            if way == "overlay":
                upper, work = mine / "upper", mine / "work"
                upper.mkdir(parents=True)
                work.mkdir()
                arguments += ["--overlay-src", lower, "--overlay", str(upper), str(work), place]
            elif way == "overlay-in-memory":
                arguments += ["--overlay-src", lower, "--tmp-overlay", place]
            else:
                shutil.copytree(lower, mine, symlinks=True)
                arguments += ["--bind", str(mine), place]
        for source, place in self.environment.mounts.items():
            arguments += ["--ro-bind", source, place]
        return arguments

    def variables(self) -> list[str]:
        settings = {
            "PATH": ":".join(_path()),
            "HOME": self.home,
            "LANG": "C.UTF-8",
            **self.environment.variables,
        }
        return [word for item in settings.items() for word in ("--setenv", *item)]

    def _etc(self) -> list[str]:
        made = self.folder / "etc"
        made.mkdir()
        user, group = os.getuid(), os.getgid()
        people = {"root": (0, 0), "agent": (user, group), "nobody": (65534, 65534)}
        if user == 0:
            del people["agent"]
        files = {
            "passwd": [f"{n}:x:{u}:{g}:{n}:{HOME}:/bin/sh" for n, (u, g) in people.items()],
            "group": [f"{n}:x:{g}:" for n, (_, g) in people.items()],
            "hosts": ["127.0.0.1 localhost", "::1 localhost", "127.0.0.1 box"],
        }
        arguments: list[str] = []
        for name, lines in files.items():
            (made / name).write_text("".join(f"{line}\n" for line in lines))
            arguments += ["--ro-bind", str(made / name), f"/etc/{name}"]
        shown = [*_ETC, *(["resolv.conf"] if self.network else [])]
        for path in [Path("/etc") / name for name in shown] + sorted(Path("/etc").glob("java*")):
            if path.exists():
                arguments += ["--ro-bind", str(path.resolve()), str(path)]
        return arguments


def _shielded() -> list[str]:
    """The kernel's switches, read-only: root in a box is root to the modes of files in /proc."""
    existing = [path for path in _SWITCHES if Path(path).exists()]
    hidden = [path for path in _SECRETS if Path(path).exists()]
    return [
        *(word for path in existing for word in ("--ro-bind", path, path)),
        *(word for path in hidden for word in _covered(path)),
    ]


def _covered(path: str) -> list[str]:
    if Path(path).is_dir():
        return ["--tmpfs", path, "--remount-ro", path]
    return ["--ro-bind", "/dev/null", path]


def system_folders() -> list[tuple[str, str]]:
    """Where this machine's programs are: each folder, and where it leads if it is but a link."""
    tops = [path for name in _TOPS if (path := Path("/") / name).is_dir()]
    return [(str(path), str(path.readlink()) if path.is_symlink() else "") for path in tops]


def interpreter() -> list[str]:
    """The folder of the Python that runs us, where it is not among the system's programs."""
    base = str(Path(sys.base_prefix).resolve())
    return [] if Path(base).is_relative_to("/usr") else [base]


def _as_on_host(path: str, link: str) -> list[str]:
    return ["--symlink", link, path] if link else ["--ro-bind", path, path]


def _path() -> list[str]:
    base = str(Path(sys.base_prefix).resolve() / "bin")
    folders = [f"{PREFIX}/bin", f"{PREFIX}/venv/bin", base, "/usr/local/bin", "/usr/bin", "/bin"]
    return list(dict.fromkeys(folders))


def trouble(path: str, said: str) -> str:
    """Why there is no namespace to be had, and where to look, in one line."""
    switches = {
        "/proc/sys/kernel/unprivileged_userns_clone": ("0", "kernel.unprivileged_userns_clone=1"),
        "/proc/sys/user/max_user_namespaces": ("0", "user.max_user_namespaces=10000"),
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            f"kernel.apparmor_restrict_unprivileged_userns=0 (or an AppArmor profile for {path})",
        ),
    }
    for file, (bad, cure) in switches.items():
        if Path(file).exists() and Path(file).read_text().strip() == bad:
            return f"the kernel forbids user namespaces: set sysctl {cure}, or use --sandbox docker"
    why = (said.strip().splitlines() or ["no reason given"])[-1]
    return (
        f"bubblewrap cannot make a box here ({why}): user namespaces may be forbidden by a "
        "container's seccomp profile or an LSM; use --sandbox docker"
    )
