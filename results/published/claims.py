"""The published figures themselves. To add some: a JSON file beside this one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from harness.codec import load
from harness.types import Value

NEWEST = "swe_bench_pro_2026_04.json"


@dataclass(frozen=True, slots=True)
class Claim(Value):
    """One figure, as it was printed."""

    model: str
    percent: float
    source: str
    date: str

    @property
    def rate(self) -> float:
        return self.percent / 100


@dataclass(frozen=True, slots=True)
class Claims(Value):
    benchmark: str
    origin: str
    """How the origin of such tasks begins here: the part before `@`."""
    tasks: int
    when: str
    claims: tuple[Claim, ...]

    def solved(self, claim: Claim) -> int:
        """How many tasks the printed figure amounts to, to the nearest whole one."""
        return round(claim.rate * self.tasks)


def claims(name: str = NEWEST) -> Claims:
    """The figures of one file in this folder."""
    path = Path(__file__).with_name(name)
    return load(Claims, json.loads(path.read_text()), where=str(path))
