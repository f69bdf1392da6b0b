"""`import` and `export`: anyone's results as a run's folder, and a run for anyone's program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.registry import locate
from harness.verbs.loading import tell
from harness.verbs.reading import AUTO, declared, read, say
from results.exchange import EXPORTS
from results.exchange.imported import renamed, taken
from results.manifest import NAME, Manifest
from results.provenance import provenance
from results.store import RunStore


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person says of somebody else's file."""

    source: Path
    format: str = AUTO
    tasks: str = ""
    model: str = ""
    scaffold: str = ""


def bring(wanted: Wanted, folder: Path) -> None:
    """Make a run's folder of somebody else's results. Again, it adds what is missing of it."""
    found = renamed(
        read(wanted.source, wanted.format), model=wanted.model, scaffold=wanted.scaffold
    )
    run = taken(found, declared(wanted.tasks), provenance())
    say(run, wanted.source)
    _check_folder(folder, run.manifest)
    with RunStore(folder) as store:
        store.declare(run.manifest)
        for patch in run.patches:
            store.keep(patch)
        known = {record.attempt for record in store.records()}
        store.extend(record for record in run.records if record.attempt not in known)


def send(folder: Path, format_: str, into: Path) -> None:
    """Write a run, or what of it a format can hold, for somebody else's program."""
    written = locate("format", format_, EXPORTS)(RunStore(folder), into)
    many = f"{len(written.files)} files in {into}" if len(written.files) > 1 else written.files[0]
    tell(f"{written.attempts} attempts as {format_} in {many}")
    if written.without:
        tell(f"{written.without} attempts are not in it: {written.why}")


def _check_folder(folder: Path, call: Manifest) -> None:
    """UsageError where a folder holds a run that this import is not a part of."""
    if not (folder / NAME).exists():
        return
    known = Manifest.read(folder)
    if known.tasks.keys() != call.tasks.keys() or known.conditions != call.conditions:
        raise UsageError(f"{folder} holds another run; choose another folder with --into")
