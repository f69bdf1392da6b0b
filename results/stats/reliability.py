"""How well a design ranks models: generalizability theory (Brennan 2001)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from results.stats.components import Component


@dataclass(frozen=True, slots=True)
class Design:
    tasks: int
    repeats: int
    scaffolds: int

    @property
    def attempts(self) -> int:
        """Of each model."""
        return self.tasks * self.repeats * self.scaffolds


@dataclass(frozen=True, slots=True)
class Reliability:
    design: Design
    value: float | None
    """E rho^2: how far the ranking of models would agree with that of another such study."""
    reason: str = ""


_PARTS = ("model", "model_x_scaffold", "model_x_instance", "ms_x_instance", "run")


def reliability(found: Mapping[str, Component], design: Design) -> Reliability:
    """From the components of a study; those that came out below 0 count as 0.

    With one run, run noise and the three-way interaction cannot be told apart, and so neither can
    what repeats would bring: None.
    """
    parts = {name: found[name].variance for name in _PARTS}
    for name, part in parts.items():
        if part is None:
            return Reliability(design, None, f"{name}: {found[name].reason}")
    known = {name: max(0.0, part or 0.0) for name, part in parts.items()}
    scaffolds, tasks = design.scaffolds, design.tasks
    error = known["model_x_scaffold"] / scaffolds + known["model_x_instance"] / tasks
    each = known["ms_x_instance"] + known["run"] / design.repeats
    error += each / (tasks * scaffolds)
    if known["model"] + error == 0:
        return Reliability(design, None, "the models do not differ, and nothing else varies")
    return Reliability(design, known["model"] / (known["model"] + error))


def cheapest(
    found: Mapping[str, Component],
    tasks: Iterable[int],
    repeats: Iterable[int],
    scaffolds: Iterable[int],
    *,
    least: float = 0.9,
) -> Reliability | None:
    """The design of fewest attempts that ranks so reliably; None where none of these does."""
    tried = [reliability(found, Design(*size)) for size in product(tasks, repeats, scaffolds)]
    good = [r for r in tried if r.value is not None and r.value >= least]
    return min(good, key=lambda r: (r.design.attempts, r.design.scaffolds), default=None)
