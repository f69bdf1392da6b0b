"""One attempt at the door: who may ask with its token, what is charged, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.api import Speech, WireName
from harness.errors import Fault, LimitReached
from harness.meter import Meter
from harness.models.door.manners import Manners, wanted
from harness.models.door.upstream import Upstream
from harness.past import Told
from harness.trace import Journal
from harness.types import Ending, Request, Usage


@dataclass(slots=True)
class Guest:
    """What the door knows of an attempt."""

    upstream: Upstream
    speech: Speech
    meter: Meter
    journal: Journal
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the first answer that no later call will better."""
    end: BaseException | None = None
    """Why nothing more is answered: a limit, the run's budget, a fault, a key that is refused."""
    hurt: Exception | None = None
    """What the last call met, if it met no reply; a program may well get over it."""
    names: Counter[str] = field(default_factory=Counter)
    """How often each model was asked for, by the name that the program has for it."""
    manners: Manners = field(default_factory=Manners)
    calls: set[asyncio.Task[None]] = field(default_factory=set)
    alive_seconds: float = 15.0
    """So often a stream that has not begun says that its call still waits for its turn."""

    def sees(self, wire: WireName, payload: Mapping[str, Any]) -> None:
        """A request, before anything is done about it."""
        self.names[str(payload.get("model"))] += 1
        self.manners.see(payload, wanted(wire, self.upstream.knobs))

    def told(self, mark: str) -> Told | None:
        """What the same request was answered in an earlier try, each answer given once.

        Programs ask in parallel, so that their calls come in no order that could be relied on; what
        a reply answers is the whole conversation, which is in its mark.
        """
        waiting = self.journal.past.replies
        for at, told in enumerate(waiting):
            if told.request == mark and told.payload is not None:
                return waiting.pop(at)
        return None

    def answered(self, request: Request, told: Told, *, live: bool) -> None:
        """Write a call down, with nothing between its question and its answer, and charge it."""
        self.journal.ask(request)
        self.journal.answered(told.request, told, live=live)
        self.meter.charge(told.reply.usage, live=live)
        self.hurt = None

    def unheard(self, usage: Usage, seconds: float) -> None:
        """Charge a call that broke off: what it has come to."""
        self.journal.unheard(usage, seconds)
        self.meter.unheard(usage)

    def ends(self, why: BaseException) -> None:
        if self.end is None:
            self.end = why
            self.over.set()

    def judge(self) -> None:
        """Raise what the attempt comes to, where that is not for its scaffold to say."""
        if trouble := self.end or self.hurt:
            raise trouble

    async def leave(self) -> None:
        """Its token is void by now; what it has asked and not heard is nobody's any more."""
        calls = list(self.calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    def facts(self) -> Mapping[str, Any]:
        said = self.speech.facts
        unequal = [*(said.get("agent_unequal") or ()), *self.manners.unequal()]
        asked = {
            "agent_models": dict(self.names),
            "agent_wire": self.speech.wire,
            "agent_settings": self.manners.settings(),
            "agent_unequal": unequal,
            "agent_calls_aside": self.manners.aside,
        }
        return {**said, **{key: value for key, value in asked.items() if value}}


def met(kind: str, message: str) -> Exception:
    """What a refusal of the endpoint's means for an attempt that it is the last word of."""
    match kind:
        case "overflow":
            return LimitReached(Ending.CONTEXT)
        case "refusal":
            return LimitReached(Ending.REFUSED)
        case _:
            return Fault("model", message)
