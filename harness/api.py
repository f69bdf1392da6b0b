"""The contract: every protocol a plug-in may implement, on one page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from harness.types import (
    Attempt,
    Brief,
    Ending,
    Environment,
    ExecResult,
    Grade,
    Limits,
    Prepared,
    Record,
    Reply,
    Request,
    Submission,
    Task,
    Value,
)

Work: TypeAlias = Callable[[Attempt], Awaitable[Record]]
Event: TypeAlias = Mapping[str, Any]
"""One line of a trace: `kind`, `at` (seconds since the try began), and what that kind carries."""
CUT_OFF = "call_cut_off"
"""The note of a call that broke off, with its `usage` as far as that is known."""


class TaskSource(Protocol):
    def load(self) -> Iterable[Task]:
        """Every task that can be graded, in a stable order; UsageError where there is none."""
        ...

    def left_out(self) -> Mapping[str, str]:
        """After `load`: the ids that cannot be graded, each with its reason."""
        ...


class Model(Protocol):
    async def complete(self, request: Request, /) -> Reply: ...


class Sandbox(Protocol):
    """A running box. Non-zero exits and deadlines are results; a dead box raises."""

    async def exec(
        self,
        argv: Sequence[str],
        /,
        *,
        kill_after: float,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        keep: int = 1 << 20,
    ) -> ExecResult:
        """Run `argv` in the working directory, its process tree killed after so many seconds.

        At most `keep` bytes of output are held, head and tail. Processes that it leaves in the
        background live on, and what they print later belongs to nobody.
        """
        ...

    async def read(self, path: str, /, *, limit: int = 1 << 20) -> bytes:
        """A file's bytes. FileNotFoundError, IsADirectoryError; ValueError over `limit` bytes."""
        ...

    async def write(self, path: str, data: bytes, /) -> None:
        """Replace a file, making its folders; relative paths start at the working directory."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the record says of this box: backend, limits as enforced, image digest."""
        ...


class Sandboxes(Protocol):
    async def prepare(self, environment: Environment, /) -> Prepared:
        """Pull or build what `open` needs, once; later calls find it ready."""
        ...

    def open(self, environment: Environment, /) -> AbstractAsyncContextManager[Sandbox]:
        """Yield a box; on exit it is gone, however the block ended."""
        ...


@dataclass(frozen=True, slots=True)
class Pin(Value):
    """The image that a run's attempts were measured in, and go on being measured in."""

    digest: str
    """The registry's; of an image that no registry knows, its own id."""
    platform: str = ""
    local: bool = False
    """No registry knows it: what is lost cannot be pulled again."""
    source: str = ""
    """What it was pulled as, from a mirror or not; empty: it was there."""
    checked: bool = True
    """False: a mirror gave it, and its own registry could not be asked whether it is the same."""


class Supply(Protocol):
    """What boxes are made from, where that takes room and time: kept ready, and within bounds."""

    def pin(self, known: Mapping[str, Pin], record: Callable[[str, Pin], None], /) -> None:
        """Use these images, by name, and no others of their names; record each that is new."""
        ...

    def ahead(
        self, due: Sequence[Environment], say: Callable[[str], None], /
    ) -> AbstractAsyncContextManager[None]:
        """While the block lasts, make ready what comes next, in the order of need.

        `due` has one entry for each attempt. A failure is that of the attempt that opens it.
        """
        ...

    def using(self, environment: Environment, /) -> AbstractAsyncContextManager[None]:
        """Keep what a due attempt's boxes are made from until the block ends."""
        ...

    def again(self, environment: Environment, /) -> None:
        """One more attempt is due, after all others."""
        ...


@runtime_checkable
class Supplied(Protocol):
    """A kind of sandbox that sees to its own supply."""

    @property
    def supply(self) -> Supply: ...


@runtime_checkable
class Probing(Protocol):
    """What may be down for a while, and can be asked."""

    async def probe(self) -> None:
        """Return if it is well; UsageError or Fault, in one line, while it is not."""
        ...


@runtime_checkable
class Stocked(Protocol):
    """Sandboxes whose images lie somewhere, and can be listed."""

    async def stock(self) -> Collection[str]:
        """The names of images that need not be fetched."""
        ...


@runtime_checkable
class Closing(Protocol):
    """What holds connections that somebody has to hang up."""

    def close(self) -> None: ...


WireName: TypeAlias = Literal["chat", "responses", "messages"]
"""OpenAI's Chat Completions, OpenAI's Responses, Anthropic's Messages."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An HTTP door to the metered model, for programs in the box."""

    url: str
    """As seen from the box, without `/v1`. `URL/as/TOKEN` works in its place, for a program that
    can send no token."""
    token: str
    """Of this attempt alone: as `Authorization: Bearer`, or as `x-api-key`."""
    model: str = ""
    """The model under test. Whatever name a program asks for, it is this one that answers."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a scaffold works with: a box, a metered model, its limits, and a place for remarks."""

    sandbox: Sandbox
    model: Model
    limits: Limits
    note: Callable[[str, Mapping[str, Any]], None]
    """Write an event of the scaffold's own into the trace: `note("elided", {"outputs": 3})`."""
    door: Endpoint | None = None
    """For a scaffold that is `Hosting`: the way to the same meter from inside the box."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the door will answer no more: a budget is at its end, or the endpoint has failed.
    What the program does from then on is in vain, and the attempt's ending is settled."""
    calls: Callable[[], int] = lambda: 0
    """How many calls have been answered so far in this try, through either door."""


class Scaffold(Protocol):
    async def solve(self, brief: Brief, session: Session, /) -> Ending: ...


@dataclass(frozen=True, slots=True)
class Speech:
    """How a program asks a model, and how it is best told that there is no more."""

    wire: WireName
    refusal: int = 402
    """The HTTP status at which it stops at once, instead of asking again."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """For the record: which program it is, in what version, and what no setting makes equal."""


@runtime_checkable
class Hosting(Protocol):
    """A scaffold that runs somebody's program in the box. It is given a door, and no network."""

    @property
    def speech(self) -> Speech: ...

    async def equip(self, environment: Environment, /) -> Environment:
        """The box's environment with what the program needs, such as mounts."""
        ...

    async def solve(self, brief: Brief, session: Session, /) -> Ending: ...


@runtime_checkable
class Privileged(Protocol):
    """A control that is shown the whole task. Only `oracle` has a reason to be one."""

    async def solve_knowing(self, task: Task, session: Session, /) -> Ending: ...


class Grader(Protocol):
    async def collect(self, task: Task, sandbox: Sandbox, /) -> Submission:
        """The agent's work, as a patch against the base commit."""
        ...

    async def grade(self, task: Task, submission: Submission, sandboxes: Sandboxes, /) -> Grade:
        """Apply and test in a fresh box. Machine trouble raises; it is never a verdict."""
        ...


@runtime_checkable
class Foreseen(Protocol):
    """A grader whose boxes may be opened before it asks for them."""

    def opens(self, task: Task, /) -> Sequence[Environment]:
        """What `grade` opens, in its order."""
        ...


class Store(Protocol):
    def append(self, record: Record, /) -> None:
        """Return only once `record` would survive a crash."""
        ...

    def records(self) -> Iterator[Record]: ...


class Trace(Protocol):
    """The events of one try, each on disk before `emit` returns."""

    def emit(self, kind: str, data: Mapping[str, Any], /, *, sync: bool = False) -> None:
        """Append one event, which would survive our death; with `sync`, once it is `settled` or the
        trace is closed, the machine's too."""
        ...

    async def settled(self) -> None:
        """Return once that holds, wherever the trace is: act on what was written only then."""
        ...


class Archive(Protocol):
    """Where the evidence of attempts is kept."""

    def keep(self, data: bytes, /) -> str:
        """Store bytes under their sha256, and return it."""
        ...

    def fetch(self, digest: str, /) -> bytes: ...

    def tries(self, attempt: Attempt, /) -> int:
        """How many tries of this attempt have left a trace."""
        ...

    def events(self, attempt: Attempt, number: int, /) -> Iterator[Event]:
        """What the try with that number (from 1) wrote; a torn last line is left out."""
        ...

    def trace(self, attempt: Attempt, number: int, /) -> AbstractContextManager[Trace]: ...


class Executor(Protocol):
    async def run(
        self, attempts: Iterable[Attempt], work: Work, settle: Callable[[Record], None], /
    ) -> None: ...
