"""No isolation at all: a temporary folder on this machine. For tests only."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from harness.api import Sandbox
from harness.errors import UsageError
from harness.sandboxes.box import Box, Door
from harness.sandboxes.local import Kept
from harness.sandboxes.owner import PREFIX, Owner
from harness.sandboxes.threads import unhurried
from harness.types import Environment, Prepared

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Host:
    """Commands run as whoever runs us, in an empty folder that stands for the repository's."""

    async def prepare(self, environment: Environment, /) -> Prepared:
        if environment.recipe:
            raise UsageError("the host sandbox is for tests and builds no recipes; use bubblewrap")
        if environment.door or environment.mounts:
            raise UsageError(
                "the host sandbox has no door and mounts nothing, so no agent's own program runs "
                "in it; use --sandbox docker or bubblewrap"
            )
        return Prepared("")

    @asynccontextmanager
    async def open(self, environment: Environment, /) -> AsyncIterator[Sandbox]:
        await self.prepare(environment)
        with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{Owner.me().mark}-") as root:
            workdir = Path(root) / "work"
            workdir.mkdir()
            env = {"PATH": PATH, "HOME": root, "LANG": "C.UTF-8", **environment.variables}
            kept = await Kept.start([], cwd=str(workdir), env=env)
            facts = {"sandbox": "host", "network": "open", "limits": "none"}
            box = HostBox(Door(kept.connect, kept.purge, str(workdir), facts), environment.workdir)
            try:
                yield box
            finally:
                box.close()
                await unhurried(kept.close())


class HostBox(Box):
    """A box whose files may be named as though its folder were the task's."""

    def __init__(self, door: Door, claimed: str) -> None:
        super().__init__(door)
        self._claimed = claimed

    def _at(self, path: str) -> str:
        inside = path.removeprefix(self._claimed.rstrip("/") + "/")
        return super()._at(inside)
