"""Factor 4, the output cut: how much of what a tool printed the model is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from scaffolds.factors.choice import Option, Written, choose

_TERMINAL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # window titles, links
    r"|[ -/]*[0-~])"
)


class Cut(Protocol):
    def cut(self, text: str) -> str:
        """The text, or its parts with a remark on what was left out."""
        ...


@dataclass(frozen=True, slots=True)
class Uncut:
    def cut(self, text: str) -> str:
        return text


@dataclass(frozen=True, slots=True)
class Ends:
    """So many characters of the head and of the tail."""

    head_chars: int
    tail_chars: int

    def cut(self, text: str) -> str:
        over = len(text) - self.head_chars - self.tail_chars
        if over <= 0:
            return text
        head, tail = text[: self.head_chars], text[len(text) - self.tail_chars :]
        return "\n".join(
            part for part in (head, f"[... {over} characters left out ...]", tail) if part
        )


def head_tail(chars: int = 10_000) -> Cut:
    return Ends(_positive(chars) - chars // 2, chars // 2)


def head(chars: int = 10_000) -> Cut:
    return Ends(_positive(chars), 0)


def tail(chars: int = 10_000) -> Cut:
    return Ends(0, _positive(chars))


def _positive(chars: int) -> int:
    if chars < 1:
        raise ValueError(f"{chars} characters would show nothing")
    return chars


OUTPUTS: Mapping[str, Option[Cut]] = {
    "head-tail": Option(head_tail, "head-tail:10000", (int,)),
    "head": Option(head, "head:10000", (int,)),
    "tail": Option(tail, "tail:10000", (int,)),
    "all": Option(Uncut, "all"),
}


def choose_output(written: Written) -> Cut:
    """As any factor is chosen, but that a number alone means head-tail."""
    alone = str(written).lstrip("-").isdigit()
    return choose("output", f"head-tail:{written}" if alone else written, OUTPUTS)


def legible(output: bytes) -> str:
    """What a command printed as text that a model may be sent."""
    return _TERMINAL.sub("", output.decode(errors="replace")).replace("\0", "")
