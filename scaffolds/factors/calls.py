"""Factor 1, the tool-call structure: native calls, one fenced block, or XML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.types import Message, Reply, Request, Tool
from scaffolds.factors.choice import Option
from scaffolds.factors.turns import (
    CUT,
    Call,
    CallStyle,
    Malformed,
    Read,
    Slip,
    Turn,
    check,
    complain,
    harmless,
)
from scaffolds.factors.written import Fenced, Xml
from scaffolds.prompts import prompt

NO_CALL = "Your reply called no tool. Every reply must call one; call submit when you are done."
NOT_RUN = "Not run: another call in the same reply was malformed."


@dataclass(frozen=True, slots=True)
class Native:
    """The provider's own tool calls.

    Every call of a reply is answered under its id, the bad ones too: servers refuse a
    conversation in which one is not.
    """

    def instructions(self, tools: Sequence[Tool]) -> str:
        return prompt("calls-native")

    def request(self, view: Sequence[Message], tools: Sequence[Tool]) -> Request:
        return Request(tuple(view), tuple(tools))

    def read(self, reply: Reply, tools: Sequence[Tool]) -> Read:
        said = harmless(reply.message)
        if reply.finish == "length":
            return _refuse(said, CUT, dict.fromkeys(range(len(said.calls)), CUT))
        if not said.calls:
            return _refuse(said, NO_CALL, {})
        calls: list[Call] = []
        complaints: dict[int, str] = {}
        for place, call in enumerate(reply.message.calls):
            try:
                calls.append(check(call, tools))
            except Malformed as error:
                complaints[place] = str(error)
        if complaints:
            return _refuse(said, " ".join(complaints.values()), complaints)
        return Turn(said, tuple(calls))

    def answer(self, outputs: Sequence[tuple[Call, str]]) -> tuple[Message, ...]:
        return tuple(Message("tool", output, call_id=call.id) for call, output in outputs)


def _refuse(said: Message, complaint: str, at: Mapping[int, str]) -> Slip:
    """A slip whose complaints stand where the answers would, or in a message of their own."""
    if not said.calls:
        return complain(said, complaint)
    told = (
        Message("tool", at.get(place, NOT_RUN), call_id=call.id)
        for place, call in enumerate(said.calls)
    )
    return Slip(complaint, (said, *told))


CALLS: Mapping[str, Option[CallStyle]] = {
    "native": Option(Native, "native"),
    "fenced": Option(Fenced, "fenced"),
    "xml": Option(Xml, "xml"),
}
