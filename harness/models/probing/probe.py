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
MOST_TOKENS = 32_768
"""The longest prompt that is sent to find the context limit where no error tells it for less."""


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
    native, results = by["native tool calls"], by["tool results"]
    if results.answer == "no":
        why = "tool results are refused"
        return [
            Finding("presets bash, editor, editor-elide", "no", why),
            Finding("preset bash-fenced, calls=xml", "yes", "they need nothing but text"),
        ]
    if native.answer == "yes":
        said = Finding("presets bash, editor, editor-elide", "yes", "native tool calls work")
    else:
        asked = "the model made no call when asked to; calls=xml or bash-fenced need only text"
        said = Finding("presets bash, editor, editor-elide", "unclear", asked)
    return [said, Finding("preset bash-fenced, calls=xml", "yes", "they need nothing but text")]
