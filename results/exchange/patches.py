"""The predictions that agents leave beside their trajectories: `preds.json` and `.pred` files."""

from __future__ import annotations

from pathlib import Path

from results.exchange.reading import Reading, mapping, optional, text


def predicted(folder: Path, reading: Reading) -> dict[str, bytes]:
    """The patch of every task that a folder has a prediction for; an empty one for null."""
    found: dict[str, bytes] = {}
    whole = folder / "preds.json"
    if whole.is_file():
        for task, raw in reading.object(whole).items():
            found[task] = _patch(raw, f"{whole}: {task}")
    for path in sorted(folder.glob("*/*.pred")):
        raw = reading.object(path)
        task = text(raw.get("instance_id"), f"{path}: instance_id")
        found.setdefault(task, _patch(raw, str(path)))
    return found


def encoded(patch: str) -> bytes:
    """Bytes that JSON cannot carry travel as lone surrogates."""
    try:
        return patch.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return patch.encode(errors="surrogatepass")


def _patch(raw: object, where: str) -> bytes:
    return encoded(optional(mapping(raw, where).get("model_patch"), f"{where}: model_patch"))
