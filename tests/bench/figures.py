"""What a benchmark comes to: figures, their aims, and the table of them."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One line of the table. `value` is what the aim speaks of: mostly ours over the baseline."""

    measure: str
    value: float
    aim: float
    unit: str = "x"
    ours: str = ""
    baseline: str = ""
    least: bool = False
    """The aim is a floor and not a ceiling."""

    @property
    def met(self) -> bool:
        return self.value >= self.aim if self.least else self.value <= self.aim

    def row(self) -> list[str]:
        sign = ">=" if self.least else "<="
        aim = f"{sign} {self.aim:g} {self.unit}"
        met = "met" if self.met else "MISSED"
        return [self.measure, self.ours, self.baseline, f"{self.value:.3g} {self.unit}", aim, met]


HEAD = ["measure", "ours", "baseline", "figure", "aim", ""]


def as_text(figures: Sequence[Figure]) -> str:
    rows = [HEAD, *(figure.row() for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def as_json(figures: Sequence[Figure]) -> dict[str, Any]:
    return {
        "schema": "harness-bench/1",
        "load": os.getloadavg()[0],
        "cores": os.cpu_count(),
        "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
    }


@dataclass
class Took:
    """Wall and CPU seconds of a block; CPU of this process alone, its threads included."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def timed() -> Iterator[Took]:
    took, wall, cpu = Took(), time.perf_counter(), time.process_time()
    try:
        yield took
    finally:
        took.wall, took.cpu = time.perf_counter() - wall, time.process_time() - cpu


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def median_ratio(ours: Sequence[float], base: Sequence[float]) -> float:
    """Of pairs that were measured side by side: the machine's mood is in both."""
    return statistics.median(a / b for a, b in zip(ours, base, strict=True))


def ms(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:.3g} ms"


def resident_mb() -> float:
    with open("/proc/self/statm") as table:  # noqa: PTH123
        return int(table.read().split()[1]) * resource.getpagesize() / 1e6
