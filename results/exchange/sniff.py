"""Which format a file or folder of results is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import UsageError
from results.exchange import IMPORTS, mini_swe_agent, pro, swebench
from results.exchange.reading import Reading
from results.exchange.tables import headed

_KNOWN = f"choose with --format {', '.join(IMPORTS)}"


def format_of(path: Path) -> str:
    """The format by its contents, not by its name; UsageError where it is none that is known."""
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such file or folder")
    if path.suffix == ".eval":
        return "inspect"
    if path.suffix == ".csv":
        return "csv"
    reading = Reading(path)
    if path.suffix != ".json":
        first = reading.text(path).split("\n", 1)[0]
        if headed(first):
            return "csv"
        raise UsageError(f"{path}: holds results in no format known here; {_KNOWN}")
    return _document(path, reading.json(path))


def _folder(path: Path) -> str:
    if next(path.rglob("*.traj.json"), None):
        return "mini-swe-agent"
    if next(path.glob("*/result.json"), None):
        return "harbor"
    if (path / pro.NAME).is_file():
        return "pro"
    if next(path.rglob("*.traj"), None) or next(path.glob("*/*.pred"), None):
        return "swe-agent"
    if (path / "preds.json").is_file():
        return "swe-agent"
    raise UsageError(f"{path}: holds results in no format known here; {_KNOWN}")


def _document(path: Path, raw: Any) -> str:
    if swebench.fits(raw):
        return "swebench"
    if pro.fits(raw):
        return "pro"
    if isinstance(raw, dict) and {"eval", "status"} <= raw.keys():
        return "inspect"
    if mini_swe_agent.fits(raw):
        raise UsageError(f"{path}: is one trajectory of mini-swe-agent; name its whole folder")
    if isinstance(raw, dict) and {"n_total_trials", "stats"} <= raw.keys():
        raise UsageError(f"{path}: is the summary of a Harbor job; name the folder it is in")
    raise UsageError(f"{path}: holds results in no format known here; {_KNOWN}")
