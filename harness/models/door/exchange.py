"""One call of a program's: admitted, asked or replayed, written down, and only then released.

The exchange with the endpoint goes on to its end even where the program has hung up: the tokens are
spent either way, and are to be counted.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from harness.api import WireName
from harness.errors import Fault, LimitReached, Parked, UsageError
from harness.models.door import answers
from harness.models.door.bodies import Body, conversation
from harness.models.door.guest import Guest, met
from harness.models.door.upstream import Answer, Refused, passed_back
from harness.models.hire import Share
from harness.models.remains import so_far
from harness.models.wires.reading import Cut, Fold, NotAReply
from harness.models.wires.sse import Event
from harness.models.wires.table import WIRES
from harness.past import Told
from harness.trace import mark_of
from harness.types import Reply, Request, Usage

_AHEAD_CHUNKS = 256
_LAST_WORDS_SECONDS = 30.0
"""For so long a stream whose reply is complete may think about its usage."""
_ALIVE = b": keep-alive\n\n"
_EVENT = re.compile(rb".+?(?:\r\n\r\n|\n\n|\r\r|\Z)", re.DOTALL)
_STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


@dataclass(frozen=True, slots=True)
class Head:
    status: int
    headers: Mapping[str, str]


class Pipe:
    """Bytes on their way to a program, which may have stopped listening."""

    def __init__(self) -> None:
        self.head: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD_CHUNKS)
        self._deaf = asyncio.Event()
        self.broken = False
        self._ended = False

    def open(self, status: int, headers: Mapping[str, str]) -> None:
        if not self.head.done():
            self.head.set_result(Head(status, headers))

    async def put(self, chunk: bytes) -> None:
        if not self._deaf.is_set() and chunk:
            await self._chunks.put(chunk)

    async def end(self, *, broken: bool = False) -> None:
        """No more will come; `broken`: and more should have."""
        self.broken, self._ended = broken, True
        if not self._deaf.is_set():
            await self._chunks.put(None)

    def abandon(self, why: BaseException) -> None:
        """Nobody is writing any more: where the end was not said, there is none."""
        if not self.head.done():
            self.head.set_exception(why)
            self.head.exception()  # looked at, or asyncio complains where the program is gone
        self.broken = self.broken or not self._ended
        if self._chunks.full():
            self._chunks.get_nowait()
        self._chunks.put_nowait(None)

    async def _together(self) -> bytes:
        """All that has come by now, once anything has; nothing at the end."""
        if (chunk := await self._chunks.get()) is None:
            return b""
        come = [chunk]
        while not self._chunks.empty():
            if (chunk := self._chunks.get_nowait()) is None:
                self._chunks.put_nowait(None)
                break
            come.append(chunk)
        return b"".join(come)

    async def body(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._together():
                yield chunk
            if self.broken:
                raise ConnectionResetError("the endpoint cut its answer short")
        finally:
            self._deaf.set()
            while not self._chunks.empty():  # whoever waits for room need not wait any more
                self._chunks.get_nowait()


@dataclass(slots=True)
class Exchange:
    """One POST of a program to one of the paths of a wire."""

    guest: Guest
    wire: WireName
    body: Body
    headers: Mapping[str, str]
    query: str
    pipe: Pipe = field(default_factory=Pipe)
    _under_way: bool = False
    """Whether the endpoint is at work on it."""
    _deserted: bool = False
    _task: asyncio.Task[None] | None = None
    _seen: list[Event] = field(default_factory=list)
    """What it has streamed so far."""

    @property
    def streams(self) -> bool:
        return bool(self.body.payload.get("stream"))

    @property
    def _wants_usage(self) -> bool:
        options = self.body.payload.get("stream_options")
        return isinstance(options, Mapping) and bool(options.get("include_usage"))

    @property
    def _injects(self) -> bool:
        return self.wire == "chat" and self.streams and not self._wants_usage

    async def run(self) -> None:
        """Answer through the pipe, whatever happens; what the attempt comes to is the guest's."""
        guest, self._task = self.guest, asyncio.current_task()
        guest.sees(self.wire, self.body.payload)
        try:
            if guest.end is not None:
                raise guest.end
            request = conversation(self.wire, self.body.payload)
            mark = mark_of(request)
            worst = guest.upstream.quote.worst(len(self.body.text), self.body.max_output)
            async with guest.meter.holding(worst):
                if told := guest.told(mark):
                    await self._replay(request, told)
                    return
                async with guest.meter.run.holding(worst):
                    await self._live(request, mark)
        except Refused as refused:
            await self._refused(refused)
        except (LimitReached, Parked, Fault, UsageError) as end:
            guest.ends(end)
            await self._over(end)

    async def _replay(self, request: Request, told: Told) -> None:
        self.guest.answered(request, told, live=False)
        if self.streams:
            self.pipe.open(200, _STREAM)
            await self.pipe.put(answers.streamed(self.wire, told.payload, usage=self._wants_usage))
        else:
            self.pipe.open(200, {"content-type": "application/json"})
            await self.pipe.put(json.dumps(told.payload).encode())
        await self.pipe.end()

    async def _live(self, request: Request, mark: str) -> None:
        hire = self.guest.upstream.hire
        with hire.call() if hire else nullcontext() as share:
            await self._asked(request, mark, share)

    async def _asked(self, request: Request, mark: str, share: Share | None) -> None:
        guest, started, body = self.guest, time.monotonic(), self._sent()
        with guest.journal.queue.asking() as wait:

            def unheard(calls: int) -> None:
                usage = replace(self._so_far(body, share), calls=calls)
                guest.unheard(usage, time.monotonic() - started - wait.seconds)

            try:
                payload, reply, held = await self._answer(body)
            except (NotAReply, OSError, guest.upstream.Broken) as error:
                unheard(0)
                why = f"{guest.upstream.base_url}: {type(error).__name__} {error}"
                await self._cut(guest.upstream.unkeyed(why))
                return
            except asyncio.CancelledError:
                if self._under_way:
                    unheard(1)
                raise
        reply = share.priced(reply) if share else reply
        told = Told(mark, reply, time.monotonic() - started - wait.seconds, payload)
        guest.answered(request, told, live=True)
        await guest.journal.trace.settled()
        await self.pipe.put(held)
        await self.pipe.end()

    def _so_far(self, body: bytes, share: Share | None) -> Usage:
        most = 0 if self.streams else self.body.max_output or 0
        seen = so_far(WIRES[self.wire], self._seen, body, most)
        return self.guest.upstream.priced(seen, share)

    async def _answer(self, body: bytes) -> tuple[dict[str, Any], Reply, bytes]:
        """An answer, passed on but for its end: as the endpoint told it, read, and that end."""
        upstream = self.guest.upstream
        path = WIRES[self.wire].PATH + (f"?{self.query}" if self.query else "")
        async with AsyncExitStack() as held_open:
            async with self._kept_alive():
                asking = upstream.asking(path, body, self.headers, self)
                answer = await held_open.enter_async_context(asking)
            try:
                held, payload = await self._passed(answer)
                return payload, upstream.read(WIRES[self.wire], payload, body), held
            finally:
                await answer.response.aclose()

    @asynccontextmanager
    async def _kept_alive(self) -> AsyncIterator[None]:
        """While a program that streams waits for its turn, tell it so, or it gives up."""

        async def tell() -> None:
            while True:
                await asyncio.sleep(self.guest.alive_seconds)
                if not self._under_way or self.pipe.head.done():
                    self.pipe.open(200, _STREAM)
                    await self.pipe.put(_ALIVE)

        if not self.streams:
            yield
            return
        telling = asyncio.create_task(tell())
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    def sent(self) -> None:
        self._under_way = True

    def troubled(self, why: str) -> None:
        """A program that does not wait for the next try has not failed by itself."""
        self._under_way = False
        self.guest.hurt = Fault("model", why)
        if self._deserted and self._task:
            self._task.cancel()

    def desert(self) -> None:
        """The program has hung up: the call is made no more, unless it is at the endpoint."""
        self._deserted = True
        if not self._under_way and self._task:
            why = f"no answer of {self.guest.upstream.base_url} while the program waited"
            self.guest.hurt = self.guest.hurt or Fault("model", why)
            self._task.cancel()

    async def alive(self, answer: Answer, comments: bytes) -> None:
        if comments:
            self.pipe.open(200, {**passed_back(answer.response.headers), **_STREAM})
            await self.pipe.put(comments)

    def _sent(self) -> bytes:
        fields: dict[str, Any] = {"model": self.guest.upstream.model}
        if self._injects:
            options = self.body.payload.get("stream_options")
            own = dict(options) if isinstance(options, Mapping) else {}
            fields["stream_options"] = {**own, "include_usage": True}
        return self.body.with_fields(fields)

    async def _passed(self, answer: Answer) -> tuple[bytes, dict[str, Any]]:
        """Pass an answer on but for its end; that end, and the whole that it makes."""
        headers = passed_back(answer.response.headers)
        if answer.parser is None:
            self.pipe.open(200, headers)
            return answer.first, json.loads(answer.first)
        self.pipe.open(200, {**headers, **_STREAM})
        fold = WIRES[self.wire].Fold()
        held = await self._followed(answer, fold)
        payload = fold.whole()
        if payload.get("error"):
            await self.pipe.put(held)
            raise Cut(f"the stream ended in an error: {json.dumps(payload['error'])[:400]}")
        return self._trimmed(held), payload

    async def _followed(self, answer: Answer, fold: Fold) -> bytes:
        """Follow a stream to its end, all but the bytes from the reply's completion on released."""
        held, chunk = b"", answer.first
        while True:
            events, answer.events = answer.events, []
            self._seen += events
            for event in events:
                fold.add(event)
            if fold.done:
                held += chunk
            else:
                await self.pipe.put(chunk)
            more = await self._more(answer, fold)
            if more is None:
                for event in answer.events:
                    fold.add(event)
                return held
            chunk = more

    async def _more(self, answer: Answer, fold: Fold) -> bytes | None:
        """The next bytes. What goes wrong once the reply is complete takes nothing from it."""
        upstream = self.guest.upstream
        try:
            if not fold.done:
                return await upstream.next(answer)
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                return await upstream.next(answer)
        except (OSError, upstream.Broken):
            if fold.done:
                return None
            raise

    def _trimmed(self, held: bytes) -> bytes:
        """Without the chunk of usage that the program has not asked for."""
        if not self._injects:
            return held
        return b"".join(e for e in _EVENT.findall(held) if not _only_usage(e))

    async def _cut(self, why: str) -> None:
        """The answer broke off when part of it was out: the program may ask again, or may not."""
        guest = self.guest
        guest.hurt = Fault("model", why)
        guest.journal.trace.emit("note", {"note": "answer_cut", "why": why})
        if self.pipe.head.done():
            await self.pipe.end(broken=True)
        else:
            await self._say(502, why, "bad_gateway", retry=True)

    async def _refused(self, refused: Refused) -> None:
        """The endpoint's own words go to the program, which may know what to do about them."""
        guest, trouble = self.guest, refused.trouble
        guest.hurt = met(trouble.kind, trouble.message)
        guest.journal.trace.emit(
            "note", {"note": "call_refused", "why": trouble.kind, "message": trouble.message}
        )
        await self._tell(refused.status, {**refused.headers, **answers.NEVER_AGAIN}, refused.body)

    async def _over(self, end: Exception) -> None:
        message = f"nothing more is answered in this attempt: {end}"
        await self._say(self.guest.speech.refusal, message, "budget_exceeded")

    async def _say(self, status: int, message: str, code: str, *, retry: bool = False) -> None:
        headers = dict(answers.NEVER_AGAIN)
        if retry:
            del headers["x-should-retry"]
        await self._tell(status, headers, answers.error(self.wire, status, message, code))

    async def _tell(self, status: int, headers: Mapping[str, str], error: bytes) -> None:
        if self.pipe.head.done():
            error = answers.as_event(self.wire, error)
        self.pipe.open(status, headers)
        await self.pipe.put(error)
        await self.pipe.end()


def _only_usage(event: bytes) -> bool:
    data = b"".join(
        line[5:] for line in event.replace(b"\r", b"\n").split(b"\n") if line.startswith(b"data:")
    )
    try:
        chunk = json.loads(data)
    except ValueError:
        return False
    return isinstance(chunk, dict) and chunk.get("choices") == [] and bool(chunk.get("usage"))
