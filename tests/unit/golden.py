"""Values that were worked out twice elsewhere, where they lie beside this checkout."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from results.stats.scores import Array

FOLDER = Path(__file__).parents[3] / "shared"


def reference() -> Any:
    """The golden values; the calling test is skipped where they are absent."""
    return json.loads(_text("statistics/reference.json"))


def study() -> Study:
    """The fixture: 120 issues of 8 repositories x 3 models x 2 scaffolds x 4 runs."""
    return _study(_text("statistics/fixture.csv"))


class Study:
    def __init__(self, text: str) -> None:
        self.rows = list(csv.DictReader(text.splitlines()))
        self.issues = list(dict.fromkeys(row["instance"] for row in self.rows))
        of = {row["instance"]: row["repo"] for row in self.rows}
        self.repos: npt.NDArray[np.str_] = np.array([of[issue] for issue in self.issues])

    def table(self, model: str, scaffold: str, column: str = "solved") -> Array:
        """Issues x runs, NaN where the cell is empty."""
        place = {issue: i for i, issue in enumerate(self.issues)}
        values = np.full((len(self.issues), 4), np.nan)
        for row in self.rows:
            if (row["model"], row["scaffold"]) == (model, scaffold) and row[column]:
                values[place[row["instance"]], int(row["run"])] = float(row[column])
        return values

    def cells(self) -> Array:
        """Issues x models x scaffolds x runs."""
        return np.stack(
            [
                np.stack([self.table(m, s) for s in ("s0", "s1")], axis=1)
                for m in ("m0", "m1", "m2")
            ],
            axis=1,
        )


@cache
def _text(name: str) -> str:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"the golden values are not beside this checkout (../shared/{name})")
    return path.read_text()


@cache
def _study(text: str) -> Study:
    return Study(text)


def near(value: Any, tolerance: float = 1e-7) -> Any:
    """Golden values are rounded to nine digits."""
    return pytest.approx(value, abs=tolerance, rel=1e-6)
