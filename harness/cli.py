"""The command line: one function a verb, flags turned into values and handed on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from harness import (
    cli_bench,
    cli_doctor,
    cli_exchange,
    cli_images,
    cli_plan,
    cli_price,
    cli_subset,
    cli_view,
    costs,
)
from harness import experiment as experiments
from harness.cli_exchange import RUNS, Json
from harness.cli_images import Disk, Mirror
from harness.cli_plan import File, Limit, Shard, Tasks
from harness.errors import DISK_FULL, UsageError
from harness.experiment import CONTROLS, NO_MODEL, Experiment, part
from harness.registry import Later

asyncio = Later("asyncio")
demos = Later("harness.verbs.demo")
running = Later("harness.verbs.running")
grading = Later("harness.verbs.grading")
controls = Later("harness.verbs.controls")
showing = Later("harness.verbs.showing")
reporting = Later("harness.verbs.reporting")
auditing = Later("harness.verbs.auditing")
sweeping = Later("harness.sandboxes.sweep")
assembling = Later("harness.verbs.assemble")
loading = Later("harness.verbs.loading")
settled = Later("harness.verbs.settled")

app = typer.Typer(
    name="harness",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # drawing boxes around the help takes longer than all the rest of it
    help="Measure coding agents: pass rate and cost per solved issue, with honest error bars.",
)
listing = typer.Typer(no_args_is_help=True, help="What there is to solve: list, show, pull.")
app.add_typer(listing, name="tasks")

Into = Annotated[Path | None, typer.Option(help="The run's folder.  [results/runs/<name>]")]
Select = Annotated[
    list[str] | None,
    typer.Option(help="An id or glob, repo=R, language=L, or sample:N:seed=S.  Repeat to combine."),
]
SandboxPart = Annotated[str, typer.Option("--sandbox", help="auto, docker or bubblewrap.")]
Width = Annotated[int, typer.Option(min=1, help="Attempts in flight.")]


@app.command()
def demo(
    into: Into = None,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    width: Width = 4,
    sandbox: SandboxPart = "auto",
    as_json: Json = False,
) -> None:
    """Attempt, grade and score real bugs of real packages with a recorded model.

    Example: harness demo
    """
    folder = into or RUNS / "demo"
    print(demos.SAYS, file=sys.stderr)
    asked = loading.asked(demos.experiment(repeats=repeats, width=width, sandbox=part(sandbox)))
    with demos.endpoint() as url:
        address = assembling.Address(url)
        outcome = running.work_off(running.job(asked, folder, address, quiet=as_json))
    reporting.report([folder], as_json=as_json)
    _leave(outcome, folder)


@app.command()
def run(
    file: File = None,
    tasks: Tasks = "",
    model: Annotated[
        list[str] | None, typer.Option(help="ID[,knob=value...]. Repeats; crossed.")
    ] = None,
    scaffold: Annotated[list[str] | None, typer.Option(help="NAME[,factor=value...].")] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Attempts per task and condition.")
    ] = None,
    select: Select = None,
    limit: Limit = None,
    shard: Shard = None,
    sandbox: Annotated[str | None, typer.Option(help="auto, docker or bubblewrap.")] = None,
    disk: Disk = None,
    mirror: Mirror = None,
    width: Annotated[int | None, typer.Option(min=1, help="Attempts in flight.")] = None,
    turns: Annotated[int | None, typer.Option(help="Model calls per attempt.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens per attempt.")] = None,
    usd: Annotated[float | None, typer.Option(help="Dollars per attempt.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Seconds per attempt.")] = None,
    usd_run: Annotated[float | None, typer.Option(help="Dollars for the whole run.")] = None,
    tokens_run: Annotated[int | None, typer.Option(help="Tokens for the whole run.")] = None,
    hours_run: Annotated[float | None, typer.Option(help="Hours from this start.")] = None,
    price: Annotated[list[str] | None, typer.Option(help="[MODEL:]in=..,out=..  Repeats.")] = None,
    gpu_hour: Annotated[float | None, typer.Option(help="Dollars; for a served model.")] = None,
    gpus: Annotated[int | None, typer.Option(min=1, help="That serve it.  [1]")] = None,
    stop_when: Annotated[str | None, typer.Option(help="decided: then, at a block's end.")] = None,
    seed: Annotated[int | None, typer.Option(help="Sent along, its own per attempt.")] = None,
    base_url: Annotated[str | None, typer.Option(help="The endpoint.  [OPENAI_BASE_URL]")] = None,
    api_key_env: Annotated[str | None, typer.Option(help="Variable with the key.")] = None,
    executor: Annotated[str, typer.Option(help="local, or ray: a cluster's nodes.")] = "local",
    ray_address: Annotated[str, typer.Option(help="HOST:PORT.  [RAY_ADDRESS]")] = "",
    share: Annotated[str, typer.Option(help="Ray: a URL that patches and logs go to.")] = "",
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Work off what an experiment still owes. Run it again to resume, or with more to extend.

    Example: harness run --tasks swebench-pro,file=rows.jsonl --model gpt-5 --scaffold editor
    """
    many = {"limit": limit, "shard": shard, "repeats": repeats, "width": width, "seed": seed}
    most = {"usd_run": usd_run, "tokens_run": tokens_run, "hours_run": hours_run}
    paid = {"gpu_hour": gpu_hour, "gpus": gpus, "stop_when": stop_when, **most}
    flags = many | paid | experiments.parts(tasks, model, scaffold, sandbox)
    flags["select"] = tuple(select) if select else None
    flags["prices"] = costs.priced(price) if price else None
    limits = {"turns": turns, "tokens": tokens, "usd": usd, "seconds": seconds}
    wanted = experiments.supplied(_experiment(file, flags, limits), disk, mirror)
    folder = into or RUNS / (file.stem if file else wanted.tasks.name)
    asked = loading.asked(wanted, afar=executor != "local")
    if settled.told(asked, folder, as_json=as_json):
        return
    address = assembling.Address(base_url, api_key_env)
    afar = running.afar(executor, ray_address, share, width)
    outcome = running.work_off(running.job(asked, folder, address, quiet=as_json, afar=afar))
    reporting.report([folder], as_json=as_json)
    _leave(outcome, folder)


def _experiment(file: Path | None, flags: dict[str, Any], limits: dict[str, Any]) -> Experiment:
    """The experiment of a file, of the flags, or of a file with flags over it."""
    given = {k: v for k, v in flags.items() if v is not None}
    capped = {k: v for k, v in limits.items() if v is not None}
    if file:
        wanted = replace(experiments.read(file), **given)
    else:
        for needed, flag in (
            ("tasks", "--tasks"),
            ("models", "--model"),
            ("scaffolds", "--scaffold"),
        ):
            if needed == "models" and _controls_only(given):
                given["models"] = (NO_MODEL,)
            elif needed not in given:
                raise UsageError(f"say {flag}, or name an experiment file; harness run --help")
        wanted = Experiment(**given)
    return experiments.checked(replace(wanted, limits=replace(wanted.limits, **capped)))


def _controls_only(given: dict[str, Any]) -> bool:
    scaffolds = given.get("scaffolds", ())
    return bool(scaffolds) and all(s.name in CONTROLS for s in scaffolds)


@app.command()
def grade(
    predictions: Annotated[Path, typer.Argument(help="Anyone's patches, in any known format.")],
    tasks: Tasks = "demo",
    mode: Annotated[
        str | None, typer.Option(help="strict or compat, where the grader has both.")
    ] = None,
    times: Annotated[int, typer.Option(min=1, help="Grade each patch so many times.")] = 1,
    select: Select = None,
    limit: Limit = None,
    shard: Shard = None,
    sandbox: SandboxPart = "auto",
    width: Width = 4,
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Grade patches that anyone made: SWE-bench, SWE-agent and SWE-Bench Pro formats.

    Example: harness grade preds.json --tasks swebench-pro,file=rows.jsonl --mode compat
    """
    source = part(f"{tasks},mode={mode}" if mode else tasks)
    folder = into or RUNS / f"grade-{predictions.stem}"
    wanted = Experiment(
        tasks=source,
        models=(NO_MODEL,),
        scaffolds=(part("nop"),),
        sandbox=part(sandbox),
        select=tuple(select or ()),
        limit=limit,
        shard=shard,
        repeats=times,
        width=width,
    )
    outcome = running.work_off(grading.job(wanted, predictions, folder, quiet=as_json))
    reporting.report([folder], as_json=as_json)
    _leave(outcome, folder)


@app.command()
def check(
    tasks: Tasks = "demo",
    times: Annotated[int, typer.Option(min=1, help="Tries of each control.")] = 3,
    select: Select = None,
    limit: Limit = None,
    shard: Shard = None,
    sandbox: SandboxPart = "auto",
    width: Width = 4,
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Run oracle and nop over the tasks: what nop solves or oracle does not is put in quarantine.

    Example: harness check --tasks demo --times 5
    """
    source = part(tasks)
    wanted = Experiment(
        tasks=source,
        models=(NO_MODEL,),
        scaffolds=(part("nop"),),
        sandbox=part(sandbox),
        select=tuple(select or ()),
        limit=limit,
        shard=shard,
        width=width,
    )
    folder = into or RUNS / f"check-{source.name}"
    asked = loading.asked(controls.controls(wanted, times))
    job = running.job(asked, folder, assembling.Address(), quiet=as_json)
    outcome = running.work_off(job)
    showing.reliability(job, times, as_json=as_json)
    _leave(outcome, folder)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    full: Annotated[bool, typer.Option(help="Every task, however many.")] = False,
    quarantine: Annotated[
        Path | None, typer.Option(help="A check's folder, or its list: adjusts the score.")
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Into report.html, beside the run.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="For a pull request.")] = False,
    as_json: Json = False,
) -> None:
    """Print what a run has measured: score with its interval and bounds, cost and time per solve.

    Example: harness report results/runs/demo --html
    """
    if sum((html, markdown, as_json)) > 1:
        raise UsageError("--html, --markdown and --json are three forms; choose one")
    if html:
        reporting.page(runs, fenced_by=quarantine)
    elif markdown:
        reporting.markdown(runs, fenced_by=quarantine)
    else:
        reporting.report(runs, as_json=as_json, full=full, fenced_by=quarantine)


cli_bench.add_to(app)
cli_exchange.add_to(app)
cli_price.add_to(app)
cli_images.add_to(app)
cli_plan.add_to(app, _experiment)
cli_view.add_to(app)
cli_subset.add_to(listing)
cli_doctor.add_to(app)


@app.command()
def audit(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    full: Annotated[bool, typer.Option(help="Every line of evidence.")] = False,
    as_json: Json = False,
) -> None:
    """Point at what trajectories hold: the future sought, the fix fetched, the grader probed.

    Example: harness audit results/runs/demo
    """
    auditing.audit(runs, as_json=as_json, full=full)


@listing.command("list")
def list_tasks(
    tasks: Tasks = "demo",
    select: Select = None,
    limit: Limit = None,
    shard: Shard = None,
    as_json: Json = False,
) -> None:
    """List the tasks of a source, and those that cannot be graded with their reasons.

    Example: harness tasks list --tasks swebench-pro,file=rows.jsonl --select repo=ansible/ansible
    """
    showing.tasks(part(tasks), tuple(select or ()), limit, shard, as_json=as_json)


@listing.command("show")
def show_task(
    id_: Annotated[str, typer.Argument(metavar="ID")],
    tasks: Tasks = "demo",
    as_json: Json = False,
) -> None:
    """Show one task: what a scaffold is told, and what it is graded by in numbers.

    Example: harness tasks show humanize-naturalsize-carry
    """
    showing.task(part(tasks), id_, as_json=as_json)


@listing.command("pull")
def pull_tasks(
    source: Annotated[str, typer.Argument(help="swebench-pro")] = "swebench-pro",
) -> None:
    """Fetch what a source needs from elsewhere: for swebench-pro, the official run scripts.

    Example: harness tasks pull swebench-pro
    """
    showing.pull(source)


@app.command()
def sweep(
    everything: Annotated[bool, typer.Option("--all", help="Also what living runs hold.")] = False,
    images: Annotated[bool, typer.Option("--images", help="Also images that we pulled.")] = False,
    as_json: Json = False,
) -> None:
    """Remove boxes, folders and groups that dead runs have left.

    Example: harness sweep
    """
    removed = asyncio.run(sweeping.sweep(all_=everything, images=images))
    print(json.dumps(removed) if as_json else "\n".join(removed) or "nothing was left")


def tell(line: str) -> None:
    print(f"harness: {line}", file=sys.stderr, flush=True)


def _leave(outcome: Any, folder: Path) -> None:
    if outcome.decided:
        tell(f"ended, as what it was for is decided: {outcome.decided}; {outcome.owed} left undone")
    elif outcome.owed:
        why = "the run's budget is spent" if outcome.out_of_budget else "they faulted"
        tell(f"{outcome.owed} attempts are still owed, as {why}; the same command works them off")
    raise typer.Exit(outcome.exit_code)


def main() -> None:
    """Exit codes: 0 done, 1 our bug, 2 bad request, 3 attempts owed, 4 budget, 130 interrupted."""
    try:
        app()
    except* UsageError as group:
        tell(_first(group))
        raise SystemExit(2) from None
    except* OSError as group:
        if (full := _full_disk(group)) is None:
            raise
        tell(f"the disk is full ({full}): make room, and the same command goes on from here")
        raise SystemExit(2) from None
    except* KeyboardInterrupt:
        tell("interrupted; what is settled is kept, and the same command goes on from here")
        raise SystemExit(130) from None


def _full_disk(group: BaseExceptionGroup[OSError]) -> str | None:
    """What could not be written, where the want of room is all that went wrong."""
    errors = list(_leaves(group))
    if not all(isinstance(e, OSError) and e.errno in DISK_FULL for e in errors):
        return None
    return str(getattr(errors[0], "filename", None) or errors[0])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _first(group: BaseExceptionGroup[Any]) -> str:
    return str(next(_leaves(group)))
