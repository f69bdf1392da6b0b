"""Shell text cut into simple commands, roughly: quotes, comments, heredocs and substitutions.

It is no shell. It knows where a command begins, so that what is quoted, searched for or written
into a file is not taken for something that was run; where it is unsure it takes words for words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_CHARACTERS = 400_000
_TOKEN = re.compile(
    r"""
    (?P<blank>(?:[ \t\r]|\\\r?\n)+)
  | (?P<comment>\#[^\n]*)
  | (?P<heredoc><<-?[ \t]*(?:'[^'\n]+'|"[^"\n]+"|\\?[A-Za-z_][\w.+-]*))
  | (?P<substitute>\$\((?!\()|[<>]\()
  | (?P<redirect>\d*(?:&>>|&>|<<<|>>|>\||>&|<&|<>|>|<))
  | (?P<operator>\n|&&|\|\||;;|\|&|[;&|()`])
  | (?P<single>'[^']*')
  | (?P<double>"(?:[^"\\]|\\.)*")
  | (?P<ansi>\$'(?:[^'\\]|\\.)*')
  | (?P<parameter>\$\{[^}\n]{0,200}\}|\$\w+)
  | (?P<escape>\\.)
  | (?P<plain>[^\s'"\\$\#<>|&;()`]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_EXPANDED = re.compile(r"\$\{?([A-Za-z_]\w*)")
_NESTED = re.compile(r"\$\(((?:[^()]|\([^()]*\))*)\)|`([^`]*)`")
_QUOTED_ESCAPE = re.compile(r'\\(["\\$`])')


@dataclass(slots=True)
class Draft:
    """One simple command as it is being read."""

    begin: int
    end: int = 0
    words: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    piped: bool = False
    """Its output is the next one's input."""


class Lexer:
    """One text being cut. `drafts` holds the commands in the order in which they end."""

    def __init__(self, text: str) -> None:
        self.text = text[:MOST_CHARACTERS]
        self.drafts: list[Draft] = []
        self.nested: list[str] = []
        """Scripts inside of double quotes: `"$(...)"`."""
        self._draft = Draft(0)
        self._word: str | None = None
        self._target = ""
        self._open: list[tuple[Draft, str | None] | None] = []
        self._awaited: list[tuple[Draft, str, bool]] = []

    def run(self) -> list[Draft]:
        place = 0
        while place < len(self.text):
            found = _TOKEN.match(self.text, place)
            assert found is not None, "the last alternative takes any character"
            kind, token = found.lastgroup or "plain", found[0]
            if kind == "comment" and self._word is not None:
                kind, token = "plain", "#"
            place += len(token)
            self._take(kind, token, place)
            if token == "\n" and self._awaited:
                place = self._bodies(place)
        self._end_command(place)
        return self.drafts

    def _take(self, kind: str, token: str, end: int) -> None:
        match kind:
            case "blank" | "comment":
                self._end_word()
            case "heredoc" | "redirect":
                self._redirected(kind, token)
            case "operator":
                self._operator(token, end)
            case "substitute":
                self._open.append((self._draft, self._word))
                self._draft, self._word = Draft(end), None
            case _:
                self._add(kind, token)
        if kind not in ("blank", "comment", "operator"):
            self._draft.end = end

    def _add(self, kind: str, token: str) -> None:
        text = token
        if kind in ("single", "ansi"):
            text = token[token.index("'") + 1 : -1]
        elif kind == "double":
            text = _QUOTED_ESCAPE.sub(r"\1", token[1:-1])
        elif kind == "escape":
            text = token[1:]
        if kind in ("double", "parameter"):
            self._draft.variables += _EXPANDED.findall(token)
        if kind == "double":
            self.nested += [a or b for a, b in _NESTED.findall(text)]
        self._word = (self._word or "") + text

    def _redirected(self, kind: str, token: str) -> None:
        self._end_word()
        if kind == "heredoc":
            mark = token[2:].lstrip("-").strip().strip("'\"\\")
            self._awaited.append((self._draft, mark, token.startswith("<<-")))
        else:
            self._target = token.lstrip("0123456789")

    def _operator(self, token: str, end: int) -> None:
        if token == "(":
            self._end_command(end)
            self._open.append(None)
        elif (token == ")" and self._open) or (
            token == "`" and self._open and self._open[-1] is not None
        ):
            self._close(end)
        elif token == "`":
            self._open.append((self._draft, self._word))
            self._draft, self._word = Draft(end), None
        else:
            self._end_word()
            self._draft.piped = token in ("|", "|&")
            self._end_command(end)

    def _close(self, end: int) -> None:
        """Back out of `(...)`, to the word that a substitution stands in."""
        self._end_command(end)
        if before := self._open.pop():
            self._draft, word = before
            self._word = (word or "") + "$()"
            self._draft.end = end

    def _end_word(self) -> None:
        word, self._word = self._word, None
        if word is None:
            return
        if not self._target:
            self._draft.words.append(word)
        elif self._target == "<<<":
            self._draft.bodies.append(word)
        elif self._target.startswith("<"):
            self._draft.reads.append(word)
        elif not (self._target == ">&" and word.isdigit()):
            self._draft.writes.append(word)
        self._target = ""

    def _end_command(self, end: int) -> None:
        self._end_word()
        draft, self._draft, self._target = self._draft, Draft(end), ""
        if draft.words or draft.writes or draft.reads or draft.bodies:
            self.drafts.append(draft)

    def _bodies(self, place: int) -> int:
        """Read the heredocs that a line announced; return where the script goes on."""
        for draft, mark, dashed in self._awaited:
            body, place = self._body(place, mark, dashed)
            draft.bodies.append(body)
        self._awaited = []
        self._draft.begin = place
        return place

    def _body(self, place: int, mark: str, dashed: bool) -> tuple[str, int]:
        start = place
        for begin, line in _lines(self.text, place):
            bare = line.strip("\n").rstrip("\r")
            place = begin + len(line)
            if (bare.lstrip("\t") if dashed else bare) == mark:
                return self.text[start:begin], place
        return self.text[start:], len(self.text)


def _lines(text: str, place: int) -> Iterator[tuple[int, str]]:
    while place < len(text):
        end = text.find("\n", place) + 1 or len(text)
        yield place, text[place:end]
        place = end
