"""What a shell script runs: its simple commands, without the wrappers that stand before them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from results.audit.lexer import Draft, Lexer

DEEPEST = 4
LONGEST_PIPE = 8
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ash", "ksh"})
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=.*", re.DOTALL)
_KEYWORDS = frozenset(
    ["if", "then", "elif", "else", "fi", "while", "until", "do", "done", "!", "{", "}"]
)
_SEARCHERS = frozenset(
    [
        "grep",
        "egrep",
        "fgrep",
        "zgrep",
        "rg",
        "ag",
        "ack",
        "sed",
        "gsed",
        "awk",
        "gawk",
        "mawk",
        "jq",
        "perl",
    ]
)
_SPEAKERS = frozenset({"echo", "printf", "export", "declare", "alias", "for", "case"})
_VALUED_GIT = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace"})


@dataclass(frozen=True, slots=True)
class _Wrapper:
    """A program that runs another: which of its options take a value, and its own operands."""

    valued: str = ""
    operands: int = 0


_WRAPPERS: Mapping[str, _Wrapper] = {
    "sudo": _Wrapper("-u -g -h -p"),
    "env": _Wrapper("-u -C -S"),
    "timeout": _Wrapper("-k -s", 1),
    "nice": _Wrapper("-n"),
    "stdbuf": _Wrapper("-i -o -e"),
    "xargs": _Wrapper("-I -n -P -L -d -E -s -a"),
    "time": _Wrapper("-o -f"),
    "nohup": _Wrapper(),
    "command": _Wrapper(),
    "builtin": _Wrapper(),
    "exec": _Wrapper("-a"),
    "setsid": _Wrapper(),
}


@dataclass(frozen=True, slots=True)
class Ran:
    """One simple command, its program first and without its folder."""

    words: tuple[str, ...]
    line: str
    """As it was written."""
    into: str = ""
    """The next few commands of its pipeline, as written."""
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    """What it expands that the script did not set itself."""
    body: str = ""
    """The text of its heredocs: its input, never commands."""
    feeds: str = ""
    """The heredoc of the command before it in the pipeline, where that only passes it on."""
    places: tuple[str, ...] = ()
    """What may name files: no options, search patterns, scripts or messages. Normal paths."""

    @property
    def program(self) -> str:
        return self.words[0]

    @property
    def operands(self) -> tuple[str, ...]:
        return tuple(word for word in self.words[1:] if not word.startswith("-"))


def commands(script: str, depth: int = 0) -> Iterator[Ran]:
    """Every simple command of a script, also inside of substitutions, `sh -c` and `-exec`."""
    lexer = Lexer(script)
    drafts = lexer.run()
    own = {found[1] for draft in drafts for word in draft.words if (found := _assigned(word))}
    for at, draft in enumerate(drafts):
        words = _bare(draft.words)
        ran = Ran(
            words=words or ("",),
            line=_line(lexer.text, draft),
            into=_into(lexer.text, drafts, at),
            writes=tuple(draft.writes),
            reads=tuple(draft.reads),
            variables=tuple(name for name in draft.variables if name not in own),
            body="\n".join(draft.bodies),
            feeds=_feeds(drafts, at),
        )
        yield _placed(ran)
        if depth < DEEPEST:
            yield from _within(ran, depth + 1)
    if depth < DEEPEST:
        for script_inside in lexer.nested:
            yield from commands(script_inside, depth + 1)


def given(argv: Sequence[str]) -> str:
    """The script of `sh -c script`, else the words of a command, quoted where they need it."""
    if inner := _inline(argv):
        return inner
    return " ".join(
        word if re.fullmatch(r"[\w./:=@%+,-]+", word) else _quote(word) for word in argv
    )


def _within(ran: Ran, depth: int) -> Iterator[Ran]:
    if ran.program in SHELLS:
        fed = "" if ran.operands else ran.body or ran.feeds
        yield from commands(_inline(ran.words) or fed, depth)
    elif ran.program == "eval":
        yield from commands(" ".join(ran.words[1:]), depth)
    elif ran.program == "find":
        for at, word in enumerate(ran.words):
            if word in ("-exec", "-execdir", "-ok") and (words := _bare(ran.words[at + 1 :])):
                end = next((i for i, w in enumerate(words) if w in (";", "+")), len(words))
                yield _placed(replace(ran, words=words[:end] or ("",), variables=()))


def _placed(ran: Ran) -> Ran:
    named = (*_places(ran), *ran.reads, *ran.writes)
    return replace(ran, places=tuple(posixpath.normpath(name) for name in named if name))


def _inline(argv: Sequence[str]) -> str:
    """What a shell is told to run by `-c`, bundled with other letters or not."""
    if not argv or posixpath.basename(argv[0]) not in SHELLS:
        return ""
    for at, word in enumerate(argv[1:-1], start=1):
        if re.fullmatch(r"-[a-z]*c[a-z]*", word):
            return argv[at + 1]
        if not word.startswith("-"):
            break
    return ""


def _bare(words: Sequence[str]) -> tuple[str, ...]:
    """A command without assignments, keywords and wrappers before it."""
    left = list(words)
    while left:
        name = posixpath.basename(left[0])
        if left[0] in _KEYWORDS or _assigned(left[0]):
            left = left[1:]
        elif (wrapper := _WRAPPERS.get(name)) and (inner := _past(left[1:], wrapper)):
            left = inner
        else:
            break
    return _normal(left)


def _past(words: Sequence[str], wrapper: _Wrapper) -> list[str]:
    """What is left of a wrapper's words once its own are gone."""
    left, operands = list(words), wrapper.operands
    while left:
        if left[0] in wrapper.valued.split():
            left = left[2:]
        elif left[0].startswith("-") or _assigned(left[0]):
            left = left[1:]
        elif operands:
            left, operands = left[1:], operands - 1
        else:
            break
    return left


def _normal(words: Sequence[str]) -> tuple[str, ...]:
    """One spelling: `python3 -m pip` and `uv pip` are pip, git's own options are gone."""
    if not words:
        return ()
    program = posixpath.basename(words[0]) or words[0]
    rest = list(words[1:])
    if re.fullmatch(r"(python|pypy)[\d.]*", program):
        program = "python"
        if rest[:2] == ["-m", "pip"]:
            program, rest = "pip", rest[2:]
    elif program == "uv" and rest[:1] == ["pip"]:
        program, rest = "pip", rest[1:]
    elif re.fullmatch(r"pip[\d.]+", program):
        program = "pip"
    while program == "git" and rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] in _VALUED_GIT else rest[1:]
    return (program, *rest)


def _places(ran: Ran) -> Iterator[str]:
    program, words = ran.program, list(ran.words[1:])
    if program in _SPEAKERS or (program == "git" and words[:1] in (["commit"], ["tag"], ["notes"])):
        return
    if program == "find":
        words = words[: next((i for i, w in enumerate(words) if w.startswith("-")), len(words))]
    elif program in _SEARCHERS or (program == "git" and words[:1] == ["grep"]):
        words = _without_pattern(words[1:] if program == "git" else words)
    elif program in ("python", "node", "ruby", "php", "deno", "bun", *SHELLS):
        words = [w for before, w in zip(["", *words], words, strict=False) if before not in _INLINE]
    for word in words:
        if not word.startswith("-"):
            yield word
        if "=" in word:
            yield word.partition("=")[2]


_INLINE = frozenset({"-c", "-lc", "-ec", "-xc", "-e", "-p", "-r", "--eval", "--print"})


def _without_pattern(words: Sequence[str]) -> list[str]:
    """The operands of a searching program after what it searches for."""
    named = [i for i, w in enumerate(words) if w in ("-e", "--regexp", "--expression")]
    left = [w for i, w in enumerate(words) if i - 1 not in named and not w.startswith("-")]
    return left if named else left[1:]


def _assigned(word: str) -> re.Match[str] | None:
    return _ASSIGNMENT.fullmatch(word)


def _line(text: str, draft: Draft) -> str:
    return " ".join(text[draft.begin : draft.end].split())


def _into(text: str, drafts: Sequence[Draft], at: int) -> str:
    last = at
    while drafts[last].piped and last + 1 < len(drafts) and last - at < LONGEST_PIPE:
        last += 1
    return " | ".join(_line(text, draft) for draft in drafts[at + 1 : last + 1])


def _feeds(drafts: Sequence[Draft], at: int) -> str:
    before = drafts[at - 1] if at else None
    passes = before is not None and before.piped and before.words[:1] in (["cat"], ["echo"])
    if before is None or not passes:
        return ""
    return "\n".join(before.bodies) or " ".join(before.words[1:])


def _quote(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
