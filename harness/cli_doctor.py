"""`harness doctor`: what this machine can do, and what an endpoint can."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.registry import Later

assembling = Later("harness.verbs.assemble")
doctors = Later("harness.verbs.doctor")
probing = Later("harness.verbs.probing")


def add_to(app: typer.Typer) -> None:
    """Give the command line its verb."""
    app.command(name="doctor")(_doctor)


def _doctor(
    model: Annotated[
        str | None, typer.Option(help="Probe this model at its endpoint instead.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="The endpoint.  [OPENAI_BASE_URL]")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="The variable that holds its key.  [OPENAI_API_KEY]")
    ] = None,
    most_tokens: Annotated[
        int,
        typer.Option(
            min=0, help="The longest prompt sent to find the context limit. It is paid for."
        ),
    ] = 32_768,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Say what this machine can do: engines, sandboxes, limits, Python, git.

    With --model, ask a live endpoint what it can do, in some 25 calls: streaming, usage, tools,
    reasoning, seed, stop, context limit, error shapes, speed, and which scaffolds it can carry.

    Example: harness doctor --model my-model --base-url http://localhost:8000/v1
    """
    if model is None:
        doctors.examine(as_json=as_json)
    else:
        address = assembling.Address(base_url, api_key_env)
        probing.examine(model, address, most_tokens, as_json=as_json)
