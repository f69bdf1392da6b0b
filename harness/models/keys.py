"""Keys of endpoints, from the environment, a file or a command that may have another one later."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from harness.errors import UsageError

T = TypeVar("T")
DEFAULT = "OPENAI_API_KEY"
_COMMAND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and where it is to be had again once the endpoint no longer takes it."""

    text: str
    name: str = ""
    file: str = ""
    command: str = ""

    def renewed(self) -> str:
        """The key as its file or command has it now; the same where it has none of them."""
        try:
            if self.command:
                return by_command(self.command, self.name)
            return in_file(Path(self.file), self.name) if self.file else self.text
        except UsageError:
            return self.text


class Kept:
    """A key as it is now. Of many that are refused together, one has it read again."""

    def __init__(self, key: Key) -> None:
        self.text = key.text
        self._key = key
        self._reading = asyncio.Lock()

    async def using(self, call: Callable[[], Awaitable[T]], refused: type[Exception]) -> T:
        """What `call` returns, made once more with another key where there is one by now."""
        used = self.text
        try:
            return await call()
        except refused:
            if not await self._changed(used):
                raise
        return await call()

    async def _changed(self, used: str) -> bool:
        if not (self._key.file or self._key.command):
            return False
        async with self._reading:
            if self.text == used:
                now = await asyncio.to_thread(self._key.renewed)
                # Nothing else can be put into a header.
                self.text = now if re.fullmatch(r"[!-~]+", now) else used
            return self.text != used


@dataclass(frozen=True, slots=True)
class Source:
    """Where keys are that are named `A+B`: among the variables, in a file, or told by a command."""

    names: str
    file: str = ""
    command: str = ""

    def keys(self, variables: Mapping[str, str]) -> tuple[Key, ...]:
        """UsageError where one is missing."""
        wanted = [name.strip() for name in self.names.split("+")]
        if self.file and self.command:
            raise UsageError("api_key_file and api_key_command: give the one or the other")
        if self.command:
            return tuple(Key(_at_first(self.command, n), n, command=self.command) for n in wanted)
        if self.file:
            return tuple(Key(in_file(Path(self.file), n), n, self.file) for n in wanted)
        for name in wanted:
            if not variables.get(name) and name != DEFAULT:
                raise UsageError(f"--api-key-env {name}: there is no such variable")
        return tuple(Key(variables.get(name, ""), name) for name in wanted)


def in_file(path: Path, name: str) -> str:
    """The key in a file of lines `NAME=key`, or in one that holds nothing else."""
    try:
        text = path.expanduser().read_text()
    except (OSError, ValueError) as error:
        raise UsageError(f"api_key_file {path}: {error}") from None
    return _among(text, name, f"api_key_file {path}")


def by_command(command: str, name: str) -> str:
    """The key in what a shell's command prints, in the same forms. What it prints is not shown."""
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"api_key_command: {type(error).__name__}") from None
    if done.returncode:
        raise UsageError(f"api_key_command ends with exit code {done.returncode}; run it by hand")
    return _among(done.stdout, name, "what api_key_command prints")


@cache
def _at_first(command: str, name: str) -> str:
    """The same for all who ask before the endpoint has refused one."""
    return by_command(command, name)


def _among(text: str, name: str, where: str) -> str:
    line = rf"^\s*(?:export\s+)?{re.escape(name)}\s*=\s*(['\"]?)(.*?)\1\s*$"
    if found := re.search(line, text, re.MULTILINE):
        return found[2]
    alone = text.split()
    if len(alone) != 1 or "=" in alone[0].rstrip("="):
        raise UsageError(f"{where}: neither a key alone nor a line {name}=key")
    return alone[0]
