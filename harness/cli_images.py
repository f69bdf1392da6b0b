"""`harness images`: what a study's images will take, before anything is pulled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from harness import experiment as experiments
from harness.cli_exchange import Json
from harness.cli_plan import File, Limit, Select, Shard, Tasks, with_flags
from harness.errors import UsageError
from harness.experiment import Experiment, part
from harness.registry import Later

imaging = Later("harness.verbs.imaging")


Disk = Annotated[
    str | None, typer.Option(metavar="SIZE", help="A budget for the images we pull, as 200GB.")
]
Mirror = Annotated[
    str | None, typer.Option(metavar="HOST", help="Where images are pulled from instead.")
]


@dataclass(frozen=True, kw_only=True)
class Flags:
    """One field a flag."""

    file: File = None
    tasks: Tasks = ""
    select: Select = None
    limit: Limit = None
    shard: Shard = None
    disk: Disk = None
    mirror: Mirror = None
    pull: Annotated[bool, typer.Option("--pull", help="Pull them now, ahead of any run.")] = False
    as_json: Json = False


def add_to(app: typer.Typer) -> None:
    """Make it a command of the program."""

    def images(**typed: Any) -> None:
        """Say what the images of tasks take: to pull, shared, time, limits, and whether it fits.

        Example: harness images --tasks swebench-pro --select sample:20:seed=1 --disk 200GB
        """
        _images(Flags(**typed))

    app.command()(with_flags(images, Flags))


def _images(flags: Flags) -> None:
    given: dict[str, Any] = {
        "select": tuple(flags.select or ()),
        "limit": flags.limit,
        "shard": flags.shard,
    }
    asked = _experiment(flags.file, flags.tasks)
    wanted = replace(asked, **{name: value for name, value in given.items() if value})
    made = experiments.supplied(wanted, flags.disk, flags.mirror)
    raise typer.Exit(imaging.forecast(made, pull=flags.pull, as_json=flags.as_json))


def _experiment(file: Path | None, tasks: str) -> Experiment:
    """What is asked for; which models and scaffolds it is for makes no difference."""
    if file is None and not tasks:
        raise UsageError("say --tasks, or name an experiment file; harness images --help")
    nobody = Experiment(part(tasks or "demo"), (part("none"),), (part("nop"),))
    if file is None:
        return nobody
    read = experiments.read(file)
    return replace(read, tasks=part(tasks)) if tasks else read
