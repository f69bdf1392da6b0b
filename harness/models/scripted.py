"""A model that says what it is told. For tests and dry runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.types import Message, Reply, Request, ToolCall, Usage


class Scripted:
    """Give these replies in order, raising those that are exceptions; then only submit."""

    def __init__(self, replies: Sequence[Reply | Exception]) -> None:
        self._replies = list(replies)
        self.requests: list[Request] = []
        """Every request that came, in order."""

    async def complete(self, request: Request, /) -> Reply:
        self.requests.append(request)
        at = len(self.requests) - 1
        reply = self._replies[at] if at < len(self._replies) else says("submit", at=at)
        if isinstance(reply, Exception):
            raise reply
        return reply


def says(command: str, *, thought: str = "", at: int = 0) -> Reply:
    """A reply that calls the bash tool with `command`."""
    call = ToolCall(f"call_{at}", "bash", json.dumps({"command": command}))
    return Reply(
        Message("assistant", thought, (call,)), Usage(1, 10, output=5, usd=0.01), "tool_calls"
    )


def from_file(*, file: str) -> Scripted:
    """A script from a JSON file: a list of commands for the bash tool."""
    try:
        commands = json.loads(Path(file).read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: not a JSON list of commands: {error}") from None
    if not isinstance(commands, list) or not all(isinstance(c, str) for c in commands):
        raise UsageError(f"{file}: not a JSON list of commands")
    return Scripted([says(command, at=at) for at, command in enumerate(commands)])
