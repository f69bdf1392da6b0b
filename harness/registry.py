"""Find a plug-in by name, importing it only when it is asked for."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.errors import UsageError, unknown
from harness.types import Part

_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

_EXTRAS = ("ray",)
"""Plug-ins whose packages an installation may lack, by the extra that brings them."""


def is_path(name: str) -> bool:
    """Whether a name reads as `package.module:factory`."""
    return _PATH.fullmatch(name) is not None


def build(kind: str, part: Part, table: Mapping[str, str]) -> Any:
    """Call the factory that `part` names: a key of `table`, or `package.module:factory`."""
    factory = locate(kind, part.name, table)
    accepted = _knobs(factory)
    for knob in part.knobs:
        if accepted is not None and knob not in accepted:
            raise unknown(f"knob of {kind} {part.name!r}:", knob, accepted or ["(it has none)"])
    try:
        return factory(**part.knobs)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{kind} {part.name!r}: {error}") from error


def locate(kind: str, name: str, table: Mapping[str, str]) -> Any:
    """What a name stands for. A module of one's own may be installed, or lie in this folder."""
    if name not in table and not is_path(name):
        raise unknown(kind, name, table, ", or give package.module:factory")
    module, _, attribute = table.get(name, name).partition(":")
    if name not in table and (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        hint = f"; pip install 'harness[{name}]'" if name in _EXTRAS else ""
        raise UsageError(f"{kind} {name!r} cannot be loaded: {error}{hint}") from error


class Later:
    """A module that is imported when something of it is first asked for.

    The command line names its verbs so: `harness --help` need not import what they need.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)


def _knobs(factory: Any) -> list[str] | None:
    """The keywords that a factory takes, or None where it takes any."""
    named = inspect.signature(factory).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in named):
        return None
    return [p.name for p in named if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
