"""An OpenAI-compatible endpoint that answers at once, or as badly as it is told to.

It is a process of its own and a bare asyncio protocol: on two cores a server that costs as much as
what is measured would be most of the measurement. `python -m tests.bench.endpoint '{"latency": 1}'`
prints its port, and ends when its standard input does. `GET /stats` tells what came in; a POST to
`/stats` does too, and starts the count anew; one to `/key` is the key from now on.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Manner:
    """How the endpoint behaves."""

    latency: float = 0.0
    """Seconds until it answers."""
    command: str = "true"
    """What the model always wants run."""
    per_minute: int = 0
    """More calls than this in any minute are refused with 429; 0: no limit."""
    burst: int = 1
    """How many calls may come at once under the limit."""
    whims: float = 0.0
    """The share of calls that are refused with 429 however few there are."""
    tells: bool = False
    """Whether each answer says what the limit is, and what is left of it."""
    faults: float = 0.0
    """The share of calls that end in a 503, or half-way through the answer."""
    stalls: float = 0.0
    """The share of calls before whose answer it is silent for `stall` seconds."""
    stall: float = 0.0
    key: str = ""
    """Keys that begin otherwise are refused with 401; empty: any key is good."""
    words: int = 0
    """How much the model says beside its call."""


@dataclass
class Told:
    """What came in since the count began."""

    calls: int = 0
    refused: int = 0
    faulted: int = 0
    stalled: int = 0
    connections: int = 0
    most_at_once: int = 0
    bytes_in: int = 0
    arrivals: list[float] = field(default_factory=list)
    """When each call came, on the machine's monotonic clock; the first 50,000."""


class Server:
    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self.told = Told()
        self.now = 0
        self.allowed, self.since = float(manner.burst), time.monotonic()
        self.dice = random.Random(20260101)
        function = {"name": "bash", "arguments": json.dumps({"command": manner.command})}
        self.call = {"id": "c", "type": "function", "function": function}
        said = "word " * manner.words
        self.message = {"role": "assistant", "content": said, "tool_calls": [self.call]}

    def admits(self) -> bool:
        if self.manner.whims and self.dice.random() < self.manner.whims:
            return False
        if not self.manner.per_minute:
            return True
        now, rate = time.monotonic(), self.manner.per_minute / 60
        self.allowed = min(self.manner.burst, self.allowed + (now - self.since) * rate)
        self.since = now
        if self.allowed < 1:
            return False
        self.allowed -= 1
        return True

    def limits(self) -> list[str]:
        """As OpenAI says it: what is left of the burst, and when all of it is there again."""
        if not self.manner.tells:
            return []
        missing = (self.manner.burst - self.allowed) * 60 / self.manner.per_minute
        said = {"limit": self.manner.per_minute, "remaining": int(self.allowed)}
        named = {**said, "reset": f"{max(0.0, missing):.3f}s"}
        return [f"x-ratelimit-{name}-requests: {value}" for name, value in named.items()]

    def answer(self, body: bytes) -> bytes:
        usage = {"prompt_tokens": max(10, len(body) // 4), "completion_tokens": 5}
        head = {"id": "x", "created": 1, "model": "instant"}
        if b'"stream": true' not in body and b'"stream":true' not in body:
            choice = {"index": 0, "message": self.message, "finish_reason": "tool_calls"}
            said = json.dumps({**head, "choices": [choice], "usage": usage}).encode()
            return reply(200, said, more=self.limits())
        delta = {**self.message, "tool_calls": [{**self.call, "index": 0}]}
        chunks: list[dict[str, Any]] = [
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
            {"choices": [], "usage": usage},
        ]
        lines = [json.dumps({**head, "object": "chat.completion.chunk", **c}) for c in chunks]
        events = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])
        return reply(200, events.encode(), "text/event-stream")


def reply(
    status: int, body: bytes, kind: str = "application/json", more: Sequence[str] = ()
) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, *more, "", ""]).encode() + body


class Wire(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.server = server
        self.data = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.server.told.connections += 1

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.data[:end]).lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or b"0")
            if len(self.data) < end + 4 + length:
                return
            body = bytes(self.data[end + 4 : end + 4 + length])
            del self.data[: end + 4 + length]
            self.asked(head, body)

    def asked(self, head: bytes, body: bytes) -> None:
        server = self.server
        method, path, _ = head.split(b" ", 2)
        if path == b"/stats":
            self.transport.write(reply(200, json.dumps(asdict(server.told)).encode()))
            if method == b"post":
                server.told = Told()
            return
        if path == b"/key":
            server.manner = replace(server.manner, key=body.decode())
            self.transport.write(reply(200, b"{}"))
            return
        if method == b"get":
            self.transport.write(reply(200, b'{"data": []}'))
            return
        told, manner = server.told, server.manner
        told.calls += 1
        told.bytes_in += len(body)
        if len(told.arrivals) < 50_000:
            told.arrivals.append(time.monotonic())
        if manner.key and b"authorization: bearer " + manner.key.lower().encode() not in head:
            self.transport.write(reply(401, b'{"error": {"message": "this key has expired"}}'))
        elif not server.admits():
            told.refused += 1
            self.transport.write(reply(429, b'{"error": {"message": "rate limit reached"}}'))
        else:
            self.admitted(body)

    def admitted(self, body: bytes) -> None:
        server, loop = self.server, asyncio.get_running_loop()
        server.now += 1
        server.told.most_at_once = max(server.told.most_at_once, server.now)
        seconds, dice = server.manner.latency, server.dice
        if server.manner.stalls and dice.random() < server.manner.stalls:
            server.told.stalled += 1
            seconds += server.manner.stall
        bad = server.manner.faults and dice.random() < server.manner.faults
        work = self.fail if bad else self.finish
        if seconds:
            loop.call_later(seconds, work, body)
        else:
            work(body)

    def finish(self, body: bytes) -> None:
        self.server.now -= 1
        self.transport.write(self.server.answer(body))

    def fail(self, body: bytes) -> None:
        """Half of them politely, half in the midst of an answer."""
        self.server.now -= 1
        self.server.told.faulted += 1
        if self.server.dice.random() < 0.5:
            self.transport.write(reply(503, b'{"error": {"message": "overloaded"}}'))
        else:
            whole = self.server.answer(body)
            self.transport.write(whole[: len(whole) - 40])
            self.transport.close()


async def serve(manner: Manner) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    server, loop = Server(manner), asyncio.get_running_loop()

    def wire() -> Wire:
        return Wire(server)

    listening = await loop.create_server(wire, sock=listener)
    for each in listening.sockets:
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(listener.getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@dataclass(frozen=True)
class Running:
    """An endpoint that is up."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def rotate(self, key: str) -> None:
        """Take no other key from now on."""
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/key", key.encode()).close()

    def stats(self, *, anew: bool = False) -> Told:
        data = b"" if anew else None
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", data) as answer:
            return Told(**json.load(answer))


@contextmanager
def endpoint(manner: Manner = Manner()) -> Iterator[Running]:
    """Run one for as long as the block lasts."""
    argv = [sys.executable, "-m", "tests.bench.endpoint", json.dumps(asdict(manner))]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin and process.stdout
        try:
            yield Running(int(process.stdout.readline()))
        finally:
            process.stdin.close()
            process.wait(timeout=10)


if __name__ == "__main__":
    asyncio.run(serve(Manner(**json.loads(sys.argv[1]))))
