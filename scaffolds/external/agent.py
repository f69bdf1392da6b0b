"""What has to be known of somebody else's agent to install it, start it and stop it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template
from typing import Literal

from harness.api import WireName
from harness.errors import UsageError

MOUNT = "/opt/harness-agent"
"""Where an agent's layer lies in every box, read-only."""
SCRATCH = "/tmp/harness-agent"
"""Its own folder in the box: made for the attempt, outside the repository, gone with the box."""


@dataclass(frozen=True, slots=True)
class Agent:
    """Texts are templates: `$url`, `$token`, `$model`, `$home` for `SCRATCH`; `$statement`, or in
    JSON `$task`."""

    name: str
    registry: Literal["npm", "pypi"]
    package: str
    version: str
    wire: WireName
    program: str
    """npm: a file below `node_modules`, run by Node if it is JavaScript (`$cpu` is `x64` or
    `arm64`, `$machine` is `x86_64` or `aarch64`). PyPI: the module that `python -m` runs."""
    argv: tuple[str, ...]
    stdin: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """What is written before it starts, by path below `$home`: its configuration."""
    also: tuple[str, ...] = ()
    """Requirements that its package forgets to name."""
    from_source: tuple[str, ...] = ()
    """Of what it needs, the packages that have no wheel: pip runs their setup to build them."""
    pythons: tuple[str, ...] = ("3.12", "3.11")
    """The interpreters that it runs on, best first; the first that this machine has is carried."""
    needs: tuple[str, ...] = ()
    """Programs of the image that it can do nothing without: their lack is no measurement."""
    asked: tuple[str, ...] = ("--version",)
    """What shows that it starts, and asks no model."""
    refusal: int = 402
    """The HTTP status at which it stops when a budget is at its end."""
    litter: tuple[str, ...] = ()
    """git's patterns of the files that it leaves in the repository for itself: not in the patch."""
    unequal: tuple[str, ...] = ()
    """What a comparison with another scaffold has to bear with. Goes into each record."""

    @property
    def runs_node(self) -> bool:
        return self.registry == "npm" and self.program.endswith((".js", ".mjs", ".cjs"))


def filled(text: str, values: Mapping[str, str]) -> str:
    """A template with its values; a statement that holds a `$` is left as it is."""
    try:
        return Template(text).substitute(values)
    except (KeyError, ValueError) as error:
        raise UsageError(f"an agent's template {text!r} is wrong: {error}") from error
