"""Copies of hidden JavaScript tests, as `echo` makes them of Python ones.

There is no parser of that language here, so only tests that are laid out as formatters do it are
copied: `test('name', ... {` on one line, its body further in, and `})` on a line of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tasks.local.echo import Making

_OPENS = re.compile(
    r"""(?P<indent>[ \t]*)(?P<call>(?:test|it)\()(?P<quote>['"])(?P<name>[^'"\\\n]+)(?P=quote)"""
    r"""(?P<head>,[^\n]*\{)[ \t]*"""
)
_LITERAL = r"(?P<value>-?\d+(?:\.\d+)?|'[^'\\]*'|\"[^\"\\]*\")"
_ASSERTS = re.compile(
    r"(?P<start>[ \t]+assert\.(?:strictEqual|equal|deepEqual|deepStrictEqual)\((?P<found>.*), )"
    rf"{_LITERAL}(?P<end>\);?)"
)
_EXPECTS = re.compile(
    rf"(?P<start>[ \t]+expect\((?P<found>.*)\)\.(?:toBe|toEqual|toStrictEqual)\(){_LITERAL}"
    r"(?P<end>\);?)"
)


@dataclass(frozen=True, slots=True)
class _Test:
    name: str
    opening: re.Match[str]
    body: tuple[str, ...]
    closing: str
    end: int
    """The number of lines up to and with the closing one."""

    @property
    def indent(self) -> str:
        return _indent(next(line for line in self.body if line.strip()))

    def ending_in(self, statement: str) -> list[str]:
        return [*self.body, f"{self.indent}{statement};"]

    def copy(self, name: str, body: Sequence[str]) -> list[str]:
        m = self.opening
        first = f"{m['indent']}{m['call']}{m['quote']}{name}{m['quote']}{m['head']}"
        return [first, *body, self.closing]


def echo(text: str, tests: Collection[str], known: Collection[str], making: Making) -> str:
    """A file with copies of some of the tests called `tests`; exact ones only of `known`."""
    lines = text.split("\n")
    fitting = [test for test in _tests(lines) if test.name in tests]
    changed = [(test, body) for test in fitting if (body := _otherwise(test, making))]
    listed = [test for test in fitting if test.name in known]
    bodies = [
        *((t, making.name, t.ending_in(making.failing())) for t in making.some(fitting)),
        *((t, making.name, body) for t, body in making.some(changed)),
        *((t, making.exact, t.ending_in(making.holding())) for t in making.some(listed)),
    ]
    copies = [(test.end, test.copy(name(test.name), body)) for test, name, body in bodies]
    for end, made in sorted(copies, reverse=True):
        lines[end:end] = made
    return "\n".join(lines)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _tests(lines: Sequence[str]) -> Iterator[_Test]:
    for at, line in enumerate(lines):
        opening = _OPENS.fullmatch(line)
        if opening and (test := _whole(lines, at, opening)) and _comes_to_its_end(test):
            yield test


def _whole(lines: Sequence[str], at: int, opening: re.Match[str]) -> _Test | None:
    indent = opening["indent"]
    for end in range(at + 1, len(lines)):
        line = lines[end]
        if re.fullmatch(rf"{indent}\}}\);?[ \t]*", line):
            body = tuple(lines[at + 1 : end])
            return _Test(opening["name"], opening, body, line, end + 1) if body else None
        if line.strip() and not re.match(rf"{indent}[ \t]", line):
            return None
    return None


def _comes_to_its_end(test: _Test) -> bool:
    text = "\n".join(test.body)
    leaves = re.search(r"\breturn\b|\bwhile\b|\bskip\b|\btodo\b|\bdone\b", text)
    head = re.search(r"skip|todo|done|only", test.opening["head"])
    return bool(text.strip()) and not leaves and not head and text.count("`") % 2 == 0


def _otherwise(test: _Test, making: Making) -> list[str] | None:
    """The body with one comparison that expects another value; None where it has none."""
    found = [
        (at, match)
        for at, line in enumerate(test.body)
        if (match := _ASSERTS.fullmatch(line) or _EXPECTS.fullmatch(line))
        and _indent(line) == test.indent
        and _one_argument(match["found"])
    ]
    if not found:
        return None
    at, match = making.dice.choice(found)
    value = match["value"]
    if value[0] in "'\"":
        other = f"{value[:-1]} {making.word()}{value[-1]}"
    else:
        other = f"{float(value) + making.dice.randint(1_000, 9_999):.10g}"
    return [*test.body[:at], f"{match['start']}{other}{match['end']}", *test.body[at + 1 :]]


def _one_argument(text: str) -> bool:
    """Whether there is no comma outside brackets; False where that cannot be told."""
    plain = re.sub(r"'[^'\\]*'|\"[^\"\\]*\"", "0", text)
    if re.search(r"['\"`/\\]", plain) or ".not" in plain:
        return False
    depth = 0
    for char in plain:
        depth += (char in "([{") - (char in ")]}")
        if depth < 0 or (char == "," and depth == 0):
            return False
    return depth == 0
