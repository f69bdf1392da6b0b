"""`tasks subset`: fewer tasks that still tell the score on all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.verbs.reading import sources
from results.blobs import publish
from results.subsets import as_json as plain
from results.subsets import draw
from results.systems import systems


def subset(paths: Sequence[Path], size: int, seed: int, *, tasks: str, into: Path) -> None:
    """Draw it, write it, and say how it is used."""
    found = draw(systems(sources(paths, tasks)), size, seed=seed)
    publish(into, (json.dumps(plain(found), indent=1) + "\n").encode())
    of = sum(layer.tasks for layer in found.strata)
    print(f"{len(found.tasks)} of {of} tasks in {into}, drawn by how hard they are:")
    for k, layer in enumerate(found.strata, start=1):
        solved = f"{100 * layer.expected:5.1f}% solved before"
        print(f"  stratum {k:2}: {layer.drawn:3} of {layer.tasks:4} tasks, {solved}")
    print(f"harness run ... --select subset:{into}; its report estimates the score on all {of}")
