"""The verb that tells what a run cost under other prices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli_exchange import Json
from harness.registry import Later

offers = Later("harness.verbs.offers")
pricing = Later("harness.verbs.pricing")


def add_to(app: typer.Typer) -> None:
    """Make this a command of the program."""
    app.command()(reprice)


def reprice(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    price: Annotated[
        list[str] | None,
        typer.Option(
            help="[MODEL:]in=..,out=..[,cached=..,written=..] in dollars per million tokens. "
            "Repeats; without a model it is every other model's."
        ),
    ] = None,
    gpu_hour: Annotated[
        float | None,
        typer.Option(help="Dollars for an hour of one GPU: models without a --price are served."),
    ] = None,
    gpus: Annotated[int, typer.Option(min=1, help="How many serve them.")] = 1,
    into: Annotated[Path | None, typer.Option(help="Also write the JSON into this file.")] = None,
    as_json: Json = False,
) -> None:
    """Print what a run cost under other prices, from what its records count; it is not touched.

    Example: harness reprice results/runs/first --price gpt-5:in=1.25,out=10,cached=0.125
    """
    wanted = offers.offer(price or (), gpu_hour, gpus)
    pricing.reprice(run, wanted, as_json=as_json, into=into)
