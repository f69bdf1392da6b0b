"""The conditions of a page side by side, and the commands and links that lead to them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from results.report.page.findings import Card
from results.report.page.markup import Html, behind
from results.report.page.study import Study

MARGIN = 0.02
"""Of equivalence, where a command does not say."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The conditions of the page, as every card needs them."""

    cards: tuple[Card, ...]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    """Of each condition, its run's folder or file, as a command would name it."""
    study: Study | None
    """None with a single condition."""
    files: frozenset[str] = frozenset()
    """Those of the sources that are files of somebody else: no folder to report on."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """What else `report` and `compare` were asked with, each as a command would say it."""

    def name(self, i: int) -> str:
        return f"#{i + 1} {self.names[i]}"

    def command(self, i: int, more: str = "--json") -> str:
        if self.sources[i] in self.files:
            return self.comparing("--html page.html")
        return f"harness report {shlex.quote(self.sources[i])} {self._asked('report')}{more}"

    def comparing(self, more: str = "--json") -> str:
        sources = " ".join(map(shlex.quote, dict.fromkeys(self.sources)))
        wide = self.study.compared.margin if self.study else MARGIN
        margin = "" if wide == MARGIN else f"--margin {wide:g} "
        return f"harness compare {sources} {margin}{self._asked('compare')}{more}"

    def _asked(self, verb: str) -> str:
        return f"{self.flags[verb]} " if self.flags.get(verb) else ""


def tasks_link(i: int, **chosen: str) -> str:
    more = "".join(f"&{key}={quote(value, safe='')}" for key, value in chosen.items())
    return f"#tasks/c={i + 1}{more}"


def attempts_of(scene: Scene, i: int, more: str = "--json", **chosen: str) -> Html:
    """The line under a block: the attempts behind it, and the command that makes it again."""
    return behind(tasks_link(i, **chosen), scene.command(i, more))
