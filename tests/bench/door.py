"""What the door adds to a call: the same endpoint asked directly, and through the door.

usage: python -m tests.bench.door [CALLS]
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from starlette.types import Receive, Scope, Send

from harness.api import Speech
from harness.limits import RunLimits
from harness.meter import Meter, RunMeter
from harness.models.door.guest import Guest
from harness.models.door.server import Door
from harness.models.door.upstream import Upstream
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint
from harness.models.serving import served
from harness.past import Past
from harness.trace import Journal
from harness.types import Attempt, Limits, TaskId
from results.store import RunStore
from tests.contract.speaking import WHOLE, streamed
from tests.contract.test_wires import REPLY
from tests.e2e.endpoints import whole

SIZES = {"short": 1, "88 KB, 60 messages": 60}
"""An agent's request in the middle of its work has tens of messages and tens of kilobytes."""


async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
    body = json.loads(await whole(receive))
    payload = WHOLE["chat"](REPLY)
    stream = body.get("stream")
    chunks = streamed("chat", payload) if stream else [json.dumps(payload).encode()]
    kind = b"text/event-stream" if stream else b"application/json"
    headers = [(b"content-type", kind)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@dataclass(frozen=True)
class Cost:
    """Milliseconds of a call: the best on the wall, and of the process that holds all three."""

    best: float
    cpu: float


async def timed(ask: Callable[[int], Awaitable[Any]], calls: int) -> Cost:
    taken, worked = [], time.process_time()
    for number in range(calls):
        started = time.perf_counter()
        await ask(number)
        taken.append(1000 * (time.perf_counter() - started))
    return Cost(min(taken), 1000 * (time.process_time() - worked) / calls)


def body(messages: int, number: int, *, stream: bool) -> dict[str, Any]:
    talk = [{"role": "user", "content": f"{at} " + "word " * 290} for at in range(messages)]
    talk.append({"role": "user", "content": str(number)})
    options = {"stream_options": {"include_usage": True}} if stream else {}
    return {"model": "m", "messages": talk, "stream": stream, **options}


async def main(calls: int) -> None:
    with tempfile.TemporaryDirectory() as folder, RunStore(Path(folder) / "run") as store:
        async with served(endpoint) as url:
            upstream = Upstream("m", Endpoint(f"{url}/v1", "key"), Knobs())
            door = Door(f"{folder}/door")
            way = httpx2.AsyncHTTPTransport(uds=door.path)
            with store.trace(Attempt(TaskId("t"), "c", 0), 1) as trace:
                journal = Journal(trace, Past())
                meter = Meter(Limits(turns=None), RunMeter(RunLimits()))
                guest = Guest(upstream, Speech("chat"), meter, journal)
                direct = httpx2.AsyncClient(base_url=url)
                through = httpx2.AsyncClient(transport=way, base_url="http://door")
                async with door.open(), door.holding(guest) as token, direct, through:
                    headers = {"authorization": f"Bearer {token}"}
                    for name, messages in SIZES.items():
                        for stream in (False, True):
                            await compare((direct, through), headers, name, messages, stream, calls)
            await upstream.close()


async def compare(
    clients: tuple[httpx2.AsyncClient, httpx2.AsyncClient],
    headers: dict[str, str],
    name: str,
    messages: int,
    stream: bool,
    calls: int,
) -> None:
    def asking(client: httpx2.AsyncClient) -> Callable[[int], Awaitable[Any]]:
        async def ask(number: int) -> None:
            asked = body(messages, number, stream=stream)
            got = await client.post("/v1/chat/completions", json=asked, headers=headers)
            assert got.status_code == 200

        return ask

    for client in clients:
        await timed(asking(client), 5)
    alone, door = [await timed(asking(client), calls) for client in clients]
    kind = "stream" if stream else "whole"
    print(
        f"{name:>20} {kind:>6}: direct {alone.best:5.2f} ms, through the door {door.best:5.2f} ms, "
        f"ratio {door.best / alone.best:4.2f}; added {door.best - alone.best:5.2f} ms on the wall, "
        f"{door.cpu - alone.cpu:5.2f} ms of the processor"
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
