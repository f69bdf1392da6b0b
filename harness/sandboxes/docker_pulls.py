"""Pulls: through a mirror or not, by digest where one is known, so many at once, patiently."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import docker
from docker import auth
from docker.errors import APIError

from harness.errors import Fault
from harness.sandboxes.docker_shelf import Shelf, mark
from harness.sandboxes.references import Mirrors, Reference
from harness.sandboxes.registries import Refused, Registries
from harness.sandboxes.threads import in_thread, unhurried

_LIMITED = ("toomanyrequests", "too many requests", "rate limit", " 429")
_LASTING = (
    "manifest unknown",
    "not found",
    "access denied",
    "unauthorized",
    "authentication required",
    "no matching manifest",
    "invalid reference",
    "unsupported media type",
    "no space left",
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How a pull is tried again. Seconds."""

    tries: int = 4
    """Of a pull that the registry or the network breaks off."""
    first: float = 1.0
    most: float = 30.0
    limited: float = 60.0
    """The first wait where a registry allows no more for now and does not say for how long."""
    limited_most: float = 900.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where an image came from."""

    place: str
    """By digest, where one was known before it was pulled."""
    checked: bool
    """Whether the digest is that of the image's own registry, or of the run's earlier boxes."""
    why_not: str = ""


@dataclass(slots=True)
class Pulls:
    """What the engine fetches for us. Where a registry allows no more for now, all pulls wait."""

    client: docker.DockerClient
    shelf: Shelf
    registries: Registries
    mirrors: Mirrors
    seats: asyncio.Semaphore
    platform: str = ""
    """Empty: the engine's own."""
    patience: Patience = Patience()
    say: Callable[[str], None] = lambda line: None
    trouble: Reference | None = None
    """Where the last pull failed for the registry's sake; None once one has gone well."""
    _not_before: dict[str, float] = field(default_factory=dict)

    async def fetch(self, image: Reference) -> Source:
        """Put an image on the engine, known as ours; by its digest if it has one. Fault."""
        source, origin = await self._source(image)
        async with self.seats:
            await self._until_there(source)
        await in_thread(self._adopt, source, image)
        self.trouble = None
        return origin

    async def probe(self) -> None:
        """Return if the registry that failed last answers again; Refused while it does not."""
        if self.trouble is not None:
            await in_thread(self.registries.digest, self.trouble.at(""))

    async def _source(self, image: Reference) -> tuple[Reference, Source]:
        place = self.mirrors.of(image)
        if place == image or image.digest:
            return place, Source(place.pinned, checked=True)
        try:
            place = place.at(await in_thread(self.registries.digest, image))
        except Refused as refused:
            return place, Source(place.named, checked=False, why_not=refused.message)
        return place, Source(place.pinned, checked=True)

    async def _until_there(self, place: Reference) -> None:
        failed = limited = 0
        while said := await self._pulled(place):
            if any(word in said.lower() for word in _LIMITED):
                limited += 1
                await self._wait_for_leave(place, limited)
                continue
            failed += 1
            lasting = any(word in said.lower() for word in _LASTING)
            if lasting or failed >= self.patience.tries:
                self.trouble = None if lasting else place
                how = "" if lasting else f" {failed} times"
                raise Fault("sandbox", f"pulling {place.pinned} failed{how}: {said}{_hint(said)}")
            pause = min(self.patience.first * 2 ** (failed - 1), self.patience.most)
            await asyncio.sleep(pause * (0.75 + random.random() / 2))

    async def _pulled(self, place: Reference) -> str:
        """One pull: what the engine had to say against it, or nothing."""
        await asyncio.sleep(max(0.0, self._not_before.get(place.host, 0.0) - _now()))
        stop = threading.Event()
        try:
            return await unhurried(in_thread(self._pull, place, stop), on_cancel=stop.set)
        except APIError as error:
            return _line(str(error.explanation or error))
        except OSError as error:
            return _line(f"the engine broke off: {error}")

    def _pull(self, place: Reference, stop: threading.Event) -> str:
        asked: dict[str, Any] = {"platform": self.platform} if self.platform else {}
        events = self.client.api.pull(place.pinned, stream=True, decode=True, **asked)
        try:
            for event in events:
                if "error" in event:
                    return _line(str(event["error"]))
                if stop.is_set():
                    return "interrupted"
        finally:
            events.close()  # which is how an engine is told to leave off
        return ""

    async def _wait_for_leave(self, place: Reference, times: int) -> None:
        """The engine does not hand on for how long a registry asks to be left alone; so we ask."""
        wait = min(self.patience.limited * 2 ** (times - 1), self.patience.limited_most)
        try:
            await in_thread(self.registries.digest, place.at(""))
        except Refused as refused:
            wait = refused.wait if refused.wait is not None else wait
        until = _now() + wait
        if until > self._not_before.get(place.host, 0.0):
            self._not_before[place.host] = until
            self.say(f"{place.host} allows no more pulls for now; asking again in {wait:.0f} s")

    def _adopt(self, place: Reference, image: Reference) -> None:
        found = self.shelf.looked_at(place.pinned, place.digest)
        if found is None:
            raise Fault("sandbox", f"image {place.pinned} is gone as soon as it was pulled")
        repository, _, tag = mark(image, found.digest).partition(":")
        self.client.api.tag(found.id, repository, tag)


def pulls_of(shelf: Shelf, mirror: str, platform: str, at_once: int) -> Pulls:
    """What an engine pulls with, and with whose leave."""
    client = shelf.client
    about = client.info()
    known = (about.get("RegistryConfig") or {}).get("IndexConfigs") or {}
    plain = frozenset(host for host, how in known.items() if not how.get("Secure", True))
    own = client.version()
    registries = Registries(
        credentials, platform or f"{own.get('Os')}/{own.get('Arch')}", plain=plain
    )
    seats = asyncio.Semaphore(max(1, at_once))
    return Pulls(client, shelf, registries, Mirrors.parse(mirror), seats, platform)


def credentials(host: str) -> Mapping[str, str] | None:
    """What `docker login` has kept for a registry, credential helpers included."""
    found: Mapping[str, str] | None = auth.load_config().resolve_authconfig(host)
    if not found:
        return None
    given = {name.lower(): value for name, value in found.items() if value}
    return {k: str(v) for k, v in given.items() if k in ("username", "password", "identitytoken")}


def _hint(said: str) -> str:
    words = said.lower()
    if "no matching manifest" in words:
        return "; where the engine can emulate another, --sandbox docker,platform=linux/amd64"
    if "denied" in words or "auth" in words:
        return "; docker login, with an account that may read it"
    if "no space left" in words:
        return "; make room, or give --disk"
    return ""


def _line(text: str) -> str:
    return (text.splitlines() or [""])[0][:300]


def _now() -> float:
    return asyncio.get_running_loop().time()
