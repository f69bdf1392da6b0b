"""The only thing that draws on a terminal while work goes on. [tqdm]"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from harness.types import Faulted, Graded, Record


class Bar:
    """Attempts settled so far, of those owed, with what they came to."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self.resolved = 0
        self.graded = 0
        self.faults = 0
        self.usd: float | None = 0.0

    def settled(self, record: Record) -> None:
        if self.usd is not None:
            self.usd = None if record.spent.usd is None else self.usd + record.spent.usd
        match record:
            case Graded(verdict=verdict):
                self.graded += 1
                self.resolved += verdict.resolved
                self._bar.update(1)
            case Faulted():
                self.faults += 1
                culprit = record.culprit
                self.say(f"fault of the {culprit} ({record.attempt.id}): {record.message[:200]}")
        money = "" if self.usd is None else f", ${self.usd:.2f}"
        faults = f", {self.faults} faults" if self.faults else ""
        self._bar.set_postfix_str(f"{self.resolved}/{self.graded} resolved{faults}{money}")

    def say(self, line: str) -> None:
        """A line above the bar."""
        self._bar.write(line, file=sys.stderr)


@contextmanager
def bar(total: int, what: str, *, quiet: bool = False) -> Iterator[Bar]:
    """A progress bar on standard error over `total` attempts."""
    drawn: Any = tqdm(
        total=total, desc=what, unit="attempt", file=sys.stderr, disable=quiet, dynamic_ncols=True
    )
    with drawn:
        yield Bar(drawn)


class Steps:
    """A bar over named pieces of work: which are under way, and how many are done."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._busy: list[str] = []

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        self._busy.append(name)
        self._show()
        try:
            yield
        finally:
            self._busy.remove(name)
            self._bar.update(1)
            self._show()

    def reach(self, what: str, share: float) -> None:
        """Show one long piece of work as done to this share, from 0 to 1."""
        self._bar.n = round(share * (self._bar.total or 1))
        self._bar.set_postfix_str(what[:60])

    def _show(self) -> None:
        self._bar.set_postfix_str(", ".join(self._busy)[:60])


@contextmanager
def steps(total: int, what: str, *, quiet: bool = False) -> Iterator[Steps]:
    drawn: Any = tqdm(
        total=total, desc=what, unit="", file=sys.stderr, disable=quiet, dynamic_ncols=True
    )
    with drawn:
        yield Steps(drawn)
