"""The events of a try as they happen, and the replay of an earlier one.

A reply is on disk before its commands run. While recorded replies last, commands run for real in
the fresh box but the scaffold is shown the outputs that the model saw then, so that the transcript
stays the one that was paid for; an output that differs now is counted as divergence.
"""

from __future__ import annotations

import hashlib
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from harness import codec
from harness.api import CUT_OFF, Event, Model, Sandbox, Trace
from harness.hearing import STOPPED, UNHEARD
from harness.meter import Meter
from harness.models.metered import Estimate, size, unknown
from harness.models.wires.remembered import remembered
from harness.past import Past, Told, bytes_of, text_of
from harness.queueing import QueueClock
from harness.types import ExecResult, Message, Reply, Request, Usage

_LAST_BYTES = 16 << 10
_UNREADABLE: Mapping[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        FileNotFoundError,
        IsADirectoryError,
        PermissionError,
        NotADirectoryError,
        ValueError,
    )
}
"""Answers to a read that are no machine's fault: the model asked for what is not there."""


class Journal:
    """One try being written: numbered replies and outputs, and how far the replay has come."""

    def __init__(self, trace: Trace, past: Past) -> None:
        self.trace = trace
        self.past = past
        self.calls = 0
        self.cut_off = 0
        """Calls that the attempt's end has cut off, and of which only an estimate is known."""
        self.outputs = 0
        self.replayed = 0
        self.diverged = 0
        self.model_seconds = 0.0
        self.tool_seconds = 0.0
        self.queue = QueueClock()
        self.served: dict[str, str] = {}
        self._known: set[str] = set()
        self._asked: tuple[Message, ...] = ()
        self._shown: list[str] = []
        self._hash = _hash("")

    def next_output(self) -> Event | None:
        """What the same command gave in the earlier try, if that try came so far."""
        at, self.outputs = self.outputs, self.outputs + 1
        return self.past.outputs[at] if at < len(self.past.outputs) else None

    def differs(self, what: str) -> None:
        self.diverged += 1
        self.trace.emit("diverged", {"output": self.outputs, "what": what})

    def forget(self, why: str) -> None:
        """Replay no further: what follows is new."""
        del self.past.replies[self.calls :]
        del self.past.outputs[self.outputs :]
        self.trace.emit("replay_ended", {"why": why})

    def ask(self, request: Request) -> str:
        """Write what is new in a request; return a mark of the whole of it."""
        old = _begin_alike(self._asked, request.messages)
        fresh = request.messages[old:]
        new = [_mark(message) for message in fresh]
        for mark, message in zip(new, fresh, strict=True):
            if mark not in self._known:
                self._known.add(mark)
                self.trace.emit("message", {"id": mark, "message": codec.dump(message)})
        same = old + _common(self._shown[old:], new)
        if old < len(self._shown):
            self._shown, self._hash = self._shown[:old], _hash("".join(self._shown[:old]))
        self._shown += new
        self._hash.update("".join(new).encode())
        tools = [tool.name for tool in request.tools]
        self.trace.emit(
            "request",
            {
                "n": self.calls,
                "keep": same,
                "then": self._shown[same:],
                "tools": tools,
                "seed": request.seed,
            },
        )
        self._asked = request.messages
        return self._hash.hexdigest()

    def answered(self, request: str, told: Told, *, live: bool) -> None:
        """Write a reply to the request with that mark, on disk before anyone acts on it."""
        self.calls += 1
        self.replayed += not live
        self.model_seconds += told.seconds
        self.served.update(told.reply.served)
        line = {
            "n": self.calls,
            "request": request,
            "reply": codec.dump(told.reply),
            "seconds": round(told.seconds, 6),
            "live": live,
            **({} if told.payload is None else {"payload": told.payload}),
        }
        self.trace.emit("reply", line, sync=live)

    def unheard(self, usage: Usage, seconds: float) -> None:
        """Write down what a call has come to of which no reply will be."""
        self.cut_off += usage.calls
        self.model_seconds += seconds * usage.calls
        line = {"usage": codec.dump(usage), "seconds": round(seconds, 6), "estimated": True}
        self.trace.emit("note", {"note": CUT_OFF, **line}, sync=True)

    def stopped(self, argv: list[str], output: bytes) -> None:
        """Write down the last that a command printed before the attempt's end stopped it."""
        said = text_of(output[-_LAST_BYTES:])
        self.trace.emit("note", {"note": "command_stopped", "argv": argv, "output": said})

    def facts(self) -> dict[str, Any]:
        ours = ("price_source",)
        facts: dict[str, Any] = {
            k if k in ours else f"model_{k}": v for k, v in self.served.items()
        }
        if self.cut_off:
            facts["calls_cut_off"] = self.cut_off
        if self.past.number:
            facts["continues_try"] = self.past.number
            facts["replayed_replies"] = self.replayed
            facts["diverged_outputs"] = self.diverged
        return facts


def mark_of(request: Request) -> str:
    """A mark of all that a request shows the model."""
    return _hash("".join(map(_mark, request.messages))).hexdigest()


@remembered
@lru_cache(maxsize=1 << 14)
def _mark(message: Message) -> str:
    # What is sealed stands apart, so that marks made before there was any still hold.
    return _hash(repr(message) + message.sealed).hexdigest()


def _hash(text: str) -> hashlib.blake2b:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=12)


def _begin_alike(a: tuple[Message, ...], b: tuple[Message, ...]) -> int:
    """How many messages of a talk are those of the one before it.

    Told by identity: to look at each message again would make a long talk slow. For one that has
    only grown the comparison of tuples does that, and fastest.
    """
    end = len(a)
    if a and end <= len(b) and a[-1] is b[end - 1] and a == b[:end]:
        return end
    return [*map(operator.is_, a, b), False].index(False)


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    shorter = min(len(a), len(b))
    if list(a[:shorter]) == list(b[:shorter]):
        return shorter
    return next(i for i in range(shorter) if a[i] != b[i])


class Recorded:
    """A model whose replies are written down before anyone acts on them, or read from the past."""

    def __init__(
        self,
        inner: Model,
        journal: Journal,
        meter: Meter,
        seed: int | None,
        estimate: Estimate = unknown,
    ) -> None:
        self._inner = inner
        self._journal = journal
        self._meter = meter
        self._estimate = estimate
        self._seed = seed

    async def complete(self, request: Request, /) -> Reply:
        journal = self._journal
        if self._seed is not None and request.seed is None:
            request = replace(request, seed=self._seed)
        mark = journal.ask(request)
        if told := self._told(mark):
            journal.answered(mark, told, live=False)
            self._meter.charge(told.reply.usage, live=False)
            return told.reply
        async with self._meter.run.holding(self._estimate(size(request), None)):
            started = time.monotonic()
            with journal.queue.asking() as wait, UNHEARD.by(self._unheard(started)):
                reply = await self._inner.complete(request)
            seconds = time.monotonic() - started - wait.seconds
            journal.answered(mark, Told(mark, reply, seconds), live=True)
            self._meter.charge(reply.usage, live=True)
        await journal.trace.settled()
        return reply

    def _unheard(self, started: float) -> Callable[[Usage], None]:
        waited = self._journal.queue.seconds

        def hear(usage: Usage) -> None:
            seconds = time.monotonic() - started - (self._journal.queue.seconds - waited)
            self._journal.unheard(usage, seconds)
            self._meter.unheard(usage)

        return hear

    def _told(self, mark: str) -> Told | None:
        journal = self._journal
        if journal.calls >= len(journal.past.replies):
            return None
        told = journal.past.replies[journal.calls]
        if told.request != mark:
            journal.forget("the request is not the one that was recorded")
            return None
        return told


class Watched:
    """A box whose commands and reads are written down, and compared with an earlier try's."""

    def __init__(self, inner: Sandbox, journal: Journal) -> None:
        self._inner = inner
        self._journal = journal

    async def exec(
        self,
        argv: Sequence[str],
        /,
        *,
        kill_after: float,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        keep: int = 1 << 20,
    ) -> ExecResult:
        journal, then = self._journal, self._journal.next_output()
        with STOPPED.by(lambda output: journal.stopped(list(argv), output)):
            result = await self._inner.exec(
                argv, kill_after=kill_after, env=env, stdin=stdin, keep=keep
            )
        journal.tool_seconds += result.seconds
        if then is not None:
            result = self._as_it_was(result, then, list(argv))
        journal.trace.emit(
            "exec",
            {
                "argv": list(argv),
                "exit_code": result.exit_code,
                "ended": result.ended,
                "seconds": round(result.seconds, 6),
                "omitted": result.omitted,
                "output": text_of(result.output),
            },
        )
        return result

    def _as_it_was(self, now: ExecResult, then: Event, argv: list[str]) -> ExecResult:
        if then["kind"] != "exec" or then["argv"] != argv:
            self._journal.forget("the command is not the one that was recorded")
            return now
        was = ExecResult(
            then["exit_code"],
            bytes_of(then["output"]),
            now.seconds,
            then["omitted"],
            then["ended"],
        )
        if (now.exit_code, now.output, now.ended) != (was.exit_code, was.output, was.ended):
            self._journal.differs(f"exit code {was.exit_code} then, {now.exit_code} now")
        return was

    async def read(self, path: str, /, *, limit: int = 1 << 20) -> bytes:
        journal, then = self._journal, self._journal.next_output()
        found = await self._look(path, limit)
        if then is not None:
            found = self._found_then(found, then, path)
        if isinstance(found, Exception):
            journal.trace.emit("read", {"path": path, "error": type(found).__name__})
            raise found
        journal.trace.emit("read", {"path": path, "data": text_of(found)})
        return found

    async def _look(self, path: str, limit: int) -> bytes | Exception:
        """What a read gives, or the answer that it cannot be had; a dead box still raises."""
        try:
            return await self._inner.read(path, limit=limit)
        except tuple(_UNREADABLE.values()) as error:
            return error

    def _found_then(self, now: bytes | Exception, then: Event, path: str) -> bytes | Exception:
        if then["kind"] != "read" or then["path"] != path:
            self._journal.forget("the file is not the one that was read")
            return now
        name = then.get("error")
        was = _UNREADABLE[name](path) if name else bytes_of(then["data"])
        same = name == type(now).__name__ if isinstance(now, Exception) else was == now
        if not same:
            self._journal.differs(path)
        return now if same else was

    async def write(self, path: str, data: bytes, /) -> None:
        await self._inner.write(path, data)
        self._journal.trace.emit("write", {"path": path, "bytes": len(data)})

    @property
    def facts(self) -> Mapping[str, Any]:
        return self._inner.facts
