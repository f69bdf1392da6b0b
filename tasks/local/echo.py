"""Copies of hidden Python tests that do all that the originals do, and then fail.

A runner that is forced to pass whatever has called the code under test passes these too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from random import Random

_MOST = 3


def echo(
    text: str, tests: Sequence[str], failing: str, name: Callable[[], str], dice: Random
) -> str:
    """A module with copies of some of the functions called `tests`, each ended by `failing`.

    Only of functions that are sure to come to their end, if nothing fails before.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return text
    fitting = [f for f in _functions(tree) if f.name in tests and _comes_to_its_end(f)]
    chosen = dice.sample(fitting, min(_MOST, len(fitting)))
    lines = text.splitlines(keepends=True)
    for function in sorted(chosen, key=lambda f: f.lineno, reverse=True):
        end = function.end_lineno or function.lineno
        lines[end:end] = ["\n\n", *_copy(lines, function, failing, name())]
    return "".join(lines)


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                yield inner


def _comes_to_its_end(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    leaves = ast.Return | ast.Yield | ast.YieldFrom | ast.While
    names = {n.attr for n in ast.walk(function) if isinstance(n, ast.Attribute)}
    names |= {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    return (
        function.body[0].lineno > function.lineno
        and not any(isinstance(node, leaves) for node in ast.walk(function))
        and not any("skip" in each.lower() or each == "xfail" for each in names)
    )


def _copy(
    lines: Sequence[str],
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    failing: str,
    name: str,
) -> Iterator[str]:
    start = min([function.lineno, *(d.lineno for d in function.decorator_list)]) - 1
    source = "".join(lines[start : function.end_lineno])
    yield re.sub(rf"\bdef(\s+){re.escape(function.name)}\b", rf"def\g<1>{name}", source, count=1)
    indent = " " * function.body[0].col_offset
    if lines[function.body[0].lineno - 1].startswith("\t"):
        indent = lines[function.body[0].lineno - 1][: function.body[0].col_offset]
    yield f"\n{indent}{failing}\n"
