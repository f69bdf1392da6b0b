"""Keys of endpoints, from the environment or from a file that may change while a run lasts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

DEFAULT = "OPENAI_API_KEY"


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and where it is to be read again once the endpoint no longer takes it."""

    text: str
    name: str = ""
    file: str = ""

    def renewed(self) -> str:
        """The key as the file has it now; the same where it has none, or there is no file."""
        try:
            return in_file(Path(self.file), self.name) if self.file else self.text
        except UsageError:
            return self.text

    def news(self, known: str) -> str | None:
        """The key as it is now; None where that is the known one, or nothing to put in a header."""
        text = self.renewed()
        return text if text != known and re.fullmatch(r"[!-~]+", text) else None


def keys(names: str, file: str, variables: Mapping[str, str]) -> tuple[Key, ...]:
    """The keys that are named `A+B`, in `file` or among the variables; UsageError for none."""
    wanted = [name.strip() for name in names.split("+")]
    if file:
        return tuple(Key(in_file(Path(file), name), name, file) for name in wanted)
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
    line = rf"^\s*(?:export\s+)?{re.escape(name)}\s*=\s*(['\"]?)(.*?)\1\s*$"
    if found := re.search(line, text, re.MULTILINE):
        return found[2]
    alone = text.split()
    if len(alone) != 1 or "=" in alone[0].rstrip("="):
        raise UsageError(f"api_key_file {path}: neither a key alone nor a line {name}=key")
    return alone[0]
