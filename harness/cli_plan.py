"""`harness plan`: what a study takes and what it can tell, before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from harness import experiment as experiments
from harness.experiment import Experiment
from harness.registry import Later

planning = Later("harness.verbs.planning")

Compose = Callable[[Path | None, dict[str, Any], dict[str, Any]], Experiment]
"""A file, flags and limits into an experiment, as `run` does it."""


File = Annotated[Path | None, typer.Argument(metavar="[EXPERIMENT.toml]")]
Tasks = Annotated[str, typer.Option("--tasks", help="demo, local,folder=DIR or swebench-pro,...")]
Select = Annotated[
    list[str] | None, typer.Option(help="An id or glob, repo=R, language=L, or sample:N:seed=S.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="The first N of what is selected.")]
Shard = Annotated[str | None, typer.Option(help="i/n: the i-th of n equal parts.")]


@dataclass(frozen=True, kw_only=True)
class Flags:
    """One field a flag: those of `run` that decide how much it takes, then those of `plan`."""

    file: File = None
    tasks: Tasks = ""
    model: Annotated[
        list[str] | None, typer.Option(help="ID[,knob=value...]. Repeats; crossed.")
    ] = None
    scaffold: Annotated[list[str] | None, typer.Option(help="NAME[,factor=value...].")] = None
    repeats: Annotated[int | None, typer.Option(min=1, help="Attempts per task and condition.")] = (
        None
    )
    select: Select = None
    limit: Limit = None
    shard: Shard = None
    sandbox: Annotated[str | None, typer.Option(help="auto, docker or bubblewrap.")] = None
    width: Annotated[int | None, typer.Option(min=1, help="Attempts in flight.")] = None
    turns: Annotated[int | None, typer.Option(help="Model calls per attempt.")] = None
    tokens: Annotated[int | None, typer.Option(help="Tokens per attempt.")] = None
    usd: Annotated[float | None, typer.Option(help="Dollars per attempt, at most.")] = None
    seconds: Annotated[float | None, typer.Option(help="Seconds per attempt, at most.")] = None
    usd_run: Annotated[float | None, typer.Option(help="Dollars for the whole run.")] = None
    tokens_run: Annotated[int | None, typer.Option(hidden=True)] = None
    hours_run: Annotated[float | None, typer.Option(hidden=True)] = None
    price: Annotated[list[str] | None, typer.Option(hidden=True)] = None
    gpu_hour: Annotated[float | None, typer.Option(hidden=True)] = None
    gpus: Annotated[int | None, typer.Option(hidden=True)] = None
    seed: Annotated[int | None, typer.Option(hidden=True)] = None
    base_url: Annotated[str | None, typer.Option(hidden=True)] = None
    api_key_env: Annotated[str | None, typer.Option(hidden=True)] = None
    disk: Annotated[str | None, typer.Option(hidden=True)] = None
    mirror: Annotated[str | None, typer.Option(hidden=True)] = None
    into: Annotated[Path | None, typer.Option(hidden=True)] = None
    """These decide nothing here: they let a command of `run` be planned as it stands."""
    pilot: Annotated[
        Path | None, typer.Option(metavar="RUN", help="A run's folder, to foretell from.")
    ] = None
    usd_per_attempt: Annotated[
        str, typer.Option(metavar="LOW,MID,HIGH", help="Expected mean; over the pilot's.")
    ] = ""
    seconds_per_attempt: Annotated[
        str, typer.Option(metavar="LOW,MID,HIGH", help="Expected mean; over the pilot's.")
    ] = ""
    rate: Annotated[float | None, typer.Option(help="The better system's pass rate, as 0.4.")] = (
        None
    )
    gap: Annotated[
        float | None, typer.Option(metavar="POINTS", help="What finding such a gap takes.")
    ] = None
    runs_correlation: Annotated[
        float | None, typer.Option(help="Of two runs of one system, over issues.")
    ] = None
    systems_correlation: Annotated[
        float | None, typer.Option(help="Of two systems' true rates, over issues.")
    ] = None
    issues: Annotated[
        int | None, typer.Option(min=2, help="For --gap without an experiment.  [731]")
    ] = None
    nodes: Annotated[int | None, typer.Option(min=1, help="Simulate it on so many.  [1]")] = None
    boxes: Annotated[int | None, typer.Option(min=1, help="Of each node.  [--width]")] = None
    rpm: Annotated[float | None, typer.Option(help="Calls per minute that are allowed.")] = None
    tpm: Annotated[float | None, typer.Option(help="Tokens per minute, likewise.")] = None
    as_json: Annotated[
        bool, typer.Option("--json", help="The answer as JSON on standard output.")
    ] = False


def add_to(app: typer.Typer, compose: Compose) -> None:
    """Make it a command of the program; `compose` makes the experiment of a file and flags."""

    def plan(**typed: Any) -> None:
        """Say what an experiment takes and what it can tell, before anything starts.

        Example: harness plan --gap 0.7 --runs-correlation 0.67
        """
        _plan(Flags(**typed), compose)

    app.command()(with_flags(plan, Flags))


def with_flags(command: Callable[..., None], flags: type[Any]) -> Callable[..., None]:
    """The command as typer is to see it: a keyword for each field of a dataclass of flags."""
    hints = get_type_hints(flags, include_extras=True)
    shown: Any = command
    shown.__signature__ = Signature(
        [
            Parameter(
                field.name,
                Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=hints[field.name],
            )
            for field in fields(flags)
        ]
    )
    shown.__annotations__ = hints
    return command


def _plan(flags: Flags, compose: Compose) -> None:
    asked = planning.Asked(
        pilot=flags.pilot,
        usd_per_attempt=flags.usd_per_attempt,
        seconds_per_attempt=flags.seconds_per_attempt,
        rate=flags.rate,
        gap=flags.gap,
        runs_correlation=flags.runs_correlation,
        systems_correlation=flags.systems_correlation,
        issues=flags.issues,
        nodes=flags.nodes,
        boxes=flags.boxes,
        rpm=flags.rpm,
        tpm=flags.tpm,
    )
    planning.plan(_experiment(flags, compose), asked, as_json=flags.as_json)


def _experiment(flags: Flags, compose: Compose) -> Experiment | None:
    """What the flags of `run` describe; None where none of them is given."""
    given = {
        **experiments.parts(flags.tasks, flags.model, flags.scaffold, flags.sandbox),
        "select": tuple(flags.select) if flags.select else None,
        "limit": flags.limit,
        "shard": flags.shard,
        "repeats": flags.repeats,
        "width": flags.width,
        "usd_run": flags.usd_run,
    }
    limits = {name: getattr(flags, name) for name in ("turns", "tokens", "usd", "seconds")}
    if flags.file is None and all(value is None for value in (*given.values(), *limits.values())):
        return None
    return compose(flags.file, given, limits)
