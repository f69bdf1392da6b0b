"""Images: found, pulled, or built once from a recipe."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError, BuildError, ImageNotFound

from harness.errors import Fault, blame
from harness.sandboxes.locks import file_lock
from harness.sandboxes.recipes import Recipe
from harness.sandboxes.threads import in_thread, unhurried
from harness.types import Environment

_LOG_LINES = 12


@dataclass(frozen=True, slots=True)
class Image:
    name: str
    id: str
    digest: str
    """The registry's digest if there is one, else the image's own id."""
    certificate: Mapping[str, Any] | None = None
    """Of an agent's view: what was looked at, and not found."""


class Images:
    """What is ready stays known; several who ask for the same wait for one of them."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client
        self._ready: dict[str, Image] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def ready(self, environment: Environment) -> Image:
        key = environment.name
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._ready:
                with blame("sandbox"):
                    work = self._pulled if environment.image else self._built
                    self._ready[key] = await unhurried(in_thread(work, key))
        return self._ready[key]

    def forget(self, image_id: str) -> None:
        """Look for an image again, since it is not where it was."""
        self._ready = {k: image for k, image in self._ready.items() if image.id != image_id}

    def _pulled(self, name: str) -> Image:
        try:
            return self._found(name)
        except ImageNotFound:
            pass
        try:
            events = self._client.api.pull(_full(name), stream=True, decode=True)
            said = [str(event["error"]) for event in events if "error" in event]
        except APIError as error:
            said = [str(error.explanation or error)]
        if said:
            why = said[0].splitlines()[0]
            raise Fault(
                "sandbox", f"no image {name!r} here, and pulling it failed ({why}): pull it by hand"
            )
        return self._found(name)

    def _built(self, folder: str) -> Image:
        recipe = Recipe.load(folder)
        tag = f"harness-local:{recipe.digest[:12]}"
        with file_lock(f"image-{recipe.digest[:12]}"):
            try:
                return self._found(tag)
            except ImageNotFound:
                self._build(recipe, tag)
        return self._found(tag)

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

    def _found(self, name: str) -> Image:
        found = self._client.images.get(name)
        digests = found.attrs.get("RepoDigests") or []
        identity = str(found.id)
        return Image(name, identity, digests[0].partition("@")[2] if digests else identity)


def _full(name: str) -> str:
    """With a tag, since without one the engine would fetch them all."""
    return name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"
