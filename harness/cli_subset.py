"""`harness tasks subset`: a part of a task set, drawn by difficulty."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.registry import Later

subsetting = Later("harness.verbs.subsetting")


def add_to(listing: typer.Typer) -> None:
    """Make it a command of `harness tasks`."""
    listing.command("subset")(subset)


def subset(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs, and files that import reads.")
    ],
    size: Annotated[int, typer.Option(min=1, help="How many tasks to draw.")],
    into: Annotated[Path, typer.Option(help="The file to write.")] = Path("subset.json"),
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    tasks: Annotated[
        str, typer.Option("--tasks", help="What the files are out of, as for run.")
    ] = "",
) -> None:
    """Draw tasks by how hard earlier systems found them: they tell the score on the whole set.

    Example: harness tasks subset results/runs/earlier --size 200 --into hard-and-easy.json
    """
    subsetting.subset(runs, size, seed, tasks=tasks, into=into)
