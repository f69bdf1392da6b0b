"""`harness bench`: what the engine adds to the raw cost of its parts."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli_exchange import Json
from harness.registry import Later

benching = Later("harness.verbs.benching")


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAMES]", help="Which; all without.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the engine beside the raw cost of its parts. Needs Docker and a checkout.

    Example: harness bench step attempt
    """
    raise typer.Exit(benching.bench(names or [], as_json=as_json))


def add_to(app: typer.Typer) -> None:
    """Make it a command of the program."""
    app.command()(bench)
