"""Which version of a scaffold made a record: its code and its prompts, as one short hash.

A condition's digest names what a person chose. A prompt that is reworded is the same choice, made
by other code, so the record says which; the report says where a condition has records of several.
"""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path

import scaffolds
from harness.registry import locate
from harness.types import Part
from scaffolds import SCAFFOLDS

_TEXTS = ("*.py", "*.md")


@cache
def scaffold_code(name: str) -> str:
    """Of a scaffold of ours, all of `scaffolds/`; of anybody else's, the module that is named."""
    digest = hashlib.sha256()
    for path in _ours() if name in SCAFFOLDS else _theirs(name):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def facts(scaffold: Part) -> dict[str, str]:
    """What every record says of the scaffold that made it."""
    return {"scaffold_code": scaffold_code(scaffold.name)}


def _ours() -> list[Path]:
    folder = Path(scaffolds.__file__).parent
    return sorted(path for text in _TEXTS for path in folder.rglob(text))


def _theirs(name: str) -> list[Path]:
    locate("scaffold", name, SCAFFOLDS)
    made = sys.modules[name.partition(":")[0]].__file__
    return [Path(made)] if made else []
