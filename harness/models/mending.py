"""Replies as the rest of the program may rely on them: every call has an id, and its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.models.wires.remembered import in_pieces
from harness.types import Message, Reply, Request, ToolCall


def mended(reply: Reply, request: Request) -> Reply:
    """The reply with an id of ours where the server gave none, or one that is taken.

    An answer finds its call by the id, and some servers check that across the conversation.
    """
    calls = reply.message.calls
    if not calls:
        return reply
    named = tuple(_named(calls, _ids(request.messages)))
    return reply if named == calls else _with(reply, named)


def _named(calls: tuple[ToolCall, ...], taken: list[set[str]]) -> Iterator[ToolCall]:
    own = set[str]()
    taken = [*taken, own]
    for call in calls:
        id_, at = call.id, sum(map(len, taken))
        while not id_ or any(id_ in those for those in taken):
            # Nine letters and digits: Mistral's templates take nothing else.
            id_, at = f"call{at:05d}", at + 1
        own.add(id_)
        yield replace(call, id=id_)


@in_pieces
def _ids(messages: tuple[Message, ...]) -> set[str]:
    return {call.id for message in messages for call in message.calls}


def _with(reply: Reply, calls: tuple[ToolCall, ...]) -> Reply:
    message: Message = replace(reply.message, calls=calls)
    return replace(reply, message=message)
