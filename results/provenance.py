"""Where a run was made: the code, the packages and the machine, as far as they can be told."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from harness.types import Value

_SOURCE = Path(__file__)


@dataclass(frozen=True, slots=True)
class Provenance(Value):
    """One invocation of the harness that wrote into a run."""

    at: str
    """UTC, ISO 8601."""
    harness: str
    revision: str
    """The commit of the harness's own checkout, `+changes` where it has any; empty outside one."""
    python: str
    packages: Mapping[str, str] = field(default_factory=dict)
    host: Mapping[str, str] = field(default_factory=dict)
    engine: str = ""
    """What ran the boxes, with its version: `docker 27.3`, `bubblewrap 0.11`."""


def provenance(engine: str = "") -> Provenance:
    return Provenance(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        harness=_version("harness"),
        revision=revision(_SOURCE),
        python=platform.python_version(),
        packages=packages("harness"),
        host={
            "name": platform.node(),
            "system": f"{platform.system()} {platform.release()}",
            "machine": platform.machine(),
            "cpus": str(os.cpu_count() or "unknown"),
        },
        engine=engine,
    )


def source_digest() -> str:
    """Of the code that runs here: two machines with the same harness have the same."""
    root, digest = _SOURCE.parents[1], hashlib.sha256()
    for package in ("harness", "scaffolds", "tasks", "results"):
        for path in sorted((root / package).glob("*.py")) + sorted(
            path
            for folder in (root / package).iterdir()
            if folder.is_dir() and folder.name not in ("runs", "demo")
            for path in folder.rglob("*.py")
        ):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def packages(distribution: str) -> dict[str, str]:
    """The versions of what a distribution needs at run time, extras left out."""
    try:
        needs = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return {}
    names = {re.split(r"[^A-Za-z0-9._-]", need)[0] for need in needs if "extra ==" not in need}
    return {name: _version(name) for name in sorted(names)}


def revision(source: Path) -> str:
    """The commit of the checkout that tracks `source`; empty where none does, or without git."""
    if _git(source, "ls-files", "--error-unmatch", source.name) is None:
        return ""
    commit = _git(source, "rev-parse", "HEAD")
    changes = _git(source, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}{'+changes' if changes else ''}" if commit else ""


def _git(source: Path, *command: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *command], cwd=source.parent, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"
