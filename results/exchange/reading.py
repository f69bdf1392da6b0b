"""Other people's files, read with suspicion: one line says what is wrong, and where."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UsageError


class Reading:
    """Reads the files of one source, and remembers what they held as a digest."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Of everything that has been read so far: names within the source, and bytes."""
        return self._hash.hexdigest()[:12]

    def data(self, path: Path) -> bytes:
        try:
            found = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
        if path != self.root:
            self._hash.update(str(path.relative_to(self.root)).encode(errors="surrogateescape"))
        self._hash.update(found)
        return found

    def text(self, path: Path) -> str:
        try:
            return self.data(path).decode().removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: is not UTF-8 text, at byte {error.start}") from None

    def json(self, path: Path) -> Any:
        return parse(self.text(path), str(path))

    def object(self, path: Path) -> Mapping[str, Any]:
        return mapping(self.json(path), str(path))


def parse(text: str, where: str) -> Any:
    """JSON. UsageError where it is none, was cut short, or says something twice."""
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, where))
    except json.JSONDecodeError as error:
        cut = "" if text.rstrip().endswith(("}", "]")) else " (cut short?)"
        raise UsageError(f"{where}:{error.lineno}: not JSON{cut}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: not JSON that can be read: {error}") from None


def _once(pairs: Sequence[tuple[str, Any]], where: str) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = counts.most_common(1)[0][0]
        raise UsageError(f"{where}: {shown(twice)} stands there twice; either could be meant")
    return made


def mapping(raw: Any, where: str) -> Mapping[str, Any]:
    """An object, or nothing where there is null."""
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise UsageError(f"{where}: is {kind(raw)}, not an object")
    return raw


def sequence(raw: Any, where: str) -> Sequence[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise UsageError(f"{where}: is {kind(raw)}, not a list")
    return raw


def names(raw: Any, where: str) -> list[str]:
    """A list of ids, each once."""
    found = [text(each, where) for each in sequence(raw, where)]
    if len(set(found)) != len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise UsageError(f"{where}: {shown(twice)} stands there twice")
    return found


def text(raw: Any, where: str) -> str:
    if not isinstance(raw, str) or not raw:
        raise UsageError(f"{where}: is {kind(raw)}, not a name")
    return raw


def optional(raw: Any, where: str) -> str:
    """Text, or nothing where there is null."""
    if raw is None:
        return ""
    if not isinstance(raw, str):
        raise UsageError(f"{where}: is {kind(raw)}, not text")
    return raw


def number(raw: Any, where: str) -> float | None:
    """A number that is not negative, or None where there is null."""
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 <= raw < float("inf"):
        raise UsageError(f"{where}: is {shown(raw)}, not a number from 0 up")
    return float(raw)


def count(raw: Any, where: str) -> int:
    return int(number(raw, where) or 0)


def kind(raw: Any) -> str:
    words = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return "null" if raw is None else words.get(type(raw), "a number")


def shown(raw: Any) -> str:
    """What a file says, on one line and not all of it."""
    plain = ascii(raw)
    return plain if len(plain) <= 120 else plain[:117] + "..."
