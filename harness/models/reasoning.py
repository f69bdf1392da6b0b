"""What of its earlier thoughts a model is given back: a factor, since models differ in which helps.

`keep`: all of them, each in the form in which it came. `turn`: those since the user last spoke, as
several providers do by themselves. `drop`: none, nor what is sealed with them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from harness.types import Message, Request

POLICIES = ("keep", "turn", "drop")


def given_back(request: Request, policy: str) -> Request:
    """The request with as much of the model's thoughts as the policy leaves."""
    if policy == "keep":
        return request
    last = len(request.messages) if policy == "drop" else _last_of_user(request)
    shown = (_plain(m) if at < last else m for at, m in enumerate(request.messages))
    return replace(request, messages=tuple(shown))


def _last_of_user(request: Request) -> int:
    places = (at for at, message in enumerate(request.messages) if message.role == "user")
    return max(places, default=0)


@lru_cache(maxsize=1 << 14)
def _plain(message: Message) -> Message:
    if not message.reasoning and not message.sealed:
        return message
    return replace(message, reasoning=None, sealed="")
