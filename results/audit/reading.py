"""One trace, read event by event: what the agent did, in which event, and what came of it.

An agent's commands are those that a reply of its model asked for. What a scaffold runs of its own
accord, such as the installation of a program, is not the agent's and is not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from harness.api import Event
from results.audit.actions import Action, Desk, Opened, Wrote, of_patch, shell_text
from results.audit.rules import Known
from results.audit.shell import Ran, given

Outcome: TypeAlias = Literal["exit 0", "exit other", "refused", "killed", "not seen"]
"""What came of a whole script, of which the line may be a part. `refused`: its output says so."""

MOST_PROMPT = 1 << 18
MOST_OUTPUT = 1 << 18
MOST_COMMITS = 1 << 16
SHORT, LONG = 400, 4000
_COMMIT = re.compile(r"\b[0-9a-f]{7,40}\b")
_REFUSED = re.compile(
    r"Could not resolve|Temporary failure in name resolution|Name or service not known|"
    r"Network is unreachable|Connection refused|Failed to connect|unable to access|"
    r"Could not find a version|No matching distribution|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|"
    r"fatal: (?:bad object|bad revision|ambiguous argument|unable to read|Not a valid)"
)
_SHORT_REFUSAL = re.compile(r"No such file or directory|Permission denied|command not found")


@dataclass(frozen=True, slots=True)
class Step:
    """Something that the agent did, and where the trace says so."""

    event: int
    """The line of the trace, from 1."""
    seconds: float
    """Since the try began."""
    actions: tuple[Action, ...]
    outcome: Outcome = "not seen"
    output: str = ""

    @property
    def shows_commits(self) -> bool:
        """Whether it is worth while to look for commits in the output: not in long listings."""
        ran_git = any(isinstance(a, Ran) and a.program == "git" for a in self.actions)
        return ran_git or len(self.output) < LONG


@dataclass(slots=True)
class _Asked:
    """A call of a tool, until it is known what came of it."""

    event: int
    seconds: float
    call: Mapping[str, Any]
    arguments: Mapping[str, Any]
    script: str
    """What it asks a shell to run, or nothing."""
    output: str = ""


@dataclass(slots=True)
class Reader:
    """One try being read; `known` grows with it."""

    known: Known
    fetch: Callable[[str], bytes]
    """The bytes of a submitted patch by its digest."""
    skips_replay: bool = False
    """The try that this one continues has been read: what it replays is not read again."""
    replies: int = 0
    commands: int = 0
    _desk: Desk = field(default_factory=Desk)
    _asked: list[_Asked] = field(default_factory=list)
    _said: str = ""
    _replayed: bool = False

    def steps(self, events: Iterable[Event]) -> Iterator[Step]:
        """What the agent did, in order. Whoever takes a step says by `saw` what it showed."""
        for number, event in enumerate(events, start=1):
            at = float(event["at"])
            match event["kind"]:
                case "message":
                    self._message(event)
                case "reply":
                    yield from self._left_over()
                    self._reply(number, at, event)
                case "exec":
                    yield from self._exec(number, at, event)
                case "read" | "write":
                    yield from self._file(number, at, event)
                case "submission":
                    yield from self._left_over()
                    patch = self.fetch(str(event.get("patch", "")))
                    yield Step(number, at, tuple(of_patch(patch)))
                case _:
                    pass
        yield from self._left_over()

    def saw(self, output: str) -> None:
        """The agent has been shown the commits that a text names."""
        if len(self.known.commits) < MOST_COMMITS:
            found = _COMMIT.findall(output[:MOST_OUTPUT])
            self.known.commits.update(commit[:7] for commit in found)

    def _message(self, event: Event) -> None:
        message = _map(event.get("message"))
        content = str(message.get("content") or "")
        if not self.replies and message.get("role") in ("system", "user"):
            self.known.prompt = f"{self.known.prompt}\n{content}"[:MOST_PROMPT]
            self.saw(content)
        for asked in self._asked:
            if message.get("call_id") and message["call_id"] == asked.call.get("id"):
                asked.output = content

    def _reply(self, number: int, at: float, event: Event) -> None:
        self.replies += 1
        self._replayed = self.skips_replay and event.get("live") is False
        message = _map(_map(event.get("reply")).get("message"))
        calls = [_map(call) for call in message.get("calls") or ()]
        self._said = "" if calls else str(message.get("content") or "")
        for call in calls:
            arguments = _arguments(call.get("arguments"))
            text = shell_text(arguments)
            script = text if isinstance(text, str) else given(text)
            self._asked.append(_Asked(number, at, call, arguments, script))

    def _exec(self, number: int, at: float, event: Event) -> Iterator[Step]:
        script = given([str(word) for word in event.get("argv") or ()])
        bare = script.strip()
        asked = next((a for a in self._asked if a.script and a.script.strip() == bare), None)
        if asked is not None:
            self._asked.remove(asked)
        elif not bare or bare not in self._said:
            return
        output = str(event.get("output") or "")
        yield Step(number, at, self._read(self._desk.script(script)), _outcome(event), output)
        self.commands += not self._replayed

    def _left_over(self) -> Iterator[Step]:
        """Calls that no exec answers: tools of another kind, or of a program in the box."""
        asked, self._asked = self._asked, []
        for call in asked:
            if call.script:
                did = self._read(self._desk.script(call.script))
                self.commands += not self._replayed
            else:
                did = self._read(self._desk.tool(str(call.call.get("name")), call.arguments))
            outcome: Outcome = "refused" if _is_refused(call.output) else "not seen"
            yield Step(call.event, call.seconds, did, outcome, call.output)

    def _file(self, number: int, at: float, event: Event) -> Iterator[Step]:
        """A file that a call written into the text of a reply reads or writes."""
        path = str(event.get("path", ""))
        if self._said and path.removeprefix("./") in self._said:
            writes = event["kind"] == "write"
            action: Action = Wrote(path, self._said) if writes else Opened(path)
            yield Step(number, at, self._read((action,)))

    def _read(self, actions: Iterable[Action]) -> tuple[Action, ...]:
        did = tuple(actions)
        return () if self._replayed else did


def _outcome(event: Event) -> Outcome:
    if event.get("ended") != "exit":
        return "killed"
    if _is_refused(str(event.get("output") or "")):
        return "refused"
    return "exit 0" if event.get("exit_code") == 0 else "exit other"


def _is_refused(output: str) -> bool:
    short = len(output) < SHORT and _SHORT_REFUSAL.search(output)
    return bool(short) or _REFUSED.search(output[:MOST_OUTPUT]) is not None


def _arguments(text: object) -> Mapping[str, Any]:
    """A call's arguments; empty where they are no JSON object, since no tool takes that."""
    try:
        return _map(json.loads(text) if isinstance(text, str) else text)
    except ValueError:
        return {}


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
