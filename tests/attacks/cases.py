"""The set: attacks and honest submissions, as data in the TOML files beside this module."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

FILES = ("attacks.toml", "honest.toml")


@dataclass(frozen=True, slots=True)
class Case:
    """One submission: what it does to a task's repository, and what should become of it."""

    id: str
    task: str
    kind: Literal["attack", "right", "wrong"]
    """`right` and `wrong` are honest: the one has to pass, the other must fail by its tests."""
    family: str
    what: str
    gold: bool = False
    """Begin with the reference patch."""
    write: Mapping[str, str] = field(default_factory=dict)
    append: Mapping[str, str] = field(default_factory=dict)
    replace: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By path, what is replaced and by what."""
    delete: Sequence[str] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    link: Mapping[str, str] = field(default_factory=dict)
    binary: Sequence[str] = ()
    crlf: Sequence[str] = ()
    executable: Sequence[str] = ()
    raw: str = ""
    """Put before the patch as it is; a case with nothing else is this text alone."""
    open: bool = False
    """An attack that is known to get through: counted as such, and described in README.md."""


def load(folder: Path = Path(__file__).parent) -> list[Case]:
    """Every case of the set, in order."""
    found = [_case(raw) for name in FILES for raw in _table(folder / name)]
    ids = [case.id for case in found]
    doubled = {id_ for id_ in ids if ids.count(id_) > 1}
    if doubled:
        raise ValueError(f"cases with one name: {', '.join(sorted(doubled))}")
    return found


def _table(path: Path) -> list[dict[str, Any]]:
    raw = tomllib.loads(path.read_text())["case"]
    return list(raw)


def _case(raw: dict[str, Any]) -> Case:
    strange = set(raw) - {f.name for f in fields(Case)}
    if strange:
        raise ValueError(f"case {raw.get('id')}: no such key: {', '.join(sorted(strange))}")
    return Case(**raw)
