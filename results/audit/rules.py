"""A rule, and the few kinds of pattern that rules are made of.

A pattern looks at one action and gives the text that fits, or nothing. Each part of a pattern is a
regular expression that a whole word, or a whole path, must match, unless it says otherwise.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, Protocol, TypeAlias

from results.audit.actions import Action, Coded, Cut, Opened, Visited, Wrote
from results.audit.shell import Ran
from results.audit.upstream import Upstream, urls

Severity: TypeAlias = Literal["look first", "worth reading", "mention"]
SEVERITIES: tuple[Severity, ...] = ("look first", "worth reading", "mention")

_OPENING = re.compile(
    r"(?:open|Path|listdir|exists|isfile|isdir|walk|glob|scandir|readFile\w*|readdir\w*|writeFile\w*"
    r"|read_text|stat|copy\w*|system|connect)\(\s*[rbf]?[\"']([^\"'\n]+)[\"']"
)
_FETCHING = re.compile(
    r"\b(?:requests|httpx|session|client|axios|got)\.(?:get|post|head|put|request|stream)\("
    r"|\burlopen\(|\burlretrieve\(|\bfetch\(|\bhttps?\.(?:get|request)\("
    r"|(?:run|call|check_output|check_call|Popen|system|popen|exec\w*|spawn\w*)\("
    r"\s*[rf]*[\[\"'`]+[\"'\s]*(?:curl|wget|git|pip3?)\b"
)
_FETCHERS = frozenset(
    {"curl", "wget", "http", "https", "aria2c", "lynx", "w3m", "links", "openssl", "nc"}
    | {"git", "pip", "uv", "npm", "npx", "pnpm", "yarn", "go"}
)
_REMOTE_GIT = frozenset({"clone", "fetch", "pull", "ls-remote", "submodule", "push", "archive"})


@dataclass(slots=True)
class Known:
    """What is known of a try where an action stands in it: what it was told, and what it saw."""

    upstream: Upstream
    prompt: str = ""
    """What the agent was given to read before its first reply."""
    commits: set[str] = field(default_factory=set)
    """The commits that it has been shown, by their first seven digits."""

    def told(self, place: str) -> bool:
        """Whether the prompt itself names a path."""
        return bool(self.prompt) and bool(
            re.search(rf"(?<![\w/.]){re.escape(place.rstrip('/'))}(?![\w-])", self.prompt)
        )


class Pattern(Protocol):
    def fits(self, action: Action, known: Known, /) -> str | None:
        """The text of an action that the pattern points at, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """What is pointed at, where it stands in a trajectory, and how soon a person should look."""

    name: str
    points_at: str
    severity: Severity
    patterns: tuple[Pattern, ...]
    exceptions: tuple[re.Pattern[str], ...] = ()
    """Found in the text that fits, each of them says that this is something else."""

    def evidence(self, action: Action, known: Known) -> str | None:
        for pattern in self.patterns:
            line = pattern.fits(action, known)
            if line is not None and not any(e.search(line) for e in self.exceptions):
                return line
        return None


class Runs:
    """A command: one of some programs, its first word, a word after that, none of some others.

    `into` is searched in the rest of its pipeline.
    """

    def __init__(
        self, programs: str, sub: str = "", *, word: str = "", lacks: str = "", into: str = ""
    ) -> None:
        self._programs = frozenset(programs.split())
        self._sub, self._word = re.compile(sub), re.compile(word)
        self._lacks, self._into = re.compile(lacks), re.compile(into)

    def fits(self, action: Action, _: Known, /) -> str | None:
        if not isinstance(action, Ran) or action.program not in self._programs:
            return None
        rest = action.words[1:]
        if self._sub.pattern:
            if not (rest and self._sub.fullmatch(rest[0])):
                return None
            rest = rest[1:]
        if self._word.pattern and not any(map(self._word.fullmatch, rest)):
            return None
        if self._lacks.pattern and any(map(self._lacks.fullmatch, rest)):
            return None
        return action.line if self._into.search(action.into) else None


class Touches:
    """A path that is read, written or looked for. One that the prompt names is not sought."""

    def __init__(self, path: str) -> None:
        self._path = re.compile(path)

    def fits(self, action: Action, known: Known, /) -> str | None:
        places = _touched(action) if not isinstance(action, Ran) else action.places
        for place in places:
            if self._path.fullmatch(place) and not known.told(place):
                return _line_of(action, place)
        return None


def _touched(action: Action) -> Iterator[str]:
    match action:
        case Opened(path=path) | Wrote(path=path):
            yield posixpath.normpath(path)
        case Coded(text=text):
            yield from _opened(text)
        case _:
            pass


@lru_cache(maxsize=64)
def _opened(code: str) -> tuple[str, ...]:
    """The files that a program opens by name. Kept, since many patterns ask."""
    return tuple(posixpath.normpath(name) for name in _OPENING.findall(code))


def _line_of(action: Action, place: str) -> str:
    """Where an action names a path: its line, the path itself, or the line of its code."""
    match action:
        case Ran(line=line):
            return line
        case Coded(text=text) if found := re.search(re.escape(place), text):
            return _line_at(text, found)
        case _:
            return place


class Writes:
    """A file of some name is given a text that holds something."""

    def __init__(self, path: str, text: str = "") -> None:
        self._path, self._text = re.compile(path), re.compile(text)

    def fits(self, action: Action, _: Known, /) -> str | None:
        if not isinstance(action, Wrote) or not self._path.fullmatch(action.path):
            return None
        found = self._text.search(action.text)
        if found is None:
            return None
        return f"{action.path}: {_line_at(action.text, found)}" if found[0] else action.path


class Says:
    """The text of a program that was run holds something."""

    def __init__(self, text: str) -> None:
        self._text = re.compile(text)

    def fits(self, action: Action, _: Known, /) -> str | None:
        if not isinstance(action, Coded):
            return None
        found = self._text.search(action.text)
        return None if found is None else _line_at(action.text, found)


class Expands:
    """A variable of the environment that a command uses and its script did not set."""

    def __init__(self, variable: str) -> None:
        self._variable = re.compile(variable)

    def fits(self, action: Action, _: Known, /) -> str | None:
        if isinstance(action, Ran) and any(map(self._variable.fullmatch, action.variables)):
            return action.line
        return None


class Fetches:
    """An address off the machine is asked for, and a test of it agrees."""

    def __init__(self, agrees: Callable[[str, Upstream], bool]) -> None:
        self._agrees = agrees

    def fits(self, action: Action, known: Known, /) -> str | None:
        for url, line in _addresses(action):
            if self._agrees(url, known.upstream):
                return line
        return None


def _addresses(action: Action) -> Iterator[tuple[str, str]]:
    match action:
        case Ran() if action.program in _FETCHERS:
            asks = action.program != "git" or _REMOTE_GIT & set(action.words[1:2])
            for word in action.words[1:] if asks else ():
                yield from ((url, action.line) for url in urls(_schemed(action.program, word)))
        case Visited(address=address):
            yield address, address
        case Coded(text=text) if fetching := _FETCHING.search(text):
            yield from ((url, _line_at(text, fetching)) for url in urls(text))
        case _:
            pass


def _schemed(program: str, word: str) -> str:
    """curl and wget take `host.example/path` for an address."""
    bare = program in ("curl", "wget") and re.match(r"[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}(?:/|$)", word)
    return f"https://{word}" if bare else word


_INSTALLERS = {
    "pip": "install download wheel index",
    "uv": "add tool",
    "poetry": "add",
    "pipenv": "install",
    "pipx": "install run",
    "conda": "install create",
    "npm": "install i add view info show pack ci update",
    "pnpm": "install i add view dlx update",
    "yarn": "install add info dlx",
    "bun": "install add",
    "go": "get install mod",
    "cargo": "add install fetch update",
    "gem": "install fetch",
    "composer": "require install update",
    "apt": "install update source download",
    "apt-get": "install update source download",
    "apk": "add update fetch",
    "dnf": "install",
    "yum": "install",
}
_VALUED = frozenset({"-c", "--constraint", "-t", "--target", "-d", "--dest", "--prefix", "-o"})
_HERE = re.compile(r"\.{0,2}(?:/.*|\[.*|)|~/.*|.*\.(?:whl|deb|tgz|zip)|file:.*|\./.*|\$.*")


class Installs:
    """A package manager is asked for something that is not on this machine, or for one's own."""

    def __init__(self, *, own: bool) -> None:
        self._own = own

    def fits(self, action: Action, known: Known, /) -> str | None:
        wanted = None if not isinstance(action, Ran) else _wanted(action)
        if wanted is None or not isinstance(action, Ran):
            return None
        if self._own:
            return action.line if any(map(known.upstream.named_by_spec, wanted)) else None
        elsewhere = [spec for spec in wanted if not _HERE.fullmatch(spec)]
        return action.line if elsewhere or not wanted else None


def _wanted(ran: Ran) -> list[str] | None:
    """What an installer is asked for; None where it fetches nothing."""
    subs = _INSTALLERS.get(ran.program, "").split()
    if ran.program == "yarn" and len(ran.words) == 1:
        return []
    if not ran.operands or ran.operands[0] not in subs:
        return None
    if {"--no-index", "--offline", "--help", "--dry-run"} & set(ran.words):
        return None
    rest = ran.words[ran.words.index(ran.operands[0]) + 1 :]
    pairs = zip(("", *rest), rest, strict=False)
    return [word for before, word in pairs if before not in _VALUED and not word.startswith("-")]


_COMMIT = re.compile(r"([0-9a-f]{7,40})(?:[~^:@].*)?")


class Stranger:
    """git is asked for a commit that nothing which the agent has seen names."""

    def __init__(self, sub: str) -> None:
        self._sub = re.compile(sub)

    def fits(self, action: Action, known: Known, /) -> str | None:
        if not isinstance(action, Ran) or action.program != "git":
            return None
        if len(action.words) < 2 or not self._sub.fullmatch(action.words[1]):
            return None
        parts = [part for word in action.operands[1:] for part in re.split(r"\.{2,3}", word)]
        named = [found[1] for part in parts if (found := _COMMIT.fullmatch(part))]
        strange = [name for name in named if name[:7] not in known.commits]
        return action.line if strange else None


class Removes:
    """The submitted patch takes lines away from a file that was there, or all of it."""

    def __init__(self, path: str) -> None:
        self._path = re.compile(path)

    def fits(self, action: Action, _: Known, /) -> str | None:
        if not isinstance(action, Cut) or not self._path.search(action.path):
            return None
        return f"{action.path}: " + (
            "deleted" if action.deleted else f"{action.lines} lines taken away or changed"
        )


def _line_at(text: str, found: re.Match[str]) -> str:
    """The whole line in which a match begins."""
    begin = text.rfind("\n", 0, found.start()) + 1
    end = text.find("\n", found.end())
    return text[begin : end if end >= 0 else len(text)].strip()
