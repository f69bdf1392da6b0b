"""The verbs that take or give other people's files: compare, import and export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.errors import UsageError
from harness.registry import Later

comparing = Later("harness.verbs.comparing")
exchanging = Later("harness.verbs.exchanging")
reporting = Later("harness.verbs.reporting")

RUNS = Path("results/runs")
Json = Annotated[bool, typer.Option("--json", help="The answer as JSON on standard output.")]


def add_to(app: typer.Typer) -> None:
    """Make these commands of the program."""
    app.command()(compare)
    app.command("import")(import_)
    app.command()(export)


def compare(  # noqa: PLR0913
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Folders of runs, and files that import reads.")
    ] = None,
    margin: Annotated[
        float, typer.Option(help="The share of tasks within which systems count as equivalent.")
    ] = 0.02,
    tasks: Annotated[
        str, typer.Option("--tasks", help="What the files are out of, as for run.")
    ] = "",
    published: Annotated[
        bool, typer.Option("--published", help="Beside the figures that others have published.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write all cards and the comparison into this file.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="For a pull request.")] = False,
    as_json: Json = False,
) -> None:
    """Compare every two conditions of some runs or files, on the tasks that both have measured.

    Example: harness compare results/runs/editor theirs/eval_results.json --margin 0.05
    """
    if sum((published, html is not None, markdown)) > 1 or (as_json and (html or markdown)):
        raise UsageError("choose one of --json, --markdown, --html; with --published only --json")
    if published:
        comparing.published(runs or [], tasks=tasks, as_json=as_json)
    elif runs and html:
        comparing.comparison_page(runs, margin=margin, tasks=tasks, into=html)
    elif runs and markdown:
        comparing.comparison_markdown(runs, margin=margin, tasks=tasks)
    elif runs:
        comparing.comparison(runs, margin=margin, tasks=tasks, as_json=as_json)
    else:
        raise UsageError("name the folders or files to compare, or say --published")


def import_(  # noqa: PLR0913 - a parameter is a flag
    source: Annotated[Path, typer.Argument(help="A file or folder of somebody else's results.")],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="auto, pro, swebench, swe-agent, mini-swe-agent, harbor, inspect or csv, with "
            "knobs: swe-agent,verdicts=FILE or csv,task=COLUMN,resolved=COLUMN.",
        ),
    ] = "auto",
    tasks: Annotated[
        str, typer.Option("--tasks", help="What they are out of, as for run.  [the ids in it]")
    ] = "",
    model: Annotated[str, typer.Option(help="Its name, over what the source says.")] = "",
    scaffold: Annotated[str, typer.Option(help="Its name, over what the source says.")] = "",
    into: Annotated[
        Path | None, typer.Option(help="The run's folder.  [results/runs/import-<name>]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read anyone's results into a run of their own, out of the tasks that are declared.

    Example: harness import eval_results.json --tasks swebench-pro --model gpt-5
    """
    folder = into or RUNS / f"import-{source.resolve().stem}"
    names = {"model": model, "scaffold": scaffold}
    exchanging.bring(exchanging.Wanted(source, format_, tasks, **names), folder)
    reporting.report([folder], as_json=as_json)


def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    into: Annotated[Path, typer.Option(help="A file, or a folder where it takes several.")],
    format_: Annotated[
        str, typer.Option("--format", help="swebench, pro, atif, junit, csv or parquet.")
    ],
) -> None:
    """Write a run for other programs: predictions, patches, trajectories, test reports, tables.

    Example: harness export results/runs/demo --format atif --into trajectories
    """
    exchanging.send(folder, format_, into)
