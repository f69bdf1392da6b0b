"""The kinds of box that the contract is tried on, and what each needs."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import pytest

from harness.api import Sandboxes
from harness.sandboxes.bubblewrap import Bubblewrap
from harness.sandboxes.docker import Docker
from harness.sandboxes.host import Host
from harness.types import Environment

RUN_ID = f"contract-{uuid.uuid4().hex[:12]}"
"""Ours alone: others may be using the same engine."""
KINDS = [
    pytest.param("host", id="host"),
    pytest.param("bubblewrap", id="bubblewrap", marks=pytest.mark.bubblewrap),
    pytest.param("docker", id="docker", marks=pytest.mark.docker),
    pytest.param("busybox", id="docker-busybox", marks=pytest.mark.docker),
]
ISOLATED = KINDS[1:]
SETUP = """#!/bin/sh
set -eu
echo building
printf 'hello\\n' >"$HARNESS_REPO/greeting"
printf '#!/bin/sh\\necho tool\\n' >"$HARNESS_PREFIX/tool"
chmod 755 "$HARNESS_PREFIX/tool"
"""
DOCKERFILE = """FROM {base}
COPY . /environment
RUN mkdir -p /app /opt/task && cd /environment && . ./registry.env \
    && HARNESS_REPO=/app HARNESS_PREFIX=/opt/task sh ./setup.sh
WORKDIR /app
"""


def write_recipe(folder: Path, base: str, setup: str = SETUP) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "setup.sh").write_text(setup)
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=base))
    return str(folder)


@contextmanager
def kind_of_box(kind: str, folder: Path, base: str) -> Iterator[tuple[Sandboxes, Environment]]:
    """A way to open boxes of a kind, and an environment for it."""
    if kind == "host":
        yield Host(), Environment("", "/app")
    elif kind == "bubblewrap":
        recipe = write_recipe(folder / "recipe", base)
        yield (
            Bubblewrap(RUN_ID, cache=str(folder / "cache")),
            Environment("", "/app", recipe=recipe, memory_mb=1024, pids=256),
        )
    elif kind == "docker":
        yield Docker(RUN_ID), Environment(base, "/app", memory_mb=1024, pids=256)
    else:
        with busybox_image(base) as image:
            yield Docker(RUN_ID), Environment(image, "/app", memory_mb=1024, pids=256)


@contextmanager
def busybox_image(base: str) -> Iterator[str]:
    """An image like Alpine's: one static busybox, and no other program."""
    client = docker.from_env()
    name = f"harness-test-busybox:{RUN_ID}"
    try:
        binary = _busybox_here() or _busybox_from(client, base)
        if binary is None:
            required = os.environ.get("HARNESS_REQUIRE_DOCKER") == "1"
            (pytest.fail if required else pytest.skip)("no static busybox to be had")
        client.api.import_image_from_data(
            _root(binary), repository="harness-test-busybox", tag=RUN_ID
        )
        yield name
    finally:
        with suppress(docker.errors.ImageNotFound):
            client.images.remove(name, force=True)
        client.close()


def _busybox_here() -> bytes | None:
    found = shutil.which("busybox")
    if found is None:
        return None
    data = Path(found).read_bytes()
    return None if b"/ld-linux" in data[:4096] or b"ld-musl" in data[:4096] else data


def _busybox_from(client: docker.DockerClient, base: str) -> bytes | None:
    steps = f"FROM {base}\nRUN apt-get update && apt-get install -y busybox-static\n"
    try:
        image, _ = client.images.build(fileobj=io.BytesIO(steps.encode()), rm=True)
    except (docker.errors.BuildError, docker.errors.APIError):
        return None
    # Not by `cat`: an engine that keeps logs as JSON keeps no bytes that are not UTF-8.
    container = client.containers.create(image.id, ["true"])
    try:
        packed, _ = container.get_archive("/bin/busybox")
        with tarfile.open(fileobj=io.BytesIO(b"".join(packed))) as archive:
            found = archive.extractfile("busybox")
            return found.read() if found else None
    finally:
        container.remove(force=True)


def _root(busybox: bytes) -> bytes:
    """A root file system as a tar: the binary, and a name for each of its programs."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for folder in ("bin", "tmp", "etc", "dev", "proc", "root"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(busybox), 0o755
        archive.addfile(entry, io.BytesIO(busybox))
        for name in _APPLETS.split(" "):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return packed.getvalue()


_APPLETS = """
sh cat chmod cp cut dd dirname echo env false find grep head id kill ls mkdir mktemp mv nc od printf
ps readlink rm sed seq setsid sleep sort stat tail touch tr true uname wc yes
""".strip().replace("\n", " ")


def containers_of_ours(run_id: str = RUN_ID) -> list[str]:
    """Names of the containers that these tests have made and not removed."""
    client = docker.from_env()
    try:
        found = client.containers.list(
            all=True, filters={"label": f"harness.run={run_id}"}, ignore_removed=True
        )
        return [str(container.name) for container in found]
    finally:
        client.close()
