"""Who must die: reading a box's process table, and choosing from it."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

TICKS_PER_SECOND = 100
"""Of `/proc/*/stat`: what Linux shows to programs, whatever the kernel counts in."""

LIST = rb"""last() { read -r row </proc/loadavg && printf '%s\n' "${row##* }"; }
last; for row in /proc/[0-9]*/stat; do
all=; while read -r line; do all="$all $line"; done <"$row"; printf '%s\n' "$all"
done 2>/dev/null; last"""
"""A shell's way to print the table with builtins alone; a name may hold a newline. The last
number that a process was given stands before and after it."""


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    state: str
    parent: int
    session: int
    born: int
    """In ticks since the machine started."""

    @property
    def age_rank(self) -> tuple[int, int]:
        """Who was born first; within one tick the lower number was."""
        return self.born, self.pid


def parse(row: str) -> Process | None:
    """One line of `/proc/*/stat`; None where the process vanished while it was read."""
    before, paren, after = row.rpartition(")")
    fields = after.split()
    if not paren or len(fields) < 20:
        return None
    pid = int(before.split("(", 1)[0])
    return Process(pid, fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def parse_table(text: str) -> list[Process]:
    return [process for row in text.splitlines() if (process := parse(row))]


def stirred(text: str) -> bool:
    """Whether somebody may have been born while the table was printed: it need not show them."""
    before, *_, after = [row for row in text.splitlines() if ")" not in row] or ["", "?"]
    return before != after


@dataclass(frozen=True, slots=True)
class Hunt:
    """The tree of one command: what is below its shell, and orphans born since it began."""

    shell: int
    since: tuple[int, int]
    init: int
    """Whose children orphans become."""
    spared: Set[int]

    def narrowed(self, table: Iterable[Process]) -> Hunt:
        """The same hunt, with the command's birth as the table knows it."""
        births = [p.age_rank for p in table if p.parent == self.shell]
        since = max(self.since, min(births)) if births else self.since
        return Hunt(self.shell, since, self.init, self.spared)

    def doomed(self, table: Iterable[Process]) -> set[int]:
        by_pid = {process.pid: process for process in table}
        keeper = by_pid.get(self.init)
        found = {
            p.pid
            for p in by_pid.values()
            if p.parent == self.shell or (self._orphan(p, keeper) and p.age_rank >= self.since)
        }
        found -= self.spared
        while more := {p.pid for p in by_pid.values() if p.parent in found} - found - self.spared:
            found |= more
        return {pid for pid in found if by_pid[pid].state not in "ZX"}

    def unburied(self, table: Iterable[Process]) -> bool:
        """Whether dead of ours wait for a parent that will bury them; till then they take room."""
        return any(p.state in "ZX" and p.parent in (self.init, self.shell) for p in table)

    def _orphan(self, process: Process, keeper: Process | None) -> bool:
        """Init's own helpers share its session, and are not orphans."""
        own = keeper is not None and process.session == keeper.session
        return process.parent == self.init and not own
