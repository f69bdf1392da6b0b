"""The whole probe: every question in turn, and what the findings mean for a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeAlias

from harness.models.openai import Endpoint
from harness.models.probing import questions
from harness.models.probing.asking import Asker, Finding

Question: TypeAlias = Callable[[Asker], Awaitable[list[Finding]]]


def plan(most_tokens: int) -> Mapping[str, Question]:
    """The questions by what they are about, in their order."""
    return {
        "reachable": questions.reachable,
        "answers": questions.answers,
        "prompt cache": questions.caching,
        "streaming": questions.streaming,
        "tools": questions.tools,
        "reasoning": questions.reasoning,
        "seed": questions.seeds,
        "stop": questions.stops,
        "errors": questions.errors,
        "other wires": questions.wires,
        "context limit": partial(questions.window, most=most_tokens),
    }


QUESTIONS = len(plan(0))
_NATIVE = "presets bash, editor, editor-elide"


async def probe(
    model: str,
    endpoint: Endpoint,
    most_tokens: int,
    on: Callable[[str], AbstractContextManager[None]],
) -> list[Finding]:
    """All findings. Each question is asked within `on(it)`. UsageError where nobody answers."""
    found: list[Finding] = []
    async with Asker(model, endpoint) as ask:
        for about, question in plan(most_tokens).items():
            with on(about):
                found += await question(ask)
    return [*found, *presets(found)]


def presets(found: Iterable[Finding]) -> list[Finding]:
    """Which of the built-in scaffolds the endpoint can carry."""
    by = {finding.question: finding for finding in found}
    if by["tool results"].answer == "no":
        native = Finding(_NATIVE, "no", "tool results are refused")
    elif by["native tool calls"].answer == "yes":
        native = Finding(_NATIVE, "yes", "native tool calls work")
    else:
        asked = "the model made no call when asked to; calls=xml or bash-fenced need only text"
        native = Finding(_NATIVE, "unclear", asked)
    written = Finding("preset bash-fenced, calls=xml", "yes", "they need nothing but text")
    return [native, written]
