"""The bash tool: one command in a fresh shell, one combined output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.api import Sandbox
from harness.types import ExecResult, Tool
from scaffolds.factors.output import Cut, legible

NOT_FOUND = 127
MOST_BYTES = 100_000
"""Linux takes no longer argument than 128 KiB."""


def tool(seconds: float) -> Tool:
    return Tool(
        "bash",
        "Run a command in a fresh bash shell, which starts in the repository: a changed directory "
        "or variable does not last until the next command. There is no terminal and no input. "
        f"A command is killed after {seconds:g} seconds; run servers in the background with their "
        "output sent to a file. Long output is shown in part.",
        json.dumps(
            {
                "type": "object",
                "properties": {
                    "command": {"type": "string", "description": "The command, as bash reads it."}
                },
                "required": ["command"],
            }
        ),
    )


class Shell:
    """The tool's hands in one box. Where the box has no bash, the commands go to sh."""

    def __init__(self, sandbox: Sandbox, cut: Cut, seconds: float) -> None:
        self._sandbox = sandbox
        self._cut = cut
        self._seconds = seconds
        self._shell = "bash"
        self._known = False

    async def run(self, arguments: Mapping[str, Any]) -> str:
        command = arguments["command"]
        size = len(command.encode())
        if size > MOST_BYTES:
            return f"[not run: {size} bytes of command, over {MOST_BYTES}; write it in parts]"
        result = await self._run(command)
        if result.exit_code == NOT_FOUND and not self._known and await self._lacks_bash():
            result = await self._run(command)
        return self._told(result)

    async def _run(self, command: str) -> ExecResult:
        return await self._sandbox.exec([self._shell, "-c", command], kill_after=self._seconds)

    async def _lacks_bash(self) -> bool:
        """Whether it was the shell that was not found, and not something that it was to run."""
        self._known = True
        probe = await self._sandbox.exec(["bash", "-c", ":"], kill_after=self._seconds)
        if probe.exit_code == NOT_FOUND:
            self._shell = "sh"
        return self._shell == "sh"

    def _told(self, result: ExecResult) -> str:
        output = self._cut.cut(legible(result.output).rstrip("\n"))
        status = ""
        if result.ended == "deadline":
            # The limit and not the time it took, which a replay would not find the same.
            status = f"[killed after {self._seconds:g} s]"
        elif result.ended == "lost":
            status = "[the command killed its shell]"
        elif result.exit_code or not output:
            status = f"[exit code {result.exit_code}]"
        return "\n".join(part for part in (output, status) if part)
