"""The agent's view of an image: the same, but for a history that ends at the base commit.

Made once on an engine, kept as an image of its own. The whiteouts of its one layer hide the packs
of the layers below from every container.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import PurePosixPath

import docker
from docker.errors import ImageNotFound

from harness.api import Sandbox
from harness.errors import Fault, blame
from harness.sandboxes import history
from harness.sandboxes.docker_images import Image
from harness.sandboxes.docker_shelf import VIEW_OF_LABEL
from harness.sandboxes.docker_shelf import VIEWS as REPOSITORY
from harness.sandboxes.locks import shared_lock
from harness.sandboxes.threads import in_thread, unhurried
from harness.types import Environment

CERTIFICATE_LABEL = "harness.certificate"

Open = Callable[[Environment, Image], AbstractAsyncContextManager[tuple[Sandbox, str]]]
"""Yields root's box of an image, and the name of its container."""


class Views:
    """What is ready stays known; several who ask for the same wait for one of them."""

    def __init__(self, client: docker.DockerClient, open_: Open) -> None:
        self._client = client
        self._open = open_
        self._ready: dict[str, Image] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def ready(self, image: Image, environment: Environment) -> Image:
        """The image to start an agent's box from; its name and digest are the original's."""
        parts = (image.id, environment.workdir, environment.base, history.VERSION)
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._ready:
                with blame("sandbox"):
                    self._ready[key] = await self._made(image, environment, key)
        return self._ready[key]

    def forget(self, image_id: str) -> None:
        """Look for an image again, since it is not where it was."""
        self._ready = {k: image for k, image in self._ready.items() if image.id != image_id}

    async def _made(self, image: Image, environment: Environment, key: str) -> Image:
        async with shared_lock(f"view-{key}"):
            found = await in_thread(self._found, image, key)
            if found is None:
                await in_thread(self._refuse_volumes, image, environment)
                await self._make(image, environment, key)
                found = await in_thread(self._found, image, key)
        if found is None:
            raise Fault("sandbox", f"the image {REPOSITORY}:{key} is gone as soon as it was made")
        return found

    async def _make(self, image: Image, environment: Environment, key: str) -> None:
        # It is not measured: it may use what the machine has.
        memory_mb = max(environment.memory_mb, 8192)
        free = replace(
            environment.untouched, network="none", variables={}, memory_mb=memory_mb, pids=4096
        )
        async with self._open(free, image) as (box, container):
            certificate = await history.agents_view(box, environment.workdir, environment.base)
            told = {
                CERTIFICATE_LABEL: json.dumps(certificate.facts()),
                VIEW_OF_LABEL: image.id,
            }
            await unhurried(in_thread(self._commit, container, key, told))

    def _commit(self, container: str, key: str, told: dict[str, str]) -> None:
        made = self._client.containers.get(container)
        # An image hands its labels on: those of the box that it was made in are not to be theirs.
        labels = {**dict.fromkeys(made.labels, ""), **told}
        made.commit(repository=REPOSITORY, tag=key, conf={"Labels": labels})

    def _found(self, image: Image, key: str) -> Image | None:
        try:
            view = self._client.images.get(f"{REPOSITORY}:{key}")
        except ImageNotFound:
            return None
        certificate = json.loads(view.labels[CERTIFICATE_LABEL])
        return replace(image, id=str(view.id), certificate=certificate)

    def _refuse_volumes(self, image: Image, environment: Environment) -> None:
        """What lies in a volume is in no image: a view could not hide it."""
        config = self._client.images.get(image.id).attrs.get("Config") or {}
        for volume in config.get("Volumes") or {}:
            if PurePosixPath(environment.workdir).is_relative_to(volume):
                raise Fault(
                    "sandbox",
                    f"{environment.workdir} is in the volume {volume} of image {image.name!r}, "
                    "where history cannot be pruned: build the image without that VOLUME",
                )
