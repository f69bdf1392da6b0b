"""Patches that somebody made elsewhere, in whichever file they left them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError

_ESCAPED_BYTE = re.compile(rb"\xed[\xb2\xb3][\x80-\xbf]")  # U+DC80 to U+DCFF


@dataclass(frozen=True, slots=True)
class Prediction:
    instance_id: str
    patch: bytes
    model: str = ""
    prefix: str = ""


def read(path: str | Path) -> list[Prediction]:
    """The predictions in a file or folder, whichever of the known formats it is in.

    SWE-bench's jsonl, list and dict; SWE-agent's and mini-swe-agent's `preds.json` and `.pred`,
    alone or in a folder; the list that the official evaluator of Pro reads. A null patch is an
    empty one. The same id twice for one model and prefix is an error, since either could be meant.
    """
    place = Path(path)
    if place.is_dir():
        found = list(_folder(place))
    elif place.is_file():
        found = list(_file(place))
    else:
        raise UsageError(f"{place}: no such file; give a .json, .jsonl or .pred, or a folder")
    if not found:
        raise UsageError(f"{place}: holds no prediction")
    _refuse_duplicates(place, found)
    return found


def _folder(folder: Path) -> Iterator[Prediction]:
    if (folder / "preds.json").is_file():
        yield from _file(folder / "preds.json")
        return
    files = sorted(folder.rglob("*.pred"))
    if not files:
        raise UsageError(f"{folder}: has neither a preds.json nor a .pred file in it")
    for file in files:
        yield from _file(file)


def _file(path: Path) -> Iterator[Prediction]:
    try:
        # Bytes outside UTF-8 go through to the patch as they are.
        text = path.read_bytes().decode(errors="surrogateescape").removeprefix("\ufeff")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if path.suffix == ".pred" and not text.lstrip().startswith("{"):
        # SWE-agent's older form: the patch itself, in a folder or file named after the task.
        named = path.parent.name if path.parent.name.startswith("instance_") else path.stem
        yield Prediction(named, _encode(text))
    elif path.suffix == ".jsonl":
        yield from _lines(path, text)
    else:
        yield from _document(path, text)


def _lines(path: Path, text: str) -> Iterator[Prediction]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            raw = _parse(line, f"{path}:{number}")
            yield _prediction(raw, f"{path}:{number}")


def _document(path: Path, text: str) -> Iterator[Prediction]:
    raw = _parse(text, str(path))
    if isinstance(raw, Mapping) and "instance_id" in raw:
        raw = [raw]
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            entry = value if isinstance(value, Mapping) else {"model_patch": value}
            if entry.get("instance_id", key) != key:
                stands = _shown(entry["instance_id"])
                raise UsageError(f"{path}: under {_shown(key)} stands {stands}")
            yield _prediction({**entry, "instance_id": key}, f"{path}: {_shown(key)}")
    elif isinstance(raw, list):
        for number, entry in enumerate(raw, 1):
            yield _prediction(entry, f"{path}: entry {number}")
    else:
        raise UsageError(f"{path}: neither a list of predictions nor an object of them")


def _parse(text: str, where: str) -> Any:
    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            counts = Counter(name for name, _ in pairs)
            raise UsageError(f"{where}: {_shown(counts.most_common(1)[0][0])} stands there twice")
        return made

    try:
        return json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        place = where if error.lineno == 1 else f"{where}:{error.lineno}"
        ended = error.msg.startswith("Unterminated") or error.pos >= len(text.rstrip()) - 1
        cut = " (cut short?)" if ended else ""
        raise UsageError(f"{place}: not JSON{cut}: {error.msg}") from None
    except ValueError as error:
        raise UsageError(f"{where}: not JSON that can be read: {error}") from None
    except RecursionError:
        raise UsageError(f"{where}: nested too deeply to be predictions") from None


def _prediction(raw: Any, where: str) -> Prediction:
    if not isinstance(raw, Mapping):
        raise UsageError(f"{where}: not an object with instance_id and model_patch")
    name = raw.get("instance_id")
    if not isinstance(name, str) or not name:
        raise UsageError(f"{where}: has no instance_id")
    key = next((key for key in ("model_patch", "patch") if key in raw), None)
    if key is None:
        raise UsageError(f"{where}: has neither model_patch nor patch")
    patch = raw[key]
    if patch is not None and not isinstance(patch, str):
        raise UsageError(f"{where}: {key} is {type(patch).__name__}, not text or null")
    return Prediction(
        name,
        _encode(patch or ""),
        _label(raw, "model_name_or_path", where),
        _label(raw, "prefix", where),
    )


def _label(raw: Mapping[str, Any], key: str, where: str) -> str:
    label = raw.get(key) or ""
    if not isinstance(label, str | int | float):
        raise UsageError(f"{where}: {key} is {type(label).__name__}, not text")
    return str(label)


def _shown(value: Any) -> str:
    """What a file says, on one line and not all of it."""
    return ascii(value)[:300] if isinstance(value, str) else f"a {type(value).__name__}"


def _encode(text: str) -> bytes:
    """Bytes that JSON cannot carry travel as lone surrogates; those that were bytes are again."""
    data = text.encode(errors="surrogatepass")
    return _ESCAPED_BYTE.sub(lambda match: bytes([_byte(match[0])]), data)


def _byte(surrogate: bytes) -> int:
    return ord(surrogate.decode(errors="surrogatepass")) - 0xDC00


def _refuse_duplicates(place: Path, found: Sequence[Prediction]) -> None:
    seen: set[tuple[str, str, str]] = set()
    twice: list[str] = []
    for each in found:
        key = (each.instance_id, each.model, each.prefix)
        if key in seen:
            twice.append(each.instance_id)
        seen.add(key)
    if twice:
        shown = ", ".join(ascii(name)[1:-1] for name in dict.fromkeys(twice))[:300]
        raise UsageError(f"{place}: more than one prediction for {shown}; keep one of each")
