"""What a cluster is made of: nodes, the workers on them, and the driver's books."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from harness.executors.mail import Ended, Notice, Order
from harness.types import Attempt, Faulted, Record


class Gone(Exception):
    """The worker is no more, or its node is not."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node that holds boxes."""

    id: str
    name: str
    boxes: int


class Hand(Protocol):
    """A worker, as its driver sees it."""

    async def ask(self, method: str, /, *args: Any) -> Any:
        """Call a method of the worker. Gone where there is none any more."""
        ...

    async def end(self) -> None:
        """Have its process gone, whatever it is doing."""
        ...


class Fleet(Protocol):
    async def places(self) -> list[Place]:
        """The nodes that are alive and hold boxes."""
        ...

    async def hire(self, place: Place, /) -> tuple[Hand, set[str]]:
        """Start a worker there; with it, the images that its machine has."""
        ...


Heed: TypeAlias = Callable[[Any], None]


class Desk(Protocol):
    """The driver's books: the one place where anything is kept or decided."""

    def order(self, attempt: Attempt, soon: Sequence[Attempt], /) -> Order:
        """What a worker is sent, with whom to make ready for meanwhile."""
        ...

    def keep(self, notice: Notice, /) -> None:
        """Return once what it holds would survive a crash, as far as it asks for that."""
        ...

    def record(self, ended: Ended, /) -> Record:
        """What an attempt has come to; raises what its work has raised."""
        ...

    def lease(self, what: Any, /) -> AbstractAsyncContextManager[tuple[Any, Heed]]:
        """Something for a worker while the block lasts: the answer, and who heeds what it says.

        Parked where there is none left.
        """
        ...

    def lost(self, attempt: Attempt, why: str, /) -> Faulted:
        """The record of an attempt that workers die of."""
        ...

    def close(self, attempt: Attempt, /) -> None:
        """Nothing more comes of its try that is under way, if any is."""
        ...
