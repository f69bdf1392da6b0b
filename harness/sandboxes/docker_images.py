"""Images: found, pulled, or built once from a recipe; the same ones for as long as a run lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import BuildError, DockerException

from harness.api import Pin
from harness.errors import Fault, blame
from harness.sandboxes.docker_pulls import Pulls, Source
from harness.sandboxes.docker_shelf import Found, Shelf
from harness.sandboxes.locks import file_lock
from harness.sandboxes.recipes import Recipe
from harness.sandboxes.references import Reference
from harness.sandboxes.threads import in_thread, unhurried
from harness.types import Environment

BUILT = "harness-local"
_LOG_LINES = 12

Room = Callable[[str], Awaitable[None]]
"""Waits until an image of that name may be pulled."""


@dataclass(frozen=True, slots=True)
class Image:
    name: str
    id: str
    digest: str
    """The registry's digest if there is one, else the image's own id."""
    platform: str = ""
    local: bool = False
    """No registry knows it."""
    certificate: Mapping[str, Any] | None = None
    """Of an agent's view: what was looked at, and not found."""


class Images:
    """What is ready stays known; several who ask for the same wait for one of them."""

    def __init__(self, client: docker.DockerClient, pulls: Pulls, shelf: Shelf) -> None:
        self._client = client
        self._pulls = pulls
        self._shelf = shelf
        self._ready: dict[str, Image] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._pins: dict[str, Pin] = {}
        self._record: Callable[[str, Pin], None] = lambda name, pin: None

    def pin(self, known: Mapping[str, Pin], record: Callable[[str, Pin], None]) -> None:
        self._pins = dict(known)
        self._record = record

    async def ready(self, environment: Environment, room: Room) -> Image:
        key = environment.name
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._ready:
                with blame("sandbox"):
                    if environment.image:
                        self._ready[key] = await self._pulled(key, room)
                    else:
                        self._ready[key] = await unhurried(in_thread(self._built, key))
        return self._ready[key]

    def forget(self, image_id: str) -> None:
        """Look for an image again, since it is not where it was."""
        self._ready = {k: image for k, image in self._ready.items() if image.id != image_id}

    async def look_again(self, name: str) -> None:
        """Forget an image if it is gone from the engine; an engine that is silent says nothing."""
        image = self._ready.get(name)
        if image is None:
            return
        with suppress(DockerException, OSError):
            if not await in_thread(self._shelf.looked_at, image.id):
                self.forget(image.id)

    @property
    def pinned(self) -> dict[str, str]:
        """The digests that this run is bound to, by name."""
        return {name: pin.digest for name, pin in self._pins.items()}

    async def _pulled(self, name: str, room: Room) -> Image:
        pin, wanted = self._pins.get(name), Reference.parse(name)
        digest = pin.digest if pin else wanted.digest
        found = await in_thread(self._found, name, digest)
        source = Source("", checked=True)
        if found is None:
            self._refuse_lost(name, pin)
            if pin:
                await in_thread(self._tell_of_change, name, pin)
            await room(name)
            source = await self._pulls.fetch(wanted.at(digest))
            found = await in_thread(self._found, name, digest)
        if found is None:
            raise Fault("sandbox", f"image {name!r} is gone as soon as it was pulled")
        if pin is None:
            self._pins[name] = Pin(
                found.digest, found.platform, found.local, source.place, source.checked
            )
            self._record(name, self._pins[name])
        return found

    def _refuse_lost(self, name: str, pin: Pin | None) -> None:
        """An image that no registry knows cannot be pulled again by its digest."""
        if pin is None or not pin.local:
            return
        raise Fault(
            "sandbox",
            f"image {name!r} was {pin.digest[:19]} when this run began, which is not on this "
            "engine, and no registry knows it: load it again, or choose another folder",
        )

    def _tell_of_change(self, name: str, pin: Pin) -> None:
        other = self._found(name, "")
        if other is not None:
            self._pulls.say(
                f"{name} here is {other.digest[:19]}, and this run was begun with "
                f"{pin.digest[:19]}: pulling that one by its digest"
            )

    def _found(self, name: str, digest: str) -> Image | None:
        found = self._shelf.look(Reference.parse(name), digest, spelt=name)
        return _image(name, found) if found else None

    def _built(self, folder: str) -> Image:
        recipe = Recipe.load(folder)
        tag = built_name(recipe)
        with file_lock(f"image-{recipe.digest[:12]}"):
            if found := self._shelf.looked_at(tag):
                return _image(tag, found)
            self._build(recipe, tag)
        found = self._shelf.looked_at(tag)
        if found is None:
            raise Fault("sandbox", f"image {tag!r} is gone as soon as it was built")
        return _image(tag, found)

    def _build(self, recipe: Recipe, tag: str) -> None:
        try:
            self._client.images.build(
                fileobj=recipe.context(), custom_context=True, tag=tag, rm=True, forcerm=True
            )
        except BuildError as error:
            lines = [str(entry.get("stream") or "") for entry in error.build_log]
            tail = "".join(lines).strip().splitlines()[-_LOG_LINES:]
            raise Fault(
                "sandbox", "\n".join([f"building {recipe.folder} failed: {error.msg}", *tail])
            ) from error


def _image(name: str, found: Found) -> Image:
    return Image(name, found.id, found.digest, found.platform, found.local)


def built_name(recipe: Recipe) -> str:
    return f"{BUILT}:{recipe.digest[:12]}"
