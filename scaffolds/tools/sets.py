"""Factor 5, the tool set: what the model may call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from harness.api import Sandbox
from harness.types import Environment, Tool
from scaffolds.factors.choice import Option
from scaffolds.factors.output import Cut
from scaffolds.prompts import prompt
from scaffolds.tools import bash, editor, submit


class Act(Protocol):
    """A tool at work in one box. It answers the model's mistakes, and raises the machine's."""

    async def run(self, arguments: Mapping[str, Any]) -> str: ...


Hands: TypeAlias = Mapping[str, Act]
"""A tool's name to what does its work. `submit` is not among them: the loop does that."""


@dataclass(frozen=True, slots=True)
class Toolset:
    names: tuple[str, ...]
    cut: Cut
    seconds: float
    """What one command may take."""

    @property
    def tools(self) -> tuple[Tool, ...]:
        known = {"bash": bash.tool(self.seconds), "editor": editor.TOOL, "submit": submit.TOOL}
        return tuple(known[name] for name in self.names)

    @property
    def ending(self) -> str:
        """What the system prompt says about handing in."""
        return prompt("submit-tool" if submit.TOOL.name in self.names else "submit-command")

    def take_up(self, sandbox: Sandbox, environment: Environment) -> Hands:
        """Fresh hands for one solve: what is remembered between calls is remembered there."""
        return {
            "bash": bash.Shell(sandbox, self.cut, self.seconds),
            "editor": editor.Editor(sandbox, self.cut, environment.workdir),
        }


TOOLS: Mapping[str, Option[tuple[str, ...]]] = {
    "bash": Option(lambda: ("bash",), "bash"),
    "bash+editor": Option(lambda: ("bash", "editor", "submit"), "bash+editor"),
}
