"""The door of a run, for those of its conditions whose scaffold runs a program in the box."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from harness.api import Hosting
from harness.registry import Later
from harness.sandboxes.threads import in_thread
from harness.sandboxes.trees import private_folder, remove_tree
from harness.types import Condition

server = Later("harness.models.door.server")


class Host:
    """Open it for the run; then `door` leads the programs of a condition to its model."""

    def __init__(self) -> None:
        self._ways: dict[str, tuple[Condition, Hosting, Any]] = {}
        self._door: Any = None

    def expect(self, condition: Condition, scaffold: Hosting, upstream: Any) -> None:
        self._ways[condition.digest] = (condition, scaffold, upstream)

    def expects(self, digest: str) -> bool:
        return digest in self._ways

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Serve, where anybody is expected; UsageError where an endpoint lacks a program's wire."""
        if not self._ways:
            yield
            return
        folder = private_folder()
        try:
            for condition, scaffold, upstream in self._ways.values():
                await upstream.speaks(scaffold.speech.wire, condition.scaffold.name)
            self._door = server.Door(str(folder / "door"))
            async with self._door.open():
                yield
        finally:
            for *_, upstream in self._ways.values():
                await upstream.close()
            await in_thread(remove_tree, folder)

    def door(self, digest: str) -> Any:
        """The entrance for attempts of a condition; None for those that have none."""
        if digest not in self._ways or self._door is None:
            return None
        return self._door.to(self._ways[digest][2])
