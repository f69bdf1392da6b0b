"""The one scaffold that hosts somebody else's agent: furnish, start, watch, tidy."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from string import Template
from typing import Any

from harness.api import Endpoint, Session, Speech
from harness.errors import Fault
from harness.sandboxes.threads import unhurried
from harness.types import Brief, Ending, Environment, ExecResult
from scaffolds.external.agent import MOUNT, SCRATCH, Agent, filled
from scaffolds.external.layer import Layer, ready
from scaffolds.prompts import prompt

START_SECONDS = 600.0
"""What it may take to say its version, on a machine that has much else to do."""
TIDY_SECONDS = 30.0
_UNBOUNDED_SECONDS = 7 * 24 * 3600.0
"""The attempt's clock ends the program; unlike the box's it stands still while a call waits for a
seat at the endpoint."""
_KEPT_BYTES = 256 << 10
OWN = "has a system prompt and tools of its own"
"""What holds of every one of them."""
_FURNISH = """own=
for name in $HARNESS_NEEDS; do
    command -v "$name" >/dev/null || { echo "it needs $name, which the image lacks"; exit 1; }
done
mkdir -p "$0" && chmod 700 "$0" || exit
case "$HOME/" in
/ | // | "$PWD"/*) own=1 ;;
esac
[ -d "$HOME" ] && [ -w "$HOME" ] || own=1
[ -z "$own" ] || export HOME="$0"
if [ -n "$HARNESS_TRY_IT" ]; then
    "$@" >"$0/start" 2>&1 </dev/null || { status=$?; cat "$0/start"; exit "$status"; }
fi
[ -z "$own" ] || echo own"""
"""The image's HOME stays: tools look there for what was fetched for them (~/.cargo, ~/go, ~/.m2).
Where it is missing, locked or within the repository, the agent has one of its own.

Whether it is seen to start is told by a variable, so that the command is the same in every try: a
try that continues another does as that one did, command for command.
"""

_started: set[tuple[str, str]] = set()
"""Layers that have been seen to start, each with the image that it was."""


def external(agent: Agent, *, version: str = "", model: str = "") -> External:
    """`version` in place of the pinned one; `model`: what the agent is to think the model's name
    is, where its prompts depend on that."""
    return External(replace(agent, version=str(version or agent.version)), model)


@dataclass(frozen=True, slots=True)
class External:
    """An agent in the box, headless, with the door as its only endpoint."""

    agent: Agent
    model: str = ""
    install: Callable[[Agent], Awaitable[Layer]] = ready
    parting: float = 10.0
    """Seconds to end by itself in, once it has been told that there is no more."""
    _installed: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def speech(self) -> Speech:
        facts = {"agent": self.agent.name, "agent_version": self.agent.version, **self._installed}
        unequal = [OWN, *self.agent.unequal]
        return Speech(self.agent.wire, self.agent.refusal, {**facts, "agent_unequal": unequal})

    async def equip(self, environment: Environment, /) -> Environment:
        layer = await self.install(self.agent)
        self._installed.update(layer.facts)
        return replace(environment, mounts={**environment.mounts, str(layer.folder): MOUNT})

    async def solve(self, brief: Brief, session: Session, /) -> Ending:
        if session.door is None:
            raise Fault("scaffold", f"{self.agent.name} was given no door to ask a model through")
        layer = await self.install(self.agent)
        values = self._values(brief, session.door)
        own = {name: filled(text, values) for name, text in self.agent.env.items()}
        env = await self._furnish(brief.environment.name, layer, session, own)
        await self._configure(session, values)
        argv = [*layer.command, *(filled(word, values) for word in self.agent.argv)]
        work = session.sandbox.exec(
            argv,
            kill_after=_UNBOUNDED_SECONDS,
            env=env,
            stdin=filled(self.agent.stdin, values).encode(errors="surrogateescape"),
            keep=_KEPT_BYTES,
        )
        try:
            result = await _until_over(work, session.over, self.parting)
        finally:
            await unhurried(self._tidy(session))
        return self._ending(result, session)

    def _values(self, brief: Brief, door: Endpoint) -> Mapping[str, str]:
        task = Template(prompt("task")).substitute(
            statement=brief.statement.strip(), workdir=brief.environment.workdir
        )
        statement = f"{task}\n\n{prompt('rules')}"
        # It is put into configuration files as it stands, and the door knows which model is meant.
        model = re.sub(r"[^\w./:@+-]", "-", self.model or door.model or "model")
        names = {"url": door.url, "token": door.token, "model": model, "home": SCRATCH}
        return {**names, "statement": statement, "task": json.dumps(statement)}

    async def _furnish(
        self, image: str, layer: Layer, session: Session, env: Mapping[str, str]
    ) -> Mapping[str, str]:
        """See that it starts in this image, before anything is paid for; return its variables."""
        key, needs = (str(layer.folder), image), {"HARNESS_NEEDS": " ".join(self.agent.needs)}
        done = await session.sandbox.exec(
            ["sh", "-c", _FURNISH, SCRATCH, *layer.command, *self.agent.asked],
            kill_after=START_SECONDS,
            env={**env, **needs, **({} if key in _started else {"HARNESS_TRY_IT": "1"})},
        )
        if not done.ok:
            raise Fault("scaffold", f"{self.agent.name} does not start here: {_last_words(done)}")
        _started.add(key)
        return {**env, "HOME": SCRATCH} if done.text.strip() == "own" else env

    async def _configure(self, session: Session, values: Mapping[str, str]) -> None:
        for name, text in self.agent.files.items():
            data = filled(text, values).encode(errors="surrogateescape")
            await session.sandbox.write(f"{SCRATCH}/{name}", data)

    async def _tidy(self, session: Session) -> None:
        """Remove the agent's own files from the repository; what is tracked there stays."""
        if self.agent.litter:
            names = [name for each in self.agent.litter for name in (each, f"{each}/**")]
            patterns = [f":(glob)**/{name}" for name in names]
            argv = ["git", "-c", "safe.directory=*", "clean", "-ffdxq", "--", *patterns]
            await session.sandbox.exec(argv, kill_after=TIDY_SECONDS)

    def _ending(self, result: ExecResult | None, session: Session) -> Ending:
        if result is None:
            session.note("agent", {"ended": "killed: it went on asking when there was no more"})
            return Ending.SUBMITTED  # the door knows better
        session.note("agent", {"ended": result.ended, "exit_code": result.exit_code})
        if result.ended == "deadline":
            return Ending.TIME
        if not session.calls():
            told = f"ended without asking its model once: {_last_words(result)}"
            raise Fault("scaffold", f"{self.agent.name} {told}")
        return Ending.SUBMITTED


async def _until_over(
    command: Coroutine[Any, Any, ExecResult], over: asyncio.Event, parting: float
) -> ExecResult | None:
    """The agent's result; None where it had to be killed, some time after the door was shut."""
    work = asyncio.ensure_future(command)
    shut = asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait({work, shut}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            await asyncio.wait({work}, timeout=parting)
        return work.result() if work.done() else None
    finally:
        # A cancelled command is killed with all its processes.
        for each in (work, shut):
            each.cancel()
        await asyncio.gather(work, shut, return_exceptions=True)


def _last_words(done: ExecResult) -> str:
    how = f"exit code {done.exit_code}" if done.ended == "exit" else done.ended
    said = [line.strip() for line in done.text.splitlines() if line.strip()]
    return f"{' | '.join(said[-3:])[:600]} ({how})" if said else how
