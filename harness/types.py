"""The nouns. Frozen values; imports nothing from this project."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, Literal, NewType, TypeAlias

TaskId = NewType("TaskId", str)
Culprit: TypeAlias = Literal["model", "sandbox", "scaffold", "grader"]
Status: TypeAlias = Literal["passed", "failed", "skipped", "error", "missing"]
"""What became of one test. `missing`: it was expected, and nothing says that it ran."""


class Value:
    """Base of whatever is read from a file: an unknown key is an error, not a shrug."""

    __slots__ = ()
    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Environment(Value):
    """What a box is made from, and what it may use."""

    image: str
    """A Docker image name; empty where `recipe` says how to make one."""
    workdir: str
    """The repository's folder in the box, absolute."""
    recipe: str = ""
    """A folder on this machine with `Dockerfile` and `setup.sh`, or empty."""
    network: Literal["none", "open"] = "none"
    cpus: float = 2.0
    memory_mb: int = 4096
    pids: int = 1024
    variables: Mapping[str, str] = field(default_factory=dict)
    base: str = ""
    """The agent's view: no object newer than this commit is in the repository. Empty: untouched."""
    door: str = ""
    """A unix socket of this machine, at 127.0.0.1:8377 in the box. Empty: none."""
    mounts: Mapping[str, str] = field(default_factory=dict)
    """Folders of this machine, each with its absolute path in the box, where it is read-only."""

    @property
    def name(self) -> str:
        return self.image or self.recipe

    @property
    def untouched(self) -> Environment:
        """The grader's view: the repository as it came, and nothing of what an agent is given."""
        return replace(self, base="", door="", mounts={})


@dataclass(frozen=True, slots=True)
class Brief(Value):
    """All that a scaffold may see of a task."""

    id: TaskId
    statement: str
    environment: Environment


@dataclass(frozen=True, slots=True)
class Task(Value):
    brief: Brief
    oracle: Mapping[str, Any]
    """What only the grader may see: hidden tests, expected ids, scripts, the reference patch."""
    grader: str
    origin: str
    """Where it came from: `dataset@revision`."""
    facets: Mapping[str, str] = field(default_factory=dict)
    """What a person selects by: `repo`, `language`, `difficulty`."""

    @property
    def id(self) -> TaskId:
        return self.brief.id


@dataclass(frozen=True, slots=True)
class Limits(Value):
    """What one attempt may spend. None: unbounded."""

    turns: int | None = 250
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = 3600.0


@dataclass(frozen=True, slots=True)
class Part(Value):
    """A plug-in by name, with its knobs."""

    name: str
    knobs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return ",".join([self.name, *(f"{k}={_spell(v)}" for k, v in sorted(self.knobs.items()))])


def _spell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True, slots=True)
class Condition(Value):
    """One cell of the experiment: everything that could change a result."""

    model: Part
    scaffold: Part
    sandbox: Part
    limits: Limits = Limits()

    @property
    def digest(self) -> str:
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def label(self) -> str:
        return f"{self.model} + {self.scaffold}"


@dataclass(frozen=True, slots=True, order=True)
class Attempt(Value):
    """One measurement owed: this task, under this condition, this time."""

    task: TaskId
    condition: str
    """The digest of the condition."""
    repeat: int

    @property
    def id(self) -> str:
        """A name that is safe as a file's and unique among attempts."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", self.task)
        if plain != self.task or len(plain) > 120 or plain.startswith((".", "-")):
            mark = hashlib.sha256(self.task.encode(errors="surrogatepass")).hexdigest()[:20]
            # No plain name has a plus, so none can be spelt like one that was changed.
            plain = f"{plain.lstrip('.-')[:100]}+{mark}"
        return f"{plain}~{self.condition}~{self.repeat}"


class Ending(StrEnum):
    """Why the scaffold stopped. A limit is an ending, not an error."""

    SUBMITTED = "submitted"
    TURNS = "turns"
    TOKENS = "tokens"
    COST = "cost"
    TIME = "time"
    CONTEXT = "context"
    """The conversation no longer fits the model's window, and the policy has nothing to drop."""
    REFUSED = "refused"
    GAVE_UP = "gave_up"
    """The model went on slipping after the retry policy's last chance."""


@dataclass(frozen=True, slots=True)
class Usage(Value):
    """Tokens are disjoint but for `reasoning`, which is part of `output`.

    `usd` is None where a call had no price: never a guess.
    """

    calls: int = 0
    fresh: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    usd: float | None = 0.0

    @property
    def prompt(self) -> int:
        return self.fresh + self.cache_read + self.cache_write

    @property
    def tokens(self) -> int:
        return self.prompt + self.output

    def __add__(self, other: Usage) -> Usage:
        unpriced = self.usd is None or other.usd is None
        return Usage(
            self.calls + other.calls,
            self.fresh + other.fresh,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.output + other.output,
            self.reasoning + other.reasoning,
            None if unpriced else (self.usd or 0.0) + (other.usd or 0.0),
        )


@dataclass(frozen=True, slots=True)
class Clocks(Value):
    """Where the seconds of one try went: images made ready, boxes opened and closed, and so on."""

    total: float = 0.0
    prepare: float = 0.0
    box: float = 0.0
    model: float = 0.0
    tool: float = 0.0
    grade: float = 0.0
    queue: float = 0.0
    """Waiting for room at the endpoint: no time of the model's, and none of the attempt's."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What leaves the agent's box: a git patch as bytes, since files need not be UTF-8."""

    patch: bytes


@dataclass(frozen=True, slots=True)
class Tally(Value):
    """How one list of expected tests came out."""

    passed: int = 0
    failed: int = 0
    missing: int = 0

    @property
    def total(self) -> int:
        return self.passed + self.failed + self.missing


Reason: TypeAlias = Literal[
    "resolved",
    "tests_failed",
    "tests_missing",
    "empty_patch",
    "not_submitted",
    "patch_failed",
    "patch_refused",
    "tests_hung",
    "tampered",
]


@dataclass(frozen=True, slots=True)
class Verdict(Value):
    """A grader's word on one submission."""

    resolved: bool
    reason: Reason
    mode: str = "strict"
    fail_to_pass: Tally = Tally()
    pass_to_pass: Tally = Tally()
    notes: tuple[str, ...] = ()
    """What a reader should know: restored files, forged lines, quirks that were reproduced."""


@dataclass(frozen=True, slots=True)
class Grade:
    """A verdict with what it was read from: per-test statuses, and logs by name."""

    verdict: Verdict
    tests: Mapping[str, Status] = field(default_factory=dict)
    logs: Mapping[str, bytes] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the record is to say of the grading itself."""


@dataclass(frozen=True, slots=True)
class Graded(Value):
    """A measurement."""

    attempt: Attempt
    verdict: Verdict
    ending: Ending
    usage: Usage
    """What the attempt consumed, counted as though it had never been interrupted."""
    clocks: Clocks
    tried: int = 1
    """The number of the try that settled it."""
    spent: Usage = Usage()
    """What this try paid for: replies that were replayed cost nothing again."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Model as served, image digest, limits as enforced, divergence of a replay."""
    blobs: Mapping[str, str] = field(default_factory=dict)
    """Evidence by name: `patch`, `tests`, `expected`, `log.*`, each a sha256 under `blobs/`."""
    at: str = ""
    """When it was settled, UTC, ISO 8601."""
    kind: Literal["graded"] = "graded"


@dataclass(frozen=True, slots=True)
class Faulted(Value):
    """No measurement. Never a zero."""

    attempt: Attempt
    culprit: Culprit
    message: str
    usage: Usage
    clocks: Clocks
    tried: int = 1
    spent: Usage = Usage()
    facts: Mapping[str, Any] = field(default_factory=dict)
    blobs: Mapping[str, str] = field(default_factory=dict)
    at: str = ""
    kind: Literal["faulted"] = "faulted"


Record: TypeAlias = Graded | Faulted


@dataclass(frozen=True, slots=True)
class ToolCall:
    id: str
    name: str
    arguments: str
    """As the model wrote it: JSON if all went well."""


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant", "tool"]
    content: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    reasoning: str | None = None
    """What the model thought aloud, in the field that `reasoning_field` names."""
    reasoning_field: str = "reasoning_content"
    sealed: str = field(default="", repr=False)
    """What goes back to the endpoint as it came, signed or encrypted: only its wire reads it."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call; `parameters` is JSON Schema, as text."""

    name: str
    description: str
    parameters: str


@dataclass(frozen=True, slots=True)
class Request:
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    stop: tuple[str, ...] = ()
    seed: int | None = None


Finish: TypeAlias = Literal["stop", "tool_calls", "length", "refusal"]


@dataclass(frozen=True, slots=True)
class Reply:
    message: Message
    usage: Usage
    finish: Finish = "stop"
    served: Mapping[str, str] = field(default_factory=dict)
    """What the endpoint says of itself: `model`, `fingerprint`, `provider`, `id`."""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What became of one command in a box."""

    exit_code: int | None
    """None where `ended` is not `exit`."""
    output: bytes
    """Standard output and error as they came, head and tail kept where there was too much."""
    seconds: float
    omitted: int = 0
    """Bytes left out between head and tail; a line in `output` marks the gap."""
    ended: Literal["exit", "deadline", "lost"] = "exit"
    """`deadline`: it outlived `kill_after`. `lost`: it killed the shell that ran it."""

    @property
    def text(self) -> str:
        return self.output.decode(errors="replace")

    @property
    def ok(self) -> bool:
        return self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """An environment that is ready to be opened."""

    digest: str
    """Of the image or the layer: what a record pins."""
    seconds: float = 0.0
