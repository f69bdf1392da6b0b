"""Copies of hidden Python tests under names that nobody could know, to be compared with them.

Some do all that the original does, and then fail. Some expect something else where it compares, so
that what is equal to everything, or reads off the test what would be right, passes them. Some are
exact: what makes a test pass because it has that name does not make its copy pass.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias, TypeVar

_MOST = 3
"""Copies of each sort in one file: they cost their time in every grading."""

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Edit: TypeAlias = tuple[int, int, bytes]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Making:
    """What copies are made with."""

    dice: Random
    name: Callable[[str], str]
    """A new name for a copy of the test so called, which must fail."""
    exact: Callable[[str], str]
    """The same for a copy which must do as the original does."""
    failing: Callable[[], str]
    holding: Callable[[], str]
    """The end of an exact copy, so that it is told from the others by what is true alone."""
    word: Callable[[], str]

    def some(self, tests: Sequence[T]) -> list[T]:
        return self.dice.sample(tests, min(_MOST, len(tests)))


def echo(text: str, tests: Collection[str], known: Collection[str], making: Making) -> str:
    """A module with copies of some of the functions called `tests`; exact ones only of `known`.

    Only of functions that are sure to come to their end, if nothing fails before.
    """
    source = _parsed(text)
    if source is None:
        return text
    fitting = [f for f in _functions(source.tree) if f.name in tests and _comes_to_its_end(f)]
    changed = [(f, edits) for f in fitting if (edits := _other_edits(source, f, making))]
    listed = [f for f in fitting if f.name in known]
    copies = [
        *(
            source.copy(f, making.name, _tail(source, f, making.failing()))
            for f in making.some(fitting)
        ),
        *(source.copy(f, making.name, edits) for f, edits in making.some(changed)),
        *(
            source.copy(f, making.exact, _tail(source, f, making.holding()))
            for f in making.some(listed)
        ),
    ]
    return source.with_copies(copies)


@dataclass(frozen=True, slots=True)
class _Source:
    data: bytes
    tree: ast.Module
    starts: tuple[int, ...]
    """Where each line begins, counted in bytes, as the parser counts columns."""

    def at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column

    def line_start(self, line: int) -> int:
        return self.starts[min(line, len(self.starts)) - 1]

    def end(self, function: Function) -> int:
        line = function.end_lineno or function.lineno
        return self.starts[line] if line < len(self.starts) else len(self.data)

    def copy(
        self, function: Function, name: Callable[[str], str], edits: list[Edit]
    ) -> tuple[int, bytes]:
        """Where a copy goes, and the copy."""
        first = min([function.lineno, *(d.lineno for d in function.decorator_list)])
        start, end = self.line_start(first), self.end(function)
        made = self.data[start:end]
        for low, high, new in sorted(edits, reverse=True):
            made = made[: low - start] + new + made[high - start :]
        old = re.escape(function.name.encode())
        new_name = name(function.name).encode()
        return end, re.sub(rb"\bdef(\s+)%s\b" % old, rb"def\g<1>%s" % new_name, made, count=1)

    def with_copies(self, copies: list[tuple[int, bytes]]) -> str:
        data = self.data
        for end, made in sorted(copies, reverse=True):
            data = data[:end].rstrip(b"\n") + b"\n\n\n" + made + b"\n\n" + data[end:]
        return data.decode()


def _parsed(text: str) -> _Source | None:
    try:
        tree, data = ast.parse(text), text.encode()
    except (SyntaxError, ValueError, RecursionError):
        return None
    if re.search(rb"\r(?!\n)|\f", data):  # the parser counts lines differently there
        return None
    starts = [0, *(m.end() for m in re.finditer(rb"\n", data))]
    return _Source(data, tree, tuple(starts))


def _functions(tree: ast.Module) -> Iterator[Function]:
    for node in tree.body:
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(inner, Function):
                yield inner


def _comes_to_its_end(function: Function) -> bool:
    leaves = ast.Return | ast.Yield | ast.YieldFrom | ast.While
    names = {n.attr for n in ast.walk(function) if isinstance(n, ast.Attribute)}
    names |= {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    return (
        function.body[0].lineno > function.lineno
        and not any(isinstance(node, leaves) for node in ast.walk(function))
        and not any("skip" in each.lower() or each == "xfail" for each in names)
    )


def _indent(source: _Source, function: Function) -> bytes:
    first = function.body[0]
    start = source.line_start(first.lineno)
    return source.data[start : start + first.col_offset]


def _tail(source: _Source, function: Function, assertion: str) -> list[Edit]:
    """One more line after the last."""
    end = source.end(function)
    line = _indent(source, function) + assertion.encode() + b"\n"
    return [(end, end, line if source.data[:end].endswith(b"\n") else b"\n" + line)]


def _other_edits(source: _Source, function: Function, making: Making) -> list[Edit]:
    """What makes one comparison of a test expect another value; nothing where it has none."""
    expected = [side for statement in function.body if (side := _expected(statement))]
    if not expected:
        return []
    side = making.dice.choice(expected)
    low = source.at(side.lineno, side.col_offset)
    high = source.at(side.end_lineno or side.lineno, side.end_col_offset or side.col_offset)
    word = making.word()
    if (other := _other_literal(side, word, making.dice)) is not None:
        return [(low, high, repr(other).encode())]
    if isinstance(side, ast.Name) and _only_expected(side.id, function):
        # Under its own name, for whoever looks up in the calling test what it expects.
        start = source.line_start(function.body[0].lineno)
        changed = f"{side.id} = {_other_value(side.id, word)}\n".encode()
        return [(start, start, _indent(source, function) + changed)]
    return [(low, low, b"["), (high, high, f", {word!r}]".encode())]


def _expected(statement: ast.stmt) -> ast.expr | None:
    """The right side of `assert a == b`, or the second argument of `self.assertEqual(a, b)`."""
    match statement:
        case ast.Assert(test=ast.Compare(ops=[ast.Eq()], comparators=[side])):
            return side
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name("self"), attr="assertEqual"), args=[_, side, *_]
            )
        ):
            return side
        case _:
            return None


def _other_literal(side: ast.expr, word: str, dice: Random) -> object:
    try:
        value = ast.literal_eval(side)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    match value:
        case bool() | None:
            return None
        case int() | float():
            return value + dice.randint(1_000, 9_999)
        case str():
            return f"{value} {word}"
        case bytes():
            return value + b" " + word.encode()
        case _:
            return None


def _other_value(name: str, word: str) -> str:
    return f"{name} + {word!r} if isinstance({name}, str) else [{name}, {word!r}]"


def _only_expected(name: str, function: Function) -> bool:
    """Whether an argument is used once: were it an input too, another one might come out right."""
    takes = function.args
    used = [n for part in function.body for n in ast.walk(part) if isinstance(n, ast.Name)]
    arguments = {a.arg for a in (*takes.posonlyargs, *takes.args, *takes.kwonlyargs)}
    return name in arguments and sum(n.id == name for n in used) == 1


def counterpart(id_: str, copies: Mapping[str, str]) -> str | None:
    """The id of the exact copy of a test, where it has one."""
    for joint in ("::", " > "):
        for whole, rest in ((id_, ""), _without_parameters(id_)):
            head, found, own = whole.rpartition(joint)
            if own in copies:
                return f"{head}{found}{copies[own]}{rest}"
    return None


def _without_parameters(id_: str) -> tuple[str, str]:
    whole, bracket, rest = id_.partition("[")
    return whole, bracket + rest
