"""What recipes leave behind for bubblewrap: a repository and its tools, built once, shared."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import Fault, UsageError, blame
from harness.sandboxes import history
from harness.sandboxes.box import Box, Door
from harness.sandboxes.bubblewrap_root import PREFIX, View, isolated
from harness.sandboxes.local import Kept
from harness.sandboxes.locks import shared_lock
from harness.sandboxes.owner import PREFIX as OWNED
from harness.sandboxes.recipes import HOME, Recipe
from harness.sandboxes.threads import in_thread, unhurried
from harness.sandboxes.trees import private_folder, remove_tree
from harness.types import Environment

BUILD_SECONDS = 1800.0
_LOG_LINES = 12
_CERTIFICATE = "certificate.json"
_VERSION = "1"
"""Part of every digest: to be raised when layers are laid out otherwise."""


@dataclass(frozen=True, slots=True)
class Layer:
    folder: Path
    """Holds `repo` and `prefix`."""
    digest: str
    """Of what it was built from: an agent's view has that of the layer it shows."""
    certificate: Mapping[str, Any] | None = None
    """Of an agent's view: what was looked at, and not found."""


class Layers:
    """Each layer is built under a temporary name and published by renaming: whole, or not there."""

    def __init__(self, bwrap: str, folder: Path | None = None) -> None:
        self._bwrap = bwrap
        self._folder = folder or cache_folder()
        self._ready: dict[tuple[str, str, str], Layer] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def ready(self, environment: Environment) -> Layer:
        if not environment.recipe:
            raise UsageError(
                f"the task needs the Docker image {environment.image!r}; use --sandbox docker"
            )
        key = (environment.recipe, environment.workdir, environment.base)
        async with self._locks.setdefault(environment.recipe, asyncio.Lock()):
            if key not in self._ready or not self._ready[key].folder.is_dir():
                with blame("sandbox"):
                    layer = await self._made(environment)
                    if environment.base:
                        layer = await self._view(layer, environment)
                    self._ready[key] = layer
        return self._ready[key]

    async def _made(self, environment: Environment) -> Layer:
        recipe = await in_thread(Recipe.load, environment.recipe)
        digest = _digest(recipe, environment)
        layer = Layer(self._folder / digest, digest)
        async with shared_lock(f"layer-{digest[:16]}"):
            if not layer.folder.is_dir():
                async with _folder(self._folder, f".building-{OWNED}") as building:
                    await self._build(recipe, environment, building)
                    building.rename(layer.folder)
        return layer

    async def _view(self, layer: Layer, environment: Environment) -> Layer:
        """The agent's: a repository whose history ends at the base commit, and the same tools."""
        parts = (layer.digest, environment.base, history.VERSION)
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        folder = self._folder / digest
        async with shared_lock(f"layer-{digest[:16]}"):
            if not folder.is_dir():
                async with _folder(self._folder, f".building-{OWNED}") as building:
                    await in_thread(_copy, layer, building)
                    certificate = await self._prune(environment, building)
                    (building / _CERTIFICATE).write_text(json.dumps(certificate.facts()))
                    building.rename(folder)
        certificate_text = (folder / _CERTIFICATE).read_text()
        return Layer(folder, layer.digest, json.loads(certificate_text))

    async def _prune(self, environment: Environment, building: Path) -> history.Certificate:
        async with _folder(None, OWNED) as scratch:
            view = View(scratch, _free(environment), network=False)
            mounts = ["--bind", str(building / "repo"), environment.workdir]
            kept = await Kept.start(
                [self._bwrap, *await in_thread(isolated, view, mounts)], cwd="/", env={}
            )
            box = Box(Door(kept.connect, kept.purge, environment.workdir))
            try:
                return await history.agents_view(box, environment.workdir, environment.base)
            finally:
                box.close()
                await unhurried(kept.close())

    async def _build(self, recipe: Recipe, environment: Environment, building: Path) -> None:
        async with _folder(None, OWNED) as scratch:
            arguments = await in_thread(_furnish, recipe, environment, building, scratch)
            kept = await Kept.start([self._bwrap, *arguments], cwd="/", env={})
            box = Box(Door(kept.connect, kept.purge, HOME))
            try:
                done = await box.exec(
                    ["sh", "-c", ". ./registry.env && exec sh ./setup.sh"],
                    kill_after=BUILD_SECONDS,
                    env={"HARNESS_REPO": environment.workdir, "HARNESS_PREFIX": PREFIX},
                )
            finally:
                box.close()
                await unhurried(kept.close())
        if not done.ok:
            how = f"exit code {done.exit_code}" if done.ended == "exit" else done.ended
            tail = done.text.strip().splitlines()[-_LOG_LINES:]
            raise Fault("sandbox", "\n".join([f"building {recipe.folder} failed: {how}", *tail]))


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "harness" / "layers"


def _furnish(recipe: Recipe, environment: Environment, building: Path, scratch: Path) -> list[str]:
    """Lay out what a build needs, and say it to bwrap."""
    source = scratch / "environment"
    shutil.copytree(recipe.folder, source)
    for name, data in recipe.extras().items():
        (source / name).write_bytes(data)
    mounts = ["--ro-bind", str(source), HOME]
    for name, place in {"repo": environment.workdir, "prefix": PREFIX}.items():
        (building / name).mkdir(mode=0o755)
        mounts += ["--bind", str(building / name), place]
    return isolated(View(scratch, _free(environment), network=True, home="/tmp"), mounts)


def _free(environment: Environment) -> Environment:
    """A build is not measured: it may use what the machine has."""
    return replace(environment, memory_mb=max(environment.memory_mb, 8192))


def _copy(layer: Layer, building: Path) -> None:
    """A repository of its own; the tools are the layer's, which is never changed."""
    shutil.copytree(layer.folder / "repo", building / "repo", symlinks=True)
    (building / "prefix").symlink_to(Path("..") / layer.folder.name / "prefix")


def _digest(recipe: Recipe, environment: Environment) -> str:
    """Of the recipe, and of what the layer points back to on this machine."""
    parts = [_VERSION, recipe.digest, environment.workdir, str(os.getuid())]
    parts += [sys.version, str(Path(sys.base_prefix).resolve())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@asynccontextmanager
async def _folder(parent: Path | None, prefix: str) -> AsyncIterator[Path]:
    made = private_folder(parent, prefix)
    try:
        yield made
    finally:
        await unhurried(in_thread(remove_tree, made))
