"""Who made a thing that outlives a process, and whether they still live."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

PREFIX = "harness-"
"""Of everything that a box leaves on this machine while it lives: then comes its owner's mark."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from later ones of its number and from those of other machines."""

    host: str
    pid: int
    born: int

    @classmethod
    def me(cls) -> Owner:
        return cls(_host(), os.getpid(), _born(os.getpid()))

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        host, _, rest = text.rpartition("/")
        pid, _, born = rest.partition("-")
        return cls(host, int(pid), int(born)) if pid.isdecimal() and born.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}-{self.born}"

    @property
    def mark(self) -> str:
        """For names on this machine."""
        return f"{self.pid}-{self.born}"

    @property
    def dead(self) -> bool:
        """Whether it is known to be gone; of another machine nothing is known."""
        return self.host == _host() and _born(self.pid) != self.born


def abandoned(name: str) -> bool:
    """Whether `…harness-PID-BORN-…`, the name of a folder, is that of an owner who is dead."""
    pid, _, rest = name.rpartition(PREFIX)[2].partition("-")
    born = rest.partition("-")[0]
    if not (pid.isdecimal() and born.isdecimal()):
        return False
    return Owner(Owner.me().host, int(pid), int(born)).dead


def _host() -> str:
    """This machine, and this view of its processes: containers number theirs anew."""
    try:
        return f"{platform.node()}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def _born(pid: int) -> int:
    """When a process was started, in ticks; 0 where there is none."""
    try:
        row = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return 0
    return int(row.rpartition(")")[2].split()[19])
