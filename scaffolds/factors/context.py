"""Factor 3, the context policy: what the model is shown of a transcript that only grows.

A policy is a frozen value; one that has to show less from now on returns its successor.
Every view begins with the system prompt and the task, and cuts only between turns, so that no
answer stands without its call, and no call without its answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from harness.api import Model
from harness.errors import LimitReached
from harness.types import Ending, Message, Request
from scaffolds.factors.choice import Option
from scaffolds.prompts import prompt

DROPPED = "[Earlier turns of your work are no longer shown; their effects on the files remain.]"
RENDERED_CHARS = 1000
"""What a message is cut to for the summariser when the whole would not fit."""


class ContextPolicy(Protocol):
    def view(self, transcript: Sequence[Message]) -> Sequence[Message]: ...

    def full(self, prompt_tokens: int) -> bool:
        """Whether to shrink before the next request, given the size of the last one."""
        ...

    async def shrink(self, transcript: Sequence[Message], model: Model) -> ContextPolicy | None:
        """A policy that shows less of this transcript; None where there is nothing to drop."""
        ...


@dataclass(frozen=True, slots=True)
class Everything:
    def view(self, transcript: Sequence[Message]) -> Sequence[Message]:
        return transcript

    def full(self, prompt_tokens: int) -> bool:
        return False

    async def shrink(self, transcript: Sequence[Message], model: Model) -> ContextPolicy | None:
        return None


@dataclass(frozen=True, slots=True)
class LastTurns:
    """The task and the last few turns."""

    keep: int = 20

    def __post_init__(self) -> None:
        _at_least_one(self.keep)

    def view(self, transcript: Sequence[Message]) -> Sequence[Message]:
        starts = _turns(transcript)
        if len(starts) <= self.keep:
            return transcript
        return (*_opening(transcript, DROPPED), *transcript[starts[-self.keep] :])

    def full(self, prompt_tokens: int) -> bool:
        return False

    async def shrink(self, transcript: Sequence[Message], model: Model) -> ContextPolicy | None:
        keep = min(self.keep, len(_turns(transcript))) // 2
        return replace(self, keep=keep) if keep else None


@dataclass(frozen=True, slots=True)
class ElideOld:
    """Everything, with all but the last few turns' outputs left out.

    It costs the prompt cache from the first output that was still there one turn ago.
    """

    keep: int = 5

    def __post_init__(self) -> None:
        _at_least_one(self.keep)

    def view(self, transcript: Sequence[Message]) -> Sequence[Message]:
        starts = _turns(transcript)
        if len(starts) <= self.keep:
            return transcript
        old = starts[-self.keep]
        return (
            *_opening(transcript),
            *map(_elided, transcript[starts[0] : old]),
            *transcript[old:],
        )

    def full(self, prompt_tokens: int) -> bool:
        return False

    async def shrink(self, transcript: Sequence[Message], model: Model) -> ContextPolicy | None:
        keep = min(self.keep, len(_turns(transcript))) // 2
        return replace(self, keep=keep) if keep else None


@dataclass(frozen=True, slots=True)
class Summarise:
    """The task, the model's own summary of what came before, and the recent turns.

    Due when the last request exceeded a share of the window. The summary is asked of the same
    model, and paid for like any other call; it stands in the task's message, since some chat
    templates refuse two messages of one role in a row.
    """

    share: float = 0.7
    window: int = 128_000
    keep: int = 4
    summary: str = ""
    covered: int = 0
    """How many messages of the transcript the summary stands for."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"{self.share} is no share of the window: give 0 < share <= 1")
        _at_least_one(self.window)
        _at_least_one(self.keep)

    def view(self, transcript: Sequence[Message]) -> Sequence[Message]:
        if not self.covered:
            return transcript
        told = f"{prompt('summary')}\n\n{self.summary}"
        return (*_opening(transcript, told), *transcript[self.covered :])

    def full(self, prompt_tokens: int) -> bool:
        return prompt_tokens > self.share * self.window

    async def shrink(self, transcript: Sequence[Message], model: Model) -> ContextPolicy | None:
        upto = self._boundary(transcript)
        if upto is None:
            return None
        for most_chars in (None, RENDERED_CHARS):
            try:
                reply = await model.complete(self._request(transcript, upto, most_chars))
            except LimitReached as limit:
                if limit.ending is not Ending.CONTEXT:
                    raise
            else:
                # An empty summary still makes room; not to take it would ask for one every turn.
                summary = reply.message.content.strip() or "(none was given)"
                return replace(self, summary=summary, covered=upto)
        return None

    def _boundary(self, transcript: Sequence[Message]) -> int | None:
        """The end of what to summarise: fewer turns are kept where few have come since."""
        starts = [start for start in _turns(transcript) if start >= self.covered]
        keep = self.keep
        while keep and len(starts) < 2 * keep:
            keep //= 2
        if not starts:
            return None
        return starts[-keep] if keep else len(transcript)

    def _request(self, transcript: Sequence[Message], upto: int, most_chars: int | None) -> Request:
        """The work so far as plain text: a request with calls in it would have to offer tools."""
        turns = _turns(transcript)
        rest = transcript[max(self.covered, turns[0]) : upto]
        told = (_rendered(m, most_chars) for m in (*self._so_far(transcript), *rest))
        asked = f"{chr(10).join(told)}\n\n{prompt('summarise-now')}"
        return Request((Message("system", prompt("summarise")), Message("user", asked)))

    def _so_far(self, transcript: Sequence[Message]) -> Sequence[Message]:
        added = f"{prompt('summary')}\n\n{self.summary}" if self.covered else ""
        return [m for m in _opening(transcript, added) if m.role == "user"]


def _turns(transcript: Sequence[Message]) -> list[int]:
    """Where each turn begins: a reply, then all that was said to it."""
    return [place for place, message in enumerate(transcript) if message.role == "assistant"]


def _opening(transcript: Sequence[Message], added: str = "") -> Sequence[Message]:
    """The system prompt and the task, with a remark at the task's end."""
    turns = _turns(transcript)
    *first, task = transcript[: turns[0]] if turns else transcript
    told = f"{task.content}\n\n{added}" if added else task.content
    return (*first, replace(task, content=told))


@lru_cache(maxsize=1 << 12)  # or each view of a long talk would make all of them anew
def _elided(message: Message) -> Message:
    note = f"[output of {len(message.content)} characters left out; run it again if it matters]"
    if message.role == "assistant" or len(message.content) <= len(note):
        return message
    return replace(message, content=note)


def _rendered(message: Message, most_chars: int | None) -> str:
    calls = "".join(f"\n[calls {call.name} {call.arguments}]" for call in message.calls)
    text = f"{message.content}{calls}"
    if most_chars is not None and len(text) > most_chars:
        text = f"{text[:most_chars]} [...]"
    return f"<{message.role}>\n{text}\n</{message.role}>"


def _at_least_one(number: int) -> None:
    if number < 1:
        raise ValueError(f"{number} is not at least 1")


CONTEXTS: Mapping[str, Option[ContextPolicy]] = {
    "all": Option(Everything, "all"),
    "last-n": Option(LastTurns, "last-n:20", (int,)),
    "elide": Option(ElideOld, "elide:5", (int,)),
    "summarise": Option(Summarise, "summarise:0.7:128000", (float, int, int)),
}
