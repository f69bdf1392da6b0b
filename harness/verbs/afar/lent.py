"""What an attempt works with on another machine: a past, a budget and a box, all the driver's.

`attempt.py` cannot tell them from those of a run on one machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from harness.api import Event, Trace
from harness.errors import UsageError
from harness.executors.mail import Charged, Kept, Line, Opened, Order, Outbox
from harness.limits import RunLimits
from harness.meter import RunMeter
from harness.types import Attempt, Usage
from results.share import Share
from results.traces import Clock, event_line


class LentArchive:
    """Implements Archive and Trace: the past came with the order, what is new goes to the driver.

    An event is on its way when `emit` returns. `settled` waits until what had to survive does.
    With a share, blobs go there, and what is emitted after one leaves once it is there.
    """

    def __init__(self, order: Order, outbox: Outbox, share: Share | None = None) -> None:
        self._order = order
        self._outbox = outbox
        self._share = share
        self._synced = 0
        self._clock = Clock()
        self._uploads: set[asyncio.Task[str]] = set()
        self._held: deque[Opened | Line] = deque()
        self._failed: UsageError | None = None

    def keep(self, data: bytes, /) -> str:
        if self._share is None:
            self._outbox.put(Kept(data))
        else:
            upload = asyncio.create_task(asyncio.to_thread(self._share.keep, data))
            self._uploads.add(upload)
            upload.add_done_callback(self._uploaded)
        return hashlib.sha256(data).hexdigest()

    def fetch(self, digest: str, /) -> bytes:
        return self._order.blobs[digest]

    def tries(self, attempt: Attempt, /) -> int:
        return self._order.tries

    def events(self, attempt: Attempt, number: int, /) -> Iterator[Event]:
        sealed = self._order.past.get(number, b"").split(b"\n")[:-1]
        return map(json.loads, sealed)

    @contextmanager
    def trace(self, attempt: Attempt, number: int, /) -> Iterator[Trace]:
        self._clock = Clock()
        self._send(Opened(attempt, number))
        yield self

    def emit(self, kind: str, data: Mapping[str, Any], /, *, sync: bool = False) -> None:
        self._send(Line(self._order.attempt, event_line(kind, self._clock.seconds, data), sync))

    async def settled(self) -> None:
        """UsageError where the share does not take what is brought to it."""
        while self._uploads:
            await asyncio.wait(set(self._uploads))
        if self._failed:
            raise self._failed
        await self._outbox.kept(self._synced)

    def _send(self, notice: Opened | Line) -> None:
        self._held.append(notice)
        self._flush()

    def _flush(self) -> None:
        while self._held and not self._uploads and not self._failed:
            notice = self._held.popleft()
            number = self._outbox.put(notice)
            if isinstance(notice, Line) and notice.sync:
                self._synced = number

    def _uploaded(self, upload: asyncio.Task[str]) -> None:
        self._uploads.discard(upload)
        if not upload.cancelled() and (error := upload.exception()) and self._share:
            self._failed = UsageError(f"--share {self._share.url} takes nothing: {error}")
        self._flush()


class NodeBook:
    """Implements Book for as long as a worker lives: what this node has graded.

    In memory, so that nothing stays behind of a worker that is killed. Beyond `most` bytes what
    was asked for longest ago is forgotten.
    """

    def __init__(self, most: int = 256 << 20) -> None:
        self._most = most
        self._size = 0
        self._pages: OrderedDict[str, bytes] = OrderedDict()

    def recall(self, key: str, /) -> bytes | None:
        if key in self._pages:
            self._pages.move_to_end(key)
        return self._pages.get(key)

    def remember(self, key: str, data: bytes, /) -> None:
        self._size += len(data) - len(self._pages.pop(key, b""))
        self._pages[key] = data
        while self._size > self._most:
            self._size -= len(self._pages.popitem(last=False)[1])

    def keep(self, data: bytes, /) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.remember(digest, data)
        return digest

    def fetch(self, digest: str, /) -> bytes:
        data = self.recall(digest)
        if data is None:
            raise UsageError(f"{digest} is forgotten")
        return data


class LentMeter(RunMeter):
    """The run's budget: what is spent is told the driver, who alone knows what is left."""

    def __init__(self, outbox: Outbox, *, limited: bool) -> None:
        super().__init__(RunLimits())
        self._outbox = outbox
        self._limited = limited

    @asynccontextmanager
    async def holding(self, worst: Usage) -> AsyncIterator[None]:
        if not self._limited:
            yield
            return
        async with self._outbox.lease(Admission(worst)):
            yield

    def charge(self, usage: Usage) -> None:
        super().charge(usage)
        self._outbox.put(Charged(usage))


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that may come to so much wants to be made."""

    worst: Usage
