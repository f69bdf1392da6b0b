"""One task folder, read strictly: what is misspelt, missing or of no use is said, not guessed."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from harness import codec
from harness.errors import UsageError, unknown
from harness.types import Brief, Environment, Task, TaskId, Value
from tasks import patches

FILES = ("task.toml", "problem_statement.md", "tests.json", "gold.patch", "eval.sh")
_LISTS = ("FAIL_TO_PASS", "PASS_TO_PASS")
_LEFT_BY_TOOLS = frozenset(("__pycache__", ".DS_Store"))
"""Not part of a task: an installer compiles what it finds, and so changes the folder."""

V = TypeVar("V", bound=Value)


@dataclass(frozen=True, slots=True)
class Bounds(Value):
    """The table `[limits]`."""

    memory_mb: int = 4096
    cpus: float = 2.0
    pids: int = 1024
    test_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Settings(Value):
    """What `task.toml` says."""

    repo: str
    language: str
    base_commit: str
    package: str = ""
    workdir: str = "/app"
    difficulty: str = ""
    summary: str = ""
    upstream_fix: str = ""
    license: str = ""
    ignore: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    canary: bool = True
    image: str = ""
    network: Literal["none", "open"] = "none"
    limits: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True)
class Oracle(Value):
    """What the grader works with, and the agent never sees."""

    patch: str
    """The reference patch; bytes that are not UTF-8 are surrogate escapes."""
    base_commit: str
    tests: str
    """The folder of hidden test files on this machine."""
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    eval_script: str
    test_seconds: float
    language: str
    ignore: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    canary: bool = True


def looks_like_one(folder: Path) -> bool:
    return folder.is_dir() and any((folder / name).exists() for name in FILES)


def read(folder: Path, origin: str) -> Task:
    """The task in a folder; UsageError, in one line, with the first thing wrong with it."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}", folder.name):
        raise UsageError(
            f"{folder.name!a}: a task's folder is named with letters, digits, '.', '_' and '-'"
        )
    settings = _settings(folder)
    expected = _expected(folder)
    gold = _bytes(folder / "gold.patch")
    _vet_gold(gold, folder / "gold.patch")
    oracle = Oracle(
        patch=gold.decode(errors="surrogateescape"),
        base_commit=settings.base_commit,
        tests=str(_tests_folder(folder).resolve()),
        fail_to_pass=expected["FAIL_TO_PASS"],
        pass_to_pass=expected["PASS_TO_PASS"],
        eval_script=_text(folder / "eval.sh"),
        test_seconds=settings.limits.test_seconds,
        language=settings.language,
        ignore=settings.ignore,
        protect=settings.protect,
        canary=settings.canary,
    )
    brief = Brief(
        TaskId(folder.name), _text(folder / "problem_statement.md"), _environment(folder, settings)
    )
    facets = {
        "repo": settings.repo,
        "language": settings.language,
        "difficulty": settings.difficulty,
    }
    return Task(brief, asdict(oracle), "local", origin, {k: v for k, v in facets.items() if v})


def files_of(folder: Path) -> Iterator[Path]:
    """Every file of a task or of its hidden tests, in a stable order."""
    for path in sorted(folder.rglob("*")):
        if _LEFT_BY_TOOLS.isdisjoint(path.relative_to(folder).parts) and not path.is_dir():
            yield path


def digest_of(folders: list[Path]) -> str:
    """Of names, modes and contents: the revision of a set of tasks."""
    whole = hashlib.sha256()
    for folder in folders:
        for path in files_of(folder):
            data = path.read_bytes() if path.is_file() else b""
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            whole.update(f"{name}\0{executable(path)}\0{len(data)}\0".encode(errors="replace"))
            whole.update(data)
    return whole.hexdigest()[:12]


def executable(path: Path) -> bool:
    return bool(path.lstat().st_mode & stat.S_IXUSR)


def _settings(folder: Path) -> Settings:
    where = folder / "task.toml"
    try:
        raw = tomllib.loads(_text(where))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: {error}") from None
    settings = _load(Settings, raw, str(where))
    for wrong, message in (
        (not re.fullmatch(r"[0-9a-f]{40}", settings.base_commit), "base_commit: not 40 hex digits"),
        (not settings.workdir.startswith("/"), "workdir: not an absolute path"),
        (not settings.repo or not settings.language, "repo and language: may not be empty"),
        (min(asdict(settings.limits).values()) <= 0, "limits: all must be above 0"),
    ):
        if wrong:
            raise UsageError(f"{where}: {message}")
    return settings


def _load(kind: type[V], raw: Mapping[str, Any], where: str) -> V:
    """Like `codec.load`, and for a key that is not one, the nearest that is."""
    names = {f.name for f in fields(kind)}  # type: ignore[arg-type]  # every Value is a dataclass
    for key in raw:
        if key not in names:
            raise UsageError(f"{where}: {unknown('key', key, names)}")
    if isinstance(limits := raw.get("limits"), dict):
        raw = {**raw, "limits": _load(Bounds, limits, f"{where} [limits]")}
    return codec.load(kind, raw, where=where)


def _expected(folder: Path) -> dict[str, tuple[str, ...]]:
    where = folder / "tests.json"
    try:
        raw = json.loads(_text(where))
    except ValueError as error:
        raise UsageError(f"{where}: not JSON: {error}") from None
    if not isinstance(raw, dict) or set(raw) != set(_LISTS):
        raise UsageError(f"{where}: its keys must be {' and '.join(_LISTS)}, and no others")
    lists = {
        name: codec.load(tuple[str, ...], raw[name], where=f"{where} {name}") for name in _LISTS
    }
    if not lists["FAIL_TO_PASS"]:
        raise UsageError(f"{where}: FAIL_TO_PASS is empty: there is nothing that a fix could show")
    listed = [*lists["FAIL_TO_PASS"], *lists["PASS_TO_PASS"]]
    if len(set(listed)) != len(listed):
        twice = next(name for name in listed if listed.count(name) > 1)
        raise UsageError(f"{where}: {twice!r} is listed twice")
    return lists


def _vet_gold(gold: bytes, where: Path) -> None:
    if not patches.touched(gold):
        raise UsageError(f"{where}: not a git patch that touches any file")
    if trouble := patches.refusal(gold):
        raise UsageError(f"{where}: {trouble}")


def _tests_folder(folder: Path) -> Path:
    tests = folder / "tests"
    found = list(files_of(tests)) if tests.is_dir() else []
    if not found:
        raise UsageError(f"{tests}: no hidden test files there")
    for path in found:
        if path.is_symlink() or not path.is_file():
            raise UsageError(f"{path}: not a regular file, as each hidden test file must be")
        if ".git" in path.relative_to(tests).parts:
            raise UsageError(f"{path}: hidden tests may not write into .git")
    return tests


def _environment(folder: Path, settings: Settings) -> Environment:
    recipe = folder / "environment"
    if bool(settings.image) == recipe.is_dir():
        both = "both an image and" if settings.image else "neither an image nor"
        raise UsageError(f"{folder / 'task.toml'}: {both} a folder environment/; give one of them")
    if not settings.image and not (recipe / "setup.sh").is_file():
        raise UsageError(f"{recipe}: has no setup.sh")
    return Environment(
        image=settings.image,
        workdir=settings.workdir,
        recipe="" if settings.image else str(recipe.resolve()),
        network=settings.network,
        cpus=settings.limits.cpus,
        memory_mb=settings.limits.memory_mb,
        pids=settings.limits.pids,
        base=settings.base_commit,
    )


def _text(path: Path) -> str:
    try:
        text = _bytes(path).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    if not text.strip():
        raise UsageError(f"{path}: is empty")
    return text


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
