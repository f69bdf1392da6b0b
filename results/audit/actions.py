"""What an agent did, one thing at a time, whichever tool it did it with."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from results.audit.shell import SHELLS, Ran, commands

MOST_KEPT = 1 << 20
_INTERPRETERS = frozenset({"python", "node", "ruby", "perl", "php", "deno", "bun", "tsx"})
_INLINE = re.compile(r"-[a-zA-Z]*[ce]|--eval|--print|-r")
_PATCHED = re.compile(r"^\+\+\+ (?:b/)?(\S+)|^\*\*\* (?:Update|Add) File: (.+)$", re.MULTILINE)
_PATH_KEYS = ("path", "file_path", "filename", "notebook_path", "filepath", "absolute_path")
_TEXT_KEYS = ("text", "new", "content", "file_text", "new_str", "new_string", "insert_text")
_SCRIPT_KEYS = ("command", "cmd", "script", "commands")
_EDITING = re.compile(r"\.replace\(|\bre\.sub\(")
_LONG_STRING = re.compile(r"(\'{3}|\"{3}).*?\1", re.DOTALL)
_SCRIPT = re.compile(r".*\.(?:py|sh|bash|js|mjs|cjs|ts|rb|pl)")


@dataclass(frozen=True, slots=True)
class Coded:
    """Text of a program that was run: `python -c`, a heredoc, a script written before."""

    text: str


@dataclass(frozen=True, slots=True)
class Wrote:
    """A file was written. `text` is what was put there, as far as it can be seen."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A file or folder was looked at with a tool that is not a shell."""

    path: str


@dataclass(frozen=True, slots=True)
class Visited:
    """A page was asked for, or the web searched, with a tool that is not a shell."""

    address: str


@dataclass(frozen=True, slots=True)
class Cut:
    """An existing file from which the submitted patch takes lines away, or all of it."""

    path: str
    lines: int
    deleted: bool


Action: TypeAlias = Ran | Coded | Wrote | Opened | Visited | Cut


class Desk:
    """One agent's hands in one box: it remembers the scripts written, for when they are run."""

    def __init__(self) -> None:
        self._scripts: dict[str, str] = {}
        self._kept = 0

    def script(self, text: str) -> Iterator[Action]:
        """What a shell script does."""
        for ran in commands(text):
            yield ran
            for wrote in _writings(ran):
                self._remember(wrote)
                yield wrote
            for code in _code(ran):
                yield Coded(_without_edits(code))
            yield from self._running(ran)

    def tool(self, name: str, arguments: Mapping[str, Any]) -> Iterator[Action]:
        """What a call of a tool does that is not a shell: read from the names of its arguments."""
        if path := _first(arguments, _PATH_KEYS):
            texts = [arguments[key] for key in _TEXT_KEYS if isinstance(arguments.get(key), str)]
            texts += [str(e) for e in arguments.get("edits") or ()]
            if texts or "old" in arguments or "old_str" in arguments:
                wrote = Wrote(path, "\n".join(texts))
                self._remember(wrote)
                yield wrote
            else:
                yield Opened(path)
        if url := _first(arguments, ("url", "uri")):
            yield Visited(url)
        query = _first(arguments, ("query", "q"))
        if query and re.search(r"web|internet|browse", name, re.IGNORECASE):
            yield Visited(f"web search: {query}")
        if code := _first(arguments, ("code", "source")):
            yield Coded(code)
        if patch := _first(arguments, ("patch", "input", "diff")):
            yield from _patched(patch)

    def _remember(self, wrote: Wrote) -> None:
        if _SCRIPT.fullmatch(wrote.path) and self._kept + len(wrote.text) <= MOST_KEPT:
            self._kept += len(wrote.text)
            self._scripts[posixpath.basename(wrote.path)] = wrote.text

    def _running(self, ran: Ran) -> Iterator[Action]:
        """A script written before is read where it is run. Once: it may run itself."""
        if ran.program in _INTERPRETERS or ran.program in SHELLS or ran.program in (".", "source"):
            names = [posixpath.basename(word) for word in ran.operands[:1]]
        else:
            names = [ran.program]
        for text in (self._scripts.pop(name, "") for name in names):
            if text and names[0].endswith(("sh", "bash")):
                yield from commands(text)
            elif text:
                yield Coded(_without_edits(text))


def shell_text(arguments: Mapping[str, Any]) -> str | list[str]:
    """The script or the argument vector in a tool's arguments; empty where there is none."""
    if _first(arguments, _PATH_KEYS) and any(key in arguments for key in _TEXT_KEYS):
        return ""
    for key in _SCRIPT_KEYS:
        value = arguments.get(key)
        if isinstance(value, str) and not (_first(arguments, _PATH_KEYS) and " " not in value):
            return value
        if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            return value
    return ""


def _without_edits(code: str) -> str:
    """A program that edits files holds their text in long strings: those are not what it does."""
    return _LONG_STRING.sub('""', code) if _EDITING.search(code) else code


def _first(arguments: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    values = (arguments.get(key) for key in keys)
    return next((value for value in values if isinstance(value, str) and value), "")


def _code(ran: Ran) -> Iterator[str]:
    if ran.program not in _INTERPRETERS:
        return
    for option, text in zip(ran.words[1:], ran.words[2:], strict=False):
        if _INLINE.fullmatch(option):
            yield text
            return
    if not [word for word in ran.operands if word != "-"] and (ran.body or ran.feeds):
        yield ran.body or ran.feeds


def _writings(ran: Ran) -> Iterator[Wrote]:
    said = " ".join(ran.words[1:]) if ran.program in ("echo", "printf") else ""
    text = ran.body or ran.feeds or said
    for path in ran.writes:
        if not path.startswith("/dev/"):
            yield Wrote(path, text)
    yield from _written_by_program(ran, text)


def _written_by_program(ran: Ran, text: str) -> Iterator[Wrote]:
    operands = ran.operands
    match ran.program:
        case "tee" | "touch":
            yield from (Wrote(path, text) for path in operands)
        case "cp" | "mv" | "ln" | "install" if len(operands) > 1:
            yield Wrote(operands[-1], "")
        case "sed" | "perl" if any(re.match(r"-\w*i", word) for word in ran.words[1:]):
            yield from (Wrote(path, " ".join(operands[:1])) for path in operands[1:])
        case "git" | "patch" | "apply_patch":
            yield from _patched(ran.body or ran.feeds or " ".join(ran.words[1:2]))
        case _:
            pass


def _patched(patch: str) -> Iterator[Wrote]:
    """The files that a patch in either of the usual formats writes, with the lines it adds."""
    places = list(_PATCHED.finditer(patch))
    ends = [*(place.start() for place in places[1:]), len(patch)]
    for place, end in zip(places, ends, strict=False):
        body = patch[place.end() : end].splitlines()
        added = "\n".join(line[1:] for line in body if line.startswith("+"))
        yield Wrote(place[1] or place[2].strip(), added)


def of_patch(patch: bytes) -> Iterator[Action]:
    """What a submitted git patch writes, and what it takes away from files that were there."""
    text = patch[: 8 * MOST_KEPT].decode(errors="replace")
    for part in re.split(r"^diff --git ", text, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n@@")
        named = re.search(r"^--- (?:a/)?(.+)$", head, re.MULTILINE)
        removed = sum(line.startswith("-") for line in body.splitlines())
        if named and named[1].strip() != "/dev/null" and removed:
            deleted = re.search(r"^deleted file", head, re.MULTILINE) is not None
            yield Cut(named[1].strip().strip('"'), removed, deleted)
        yield from _patched(part)
