"""What the grader knows of one task of SWE-Bench Pro, read back from the task."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.types import Environment, Task


@dataclass(frozen=True, slots=True)
class Oracle:
    environment: Environment
    base_commit: str
    before: str
    """The last line of `before_repo_set_cmd`: it checks the hidden tests out."""
    selected: tuple[str, ...]
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    patch: bytes
    test_patch: bytes
    scripts: Path
    env: tuple[str, ...]
    """`ENV` lines of the two Dockerfiles, as they stand there."""
    network: bool

    @classmethod
    def of(cls, task: Task) -> Oracle:
        known = task.oracle
        return cls(
            environment=task.brief.environment.untouched,
            base_commit=known["base_commit"],
            before=known["before_repo_set_cmd"].strip().split("\n")[-1],
            selected=tuple(known["selected"]),
            fail_to_pass=tuple(known["fail_to_pass"]),
            pass_to_pass=tuple(known["pass_to_pass"]),
            patch=known["patch"].encode(errors="surrogatepass"),
            test_patch=known["test_patch"].encode(errors="surrogatepass"),
            scripts=Path(known["scripts"]),
            env=tuple(known["env"]),
            network=known["network"] == "open",
        )

    def script(self, name: str) -> bytes:
        """A file of the official evaluator for this task."""
        return (self.scripts / name).read_bytes()

    @property
    def selection(self) -> str:
        """What the run script takes as its one argument."""
        return ",".join(self.selected)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that each phase may take."""

    apply: float = 120.0
    setup: float = 600.0
    tests: float = 3600.0
    parse: float = 300.0


def variables(lines: Sequence[str]) -> dict[str, str]:
    """`ENV` lines as Docker reads them: `K=V` pairs, or `K` and the rest of the line.

    A reference to a variable of an earlier line is filled in; one to anything else leaves its
    whole variable out, since only the image knows the value.
    """
    known: dict[str, str] = {}
    for line in lines:
        rest = line.removeprefix("ENV").strip()
        if re.match(r"[A-Za-z_]\w*=", rest):
            pairs = [pair.partition("=")[::2] for pair in shlex.split(rest)]
        else:
            name, _, value = rest.partition(" ")
            pairs = [(name, value.strip())] if name else []
        for name, value in pairs:
            if (filled := _filled(value, known)) is not None:
                known[name] = filled
    return known


def _filled(value: str, known: dict[str, str]) -> str | None:
    names = re.findall(r"\$\{?(\w+)\}?", value)
    if any(name not in known for name in names):
        return None
    return re.sub(r"\$\{?(\w+)\}?", lambda match: known[match[1]], value)
