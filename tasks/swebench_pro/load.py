"""SWE-Bench Pro: its rows from the hub or a file, its scripts from the official evaluator."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.types import Brief, Environment, Task, TaskId
from tasks.swebench_pro import row

DATASET = "ScaleAI/SWE-bench_Pro"
REVISION = "7ab5114912baf22bb098818e604c02fe7ad2c11f"
"""The commit of the data set that published work pins; it has not been fetched from here."""

MODES = ("strict", "compat")
_FETCHES = re.compile(r"\b(?:npm (?:install|ci|i)|pip3? install|apt-get|go mod download)\b")
_IGNORE = ["__pycache__/", "*.pyc", ".pytest_cache/", "node_modules/", "dump.rdb", "appendonlydir/"]
"""What running the tests leaves behind: untracked files of these names are in no patch."""


@dataclass(kw_only=True, slots=True)
class SwebenchPro:
    """The 731 public tasks, or those of a file with the same columns.

    `file`: jsonl, json, csv or parquet instead of the hub. `scripts`: a checkout of the official
    evaluator, by default the one that `tasks pull swebench-pro` makes. A row that cannot be graded
    is left out by name and with the reason, never silently.
    """

    file: str = ""
    scripts: str = ""
    revision: str = REVISION
    mode: str = "strict"
    dockerhub_user: str = "jefzda"
    split: str = "test"
    _left_out: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(f"no mode {self.mode!r} of swebench-pro; choose {' or '.join(MODES)}")

    def load(self) -> Iterable[Task]:
        official = Official.at(self.scripts)
        rows, origin = self._rows()
        self._left_out.clear()
        tasks: dict[str, Task] = {}
        for number, raw in enumerate(rows, 1):
            name = f"row {number}"
            try:
                name = row.row_id(raw)
                task = self._task(name, raw, official, origin)
            except row.Unfit as why:
                known = name in tasks or name in self._left_out
                self._left_out[f"row {number}" if known else name] = str(why)
                continue
            if tasks.setdefault(name, task) is not task:
                self._left_out[f"row {number}"] = f"it repeats {name}; the first one stands"
        if not tasks:
            name, reason = next(iter(self._left_out.items()), ("it", "has no rows"))
            where = self.file or f"{DATASET}@{self.revision}"
            raise UsageError(f"{where}: no row can be graded; {name}: {reason}")
        return list(tasks.values())

    def left_out(self) -> Mapping[str, str]:
        return dict(self._left_out)

    def _rows(self) -> tuple[list[dict[str, Any]], str]:
        if not self.file:
            # Importing the hub's client takes a second, and pulls half of the world in.
            rows = import_module("tasks.hub").fetch(DATASET, self.revision, self.split)
            return rows, f"swebench-pro@{self.revision}"
        path = Path(self.file).expanduser()
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
        digest = hashlib.sha256(data).hexdigest()[:12]
        return read_rows(path, data), f"swebench-pro@sha256:{digest}"

    def _task(self, name: str, raw: Mapping[str, Any], official: Official, origin: str) -> Task:
        row.check(raw)
        fail_to_pass, pass_to_pass = row.names(raw, "fail_to_pass"), row.names(raw, "pass_to_pass")
        selected = row.names(raw, "selected_test_files_to_run")
        if not fail_to_pass and not pass_to_pass:
            raise row.Unfit("it expects no test to pass")
        if not selected:
            raise row.Unfit("it selects no test to run")
        scripts = official.scripts(name)
        environment = Environment(
            image=row.image_name(name, raw["repo"], self.dockerhub_user),
            workdir="/app",
            memory_mb=8192,
            pids=4096,
            base=raw["base_commit"],
        )
        oracle = {
            "patch": raw.get("patch") or "",
            "test_patch": raw.get("test_patch") or "",
            "base_commit": raw["base_commit"],
            "before_repo_set_cmd": raw["before_repo_set_cmd"],
            "selected": selected,
            "fail_to_pass": fail_to_pass,
            "pass_to_pass": pass_to_pass,
            "mode": self.mode,
            "ignore": _IGNORE,
            **scripts,
        }
        facets = {"repo": raw["repo"], "language": row.language(raw)}
        brief = Brief(TaskId(name), row.statement(raw), environment)
        return Task(brief, oracle, "swebench-pro", origin, facets)


@dataclass(frozen=True, slots=True)
class Official:
    """A checkout of the official evaluator, or a folder of run scripts alone."""

    run_scripts: Path
    dockerfiles: Path

    @classmethod
    def at(cls, folder: str) -> Official:
        root = Path(folder).expanduser() if folder else default_folder()
        if (root / "run_scripts").is_dir():
            return cls(root / "run_scripts", root / "dockerfiles")
        if next(root.glob("*/run_script.sh"), None):
            return cls(root, root.parent / "dockerfiles")
        raise UsageError(
            f"no run_scripts in {root}; run `harness tasks pull swebench-pro`, "
            "or give scripts= with a checkout of the official evaluator"
        )

    def scripts(self, name: str) -> dict[str, Any]:
        """What the grader needs of it for one row: where the scripts are, and what they ask for.

        `env` are the `ENV` lines of the two Dockerfiles as they stand. The network is open at
        grading time only to a script that fetches packages.
        """
        folder = self.run_scripts / name
        missing = [each for each in ("run_script.sh", "parser.py") if not (folder / each).is_file()]
        if missing:
            raise row.Unfit(f"there is no {' and no '.join(missing)} in {folder}")
        script = (folder / "run_script.sh").read_text(errors="replace")
        lines = []
        for kind in ("base_dockerfile", "instance_dockerfile"):
            path = self.dockerfiles / kind / name / "Dockerfile"
            if path.is_file():
                text = path.read_text(errors="replace")
                lines += [s for s in map(str.strip, text.split("\n")) if s.startswith("ENV")]
        network = "open" if _FETCHES.search(script) else "none"
        return {"scripts": str(folder.absolute()), "env": lines, "network": network}


def default_folder() -> Path:
    """Where `tasks pull` puts the official evaluator."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "harness" / "swebench-pro"


def read_rows(path: Path, data: bytes) -> list[dict[str, Any]]:
    """Rows of a file by its suffix, as they are: jsonl, json (a list), csv or parquet."""
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = import_module("tasks.hub").read_parquet(str(path))
        return rows
    try:
        text = data.decode()
        match path.suffix:
            case ".jsonl":
                return [_object(json.loads(line)) for line in text.split("\n") if line.strip()]
            case ".json":
                return [_object(each) for each in json.loads(text)]
            case ".csv":
                csv.field_size_limit(row.LONGEST_TEXT)
                return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
            case _:
                pass
    except (ValueError, TypeError, RecursionError, csv.Error) as error:
        raise UsageError(f"{path}: not a table of rows: {error}") from error
    raise UsageError(f"{path}: unknown kind of file; give .jsonl, .json, .csv or .parquet")


def _object(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise TypeError(f"a row is {type(raw).__name__}, not an object")
    return raw
