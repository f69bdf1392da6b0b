"""Replies as the rest of the program may rely on them: every call has an id, and its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from harness.models.wires.remembered import growing
from harness.types import Message, Reply, Request, ToolCall


def mended(reply: Reply, request: Request) -> Reply:
    """The reply with an id of ours where the server gave none, or one that is taken.

    An answer finds its call by the id, and some servers check that across the conversation.
    """
    calls = reply.message.calls
    if not calls:
        return reply
    taken = set(chain.from_iterable(_ids(request.messages)))
    named = tuple(_named(calls, taken))
    return reply if named == calls else _with(reply, named)


def _named(calls: tuple[ToolCall, ...], taken: set[str]) -> Iterator[ToolCall]:
    for call in calls:
        id_, at = call.id, len(taken)
        while not id_ or id_ in taken:
            # Nine letters and digits: Mistral's templates take nothing else.
            id_, at = f"call{at:05d}", at + 1
        taken.add(id_)
        yield replace(call, id=id_)


def _of_calls(message: Message) -> tuple[str, ...]:
    return tuple(call.id for call in message.calls)


_ids = growing(_of_calls)


def _with(reply: Reply, calls: tuple[ToolCall, ...]) -> Reply:
    message: Message = replace(reply.message, calls=calls)
    return replace(reply, message=message)
