"""Workers on the nodes of a Ray cluster. The only module that knows Ray.

Of Ray it takes who is there, how to start a process on a machine, and calls between processes.
A worker is one actor per node. It holds the node's `boxes` for as long as the run lasts, and Ray
ends it when its driver dies.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from harness.errors import UsageError
from harness.executors.fleet import Gone, Hand, Place

BOXES = "boxes"
"""The resource by which a node says how many it holds."""
CPUS_A_BOX = 2
"""Of a node's, where no node says how many boxes it holds."""
KNOCK_SECONDS = 10.0
_CALLS = 1 << 14


class Actor:
    """The process on a node; whom it houses knows nothing of Ray."""

    def __init__(self, make: Any, papers: Any) -> None:
        self._make = make
        self._papers = papers
        self._inner: Any = None

    async def ask(self, method: str, *args: Any) -> Any:
        if self._inner is None:  # here, since it belongs to the loop that runs this
            self._inner = self._make(self._papers)
        return await getattr(self._inner, method)(*args)


class RayHand:
    """Implements Hand."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def ask(self, method: str, /, *args: Any) -> Any:
        try:
            return await self._actor.ask.remote(method, *args)
        except RayTaskError as error:
            if isinstance(error.cause, UsageError):
                raise error.cause from None
            raise
        except (RayActorError, GetTimeoutError) as error:
            raise Gone(_words(error)) from None

    async def end(self) -> None:
        ray.kill(self._actor)


class Ray:
    """Implements Fleet: connect it, use it in one loop, close it.

    `make(papers)` is called on each node for its worker; `secrets` travel in a call of the
    worker's `hired`, which Ray neither logs nor keeps, unlike what an actor is created with.
    """

    def __init__(self, address: str, make: Any, papers: Any, secrets: Any) -> None:
        self._make = make
        self._papers = papers
        self._secrets = secrets
        _connect(address or os.environ.get("RAY_ADDRESS") or "auto")
        told = [row for row in _alive() if row["Resources"].get(BOXES)]
        self.default = not told
        """No node says how many boxes it holds."""

    async def places(self) -> list[Place]:
        try:
            rows = await asyncio.to_thread(_alive)
        except RayError as error:
            raise UsageError(f"the Ray cluster is gone: {_words(error)}") from None
        places = (_place(row, default=self.default) for row in rows)
        return [place for place in places if place.boxes]

    async def hire(self, place: Place, /) -> tuple[Hand, set[str]]:
        wanted: dict[str, Any] = {"num_cpus": 0, "resources": {BOXES: place.boxes}}
        if self.default:
            wanted = {"num_cpus": min(_cpus(place), CPUS_A_BOX * place.boxes)}
        pinned = NodeAffinitySchedulingStrategy(place.id, soft=False)
        actor = (
            ray.remote(Actor)
            .options(max_concurrency=_CALLS, scheduling_strategy=pinned, **wanted)
            .remote(self._make, self._papers)
        )
        hand = RayHand(actor)
        return hand, await hand.ask("hired", self._secrets)

    def close(self) -> None:
        ray.shutdown()


def _connect(address: str) -> None:
    if address.startswith("ray://"):
        raise UsageError(
            f"--ray-address {address}: the driver has to be on a node of the cluster; give that "
            "node's address without ray://, or auto"
        )
    _knock(address)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            configure_logging=False,
        )
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise UsageError(
            f"no Ray cluster has a node on this machine ({_words(error)}): start one with "
            f"ray start, and --address={address} if there is a cluster"
        ) from error


def _knock(address: str) -> None:
    """See whether somebody is there: Ray itself asks for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()
    except OSError as error:
        raise UsageError(
            f"no Ray cluster answers at {address} ({error}); give --ray-address HOST:PORT"
        ) from error


def _alive() -> list[dict[str, Any]]:
    return [row for row in ray.nodes() if row["Alive"]]


def _place(row: dict[str, Any], *, default: bool) -> Place:
    resources = row["Resources"]
    boxes = int(resources.get(BOXES, 0))
    if default and (cpus := int(resources.get("CPU", 0))):
        boxes = max(1, cpus // CPUS_A_BOX)
    return Place(row["NodeID"], row["NodeManagerAddress"], boxes)


def _cpus(place: Place) -> float:
    rows = [row for row in _alive() if row["NodeID"] == place.id]
    return float(rows[0]["Resources"].get("CPU", 0)) if rows else 0.0


def _words(error: BaseException) -> str:
    """The first sentence of what Ray has to say."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:1])[:200] or type(error).__name__
