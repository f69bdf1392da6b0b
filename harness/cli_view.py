"""The verb that shows runs in a browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli_exchange import RUNS
from harness.registry import Later

viewing = Later("harness.verbs.viewing")


def add_to(app: typer.Typer) -> None:
    """Make this a command of the program."""
    app.command()(view)


def view(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="A run, or a folder of runs.")
    ] = RUNS,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="On loopback.  [8731, or a free one]")
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Only serve.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The address as JSON on standard output, then serve.")
    ] = False,
) -> None:
    """Look at runs in a browser: grid, attempts step by step, diffs, tests; live while they go on.

    Example: harness view results/runs/demo
    """
    opens = not no_open and not as_json and _has_screen()
    viewing.view(folder, port=port, opens=opens, as_json=as_json)


def _has_screen() -> bool:
    """Whether a browser would have somewhere to open; on a server it would be a terminal's."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform == "darwin" or any(os.environ.get(name) for name in screens)
