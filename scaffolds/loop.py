"""The agent loop. There is one; scaffolds differ only in the parts given to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from string import Template

from harness.api import Session
from harness.errors import LimitReached
from harness.types import Brief, Ending, Message, Reply
from scaffolds.factors.context import ContextPolicy
from scaffolds.factors.retry import RetryPolicy
from scaffolds.factors.turns import CallStyle, Slip, Turn
from scaffolds.prompts import prompt
from scaffolds.tools.sets import Hands, Toolset
from scaffolds.tools.submit import submits


@dataclass(frozen=True, slots=True)
class Loop:
    """Ask, act, tell, until the model submits. What a solve remembers lives in `Conversation`."""

    system: str
    calls: CallStyle
    retry: RetryPolicy
    context: ContextPolicy
    tools: Toolset

    async def solve(self, brief: Brief, session: Session, /) -> Ending:
        talk = Conversation(self, session, self.context, self._opening(brief))
        hands = self.tools.take_up(session.sandbox, brief.environment)
        slips = 0
        while True:
            reply = await talk.ask()
            if reply.finish == "refusal":
                return Ending.REFUSED
            match self.calls.read(reply, self.tools.tools):
                case Slip() as slip:
                    slips += 1
                    session.note("slip", {"complaint": slip.complaint, "in_a_row": slips})
                    kept = self.retry.after(slip, slips)
                    if kept is None:
                        return Ending.GAVE_UP
                    talk.transcript += kept
                case Turn() as turn:
                    slips = 0
                    if await self._act(turn, hands, talk):
                        return Ending.SUBMITTED

    async def _act(self, turn: Turn, hands: Hands, talk: Conversation) -> bool:
        """Run a turn's calls in order; True where one of them hands in the work."""
        outputs = []
        for call in turn.calls:
            if submits(call):
                return True
            outputs.append((call, await hands[call.name].run(call.arguments)))
        talk.transcript += (turn.said, *self.calls.answer(outputs))
        return False

    def _opening(self, brief: Brief) -> list[Message]:
        system = f"{self.system}\n\n{self.calls.instructions(self.tools.tools)}"
        task = Template(prompt("task")).substitute(
            statement=brief.statement.strip(), workdir=brief.environment.workdir
        )
        return [Message("system", f"{system}\n\n{self.tools.ending}"), Message("user", task)]


@dataclass(slots=True)
class Conversation:
    """A transcript that only grows, and the policy that says what of it is shown."""

    loop: Loop
    session: Session
    context: ContextPolicy
    transcript: list[Message]
    prompt_tokens: int = field(default=0, init=False)
    """The size of the last request, as the endpoint counted it."""

    async def ask(self) -> Reply:
        """The model's next reply. A full window is an ending only once the policy cannot shrink."""
        if self.context.full(self.prompt_tokens):
            await self._shrink("due")
        calls, tools = self.loop.calls, self.loop.tools.tools
        while True:
            request = calls.request(self.context.view(self.transcript), tools)
            try:
                reply = await self.session.model.complete(request)
            except LimitReached as limit:
                if limit.ending is not Ending.CONTEXT or not await self._shrink("overflow"):
                    raise
            else:
                self.prompt_tokens = reply.usage.prompt
                return reply

    async def _shrink(self, why: str) -> bool:
        smaller = await self.context.shrink(self.transcript, self.session.model)
        if smaller is None:
            return False
        self.context = smaller
        shown = len(smaller.view(self.transcript))
        messages = len(self.transcript)
        self.session.note("context_shrunk", {"why": why, "messages": messages, "shown": shown})
        return True
