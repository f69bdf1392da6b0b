"""Patches for other people's graders: SWE-bench predictions, and the official evaluator of Pro.

Neither format has a place for a repeat, so each condition and repeat is a file of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from results.blobs import publish
from results.exchange.settled import Settled, Written, file_name, folder, names, one_file, settled
from results.store import RunStore

_NO_PATCH = "no patch was submitted"


def swebench(store: RunStore, into: Path) -> Written:
    """JSON lines of `instance_id`, `model_name_or_path` and `model_patch`."""

    def entry(task: str, name: str, patch: str) -> dict[str, str]:
        return {"instance_id": task, "model_name_or_path": name, "model_patch": patch}

    def lines(entries: list[dict[str, str]]) -> str:
        return "".join(json.dumps(each) + "\n" for each in entries)

    return _export(store, into, entry, lines, ".jsonl")


def pro(store: RunStore, into: Path) -> Written:
    """The list of `instance_id`, `patch` and `prefix` that the official evaluator reads."""

    def entry(task: str, name: str, patch: str) -> dict[str, str]:
        # The evaluator reuses a verdict by prefix: two files of one prefix would share theirs.
        return {"instance_id": task, "patch": patch, "prefix": file_name(name)}

    def whole(entries: list[dict[str, str]]) -> str:
        return json.dumps(entries, indent=1) + "\n"

    return _export(store, into, entry, whole, ".json")


def _export(
    store: RunStore,
    into: Path,
    entry: Callable[[str, str, str], dict[str, str]],
    spell: Callable[[list[dict[str, str]]], str],
    suffix: str,
) -> Written:
    manifest = store.manifest()
    called = names(manifest)
    sets: dict[str, list[dict[str, str]]] = {}
    without = 0
    for each in settled(store):
        if each.patch is None:
            without += 1
            continue
        name = called[each.attempt.condition]
        if each.arm.repeats > 1:
            name = f"{name} #{each.attempt.repeat}"
        sets.setdefault(name, []).append(entry(each.attempt.task, name, _patch(store, each)))
    if not sets:
        raise UsageError(f"{store.folder}: no attempt has submitted a patch; nothing to export")
    files = _places(into, list(sets), suffix)
    for name, entries in sets.items():
        publish(files[name], spell(entries).encode())
    total = sum(map(len, sets.values()))
    return Written(tuple(files.values()), total, without, _NO_PATCH)


def _places(into: Path, sets: list[str], suffix: str) -> dict[str, Path]:
    """One file where a file is asked for and one is enough, else one for each set in a folder."""
    if len(sets) == 1 and into.suffix in (".json", ".jsonl"):
        return {sets[0]: one_file(into)}
    if into.suffix in (".json", ".jsonl"):
        raise UsageError(
            f"{into}: there are {len(sets)} sets of patches, one for each condition and repeat, "
            "and the format holds one in a file; name a folder"
        )
    place = folder(into)
    files = {name: place / f"{file_name(name)}{suffix}" for name in sets}
    if len(set(files.values())) < len(files):
        files = {n: place / f"{i}-{f.name}" for i, (n, f) in enumerate(files.items(), start=1)}
    return files


def _patch(store: RunStore, each: Settled) -> str:
    """As text; bytes outside UTF-8 travel as lone surrogates, which JSON can spell."""
    data: Any = store.fetch(each.patch or "")
    return str(data.decode(errors="surrogateescape"))
