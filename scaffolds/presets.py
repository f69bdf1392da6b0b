"""Named points in the space of factors: one factory, and the presets as its defaults."""

from __future__ import annotations

from functools import partial

from harness.errors import UsageError
from scaffolds.factors.calls import CALLS
from scaffolds.factors.choice import Written, choose
from scaffolds.factors.context import CONTEXTS
from scaffolds.factors.output import choose_output
from scaffolds.factors.retry import RETRIES
from scaffolds.factors.written import Fenced
from scaffolds.loop import Loop
from scaffolds.prompts import prompt
from scaffolds.tools.sets import TOOLS, Toolset


def loop(
    *,
    calls: str = "native",
    retry: str = "explain:3",
    context: str = "all",
    tools: str = "bash",
    output: Written = "head-tail:10000",
    command_seconds: Written = 120,
) -> Loop:
    """The loop with each factor as written: `name` or `name:argument:argument`."""
    style = choose("calls", calls, CALLS)
    names = choose("tools", tools, TOOLS)
    if isinstance(style, Fenced) and names != ("bash",):
        raise UsageError("calls=fenced can carry no tool but bash: use calls=xml, or tools=bash")
    toolset = Toolset(names, choose_output(output), _seconds(command_seconds))
    return Loop(
        system=f"{prompt('system')}\n\n{prompt('rules')}",
        calls=style,
        retry=choose("retry", retry, RETRIES),
        context=choose("context", context, CONTEXTS),
        tools=toolset,
    )


bash = partial(loop)
bash_fenced = partial(loop, calls="fenced")
editor = partial(loop, tools="bash+editor")
editor_elide = partial(loop, tools="bash+editor", context="elide:5")


def _seconds(written: Written) -> float:
    try:
        seconds = float(written)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(
            f"command_seconds={written}: give a number of seconds above 0, such as 120"
        )
    return seconds
