"""Which files of a submission do not reach the grading, since they decide how tests are run.

Three sorts. Test files and files that only steer a test runner are put back as they were in the
base commit. Files that steer other things too (`pyproject.toml`, `setup.cfg`, `package.json`)
keep what the submission made of them, but for the parts that a test runner reads. Whatever the
task's own reference patch touches is left alone: changing it is part of the job.
"""

from __future__ import annotations

import configparser
import json
import re
import sys
import tomllib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

_NAMES = (
    *("test_*.py", "*_test.py", "*_test.go", "*_spec.rb", "*.test.[cmjt]*", "*.spec.[cmjt]*"),
    *("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"),
    *("tox.ini", "noxfile.py", ".coveragerc", "sitecustomize.py", "usercustomize.py"),
    *("*.pth", "*.pyc", ".npmrc", ".yarnrc*", ".mocharc*", ".taprc", ".nycrc*", ".c8rc*"),
    *("jest.config.*", "vitest.config.*", "vitest.workspace.*", "karma.conf.*", "ava.config.*"),
    *("playwright.config.*", "cypress.config.*", "jasmine.json", "node.config.json", ".rspec"),
    *("bunfig.toml", "phpunit.xml*"),
)
_SHIMS = frozenset(
    (
        *("python", "python2", "python3", "pytest", "py.test", "tox", "nox", "sh", "bash", "dash"),
        *("env", "git", "node", "npm", "npx", "yarn", "pnpm", "jest", "mocha", "vitest", "tap"),
    )
)
_FOLDERS = frozenset(("node_modules", "__pycache__", "__tests__", "__mocks__", "__snapshots__"))
_TOP_FOLDERS = frozenset(("tests", "test", "spec", "specs"))
_RUNNERS = frozenset(
    (
        *("pytest", "_pytest", "py", "pluggy", "iniconfig", "xdist", "packaging", "pygments"),
        *("exceptiongroup", "tomli", "attr", "attrs", "colorama", "typing_extensions"),
    )
)
"""The runner of Python's tests, and what it imports before any test: a module called so at the top
of a repository comes before the installed one."""
_MODULES = (".py", ".pyi", ".so", ".pyd")
_SHARED = frozenset(("pyproject.toml", "setup.cfg", "package.json"))
_PACKAGE_KEYS = ("scripts", "jest", "mocha", "ava", "tap", "nyc", "c8", "vitest", "jasmine")
_PROJECT_TOOLS = ("pytest", "coverage", "tox")
_SECTION = re.compile(r"(?m)^(?=[ \t]*\[)")
_TEST_SECTION = re.compile(
    r"""[ \t]* \[+ \s* ["']? (?: tool ["']? \s* [.:] \s* ["']? )?
        (?: pytest | coverage | tox ) \b""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Plan:
    restore: tuple[str, ...]
    """To be as in the base commit, or gone."""
    shared: tuple[str, ...]
    """To be merged: see `merge`."""


def plan(touched: Sequence[str], legitimate: Collection[str], extra: Sequence[str] = ()) -> Plan:
    """Sort the paths of a patch; `legitimate` are those of the reference patch."""
    ours = [path for path in touched if path not in legitimate]
    own = {_leading(path) for path in legitimate}
    runners, library = _RUNNERS - own, sys.stdlib_module_names - own
    shared = [path for path in ours if PurePosixPath(path).name in _SHARED]
    restore = [
        path
        for path in ours
        if _steers(path, runners) or _shadows(path, library) or _fits(path, extra)
    ]
    return Plan(tuple(restore), tuple(path for path in shared if path not in restore))


def _steers(path: str, runners: Collection[str]) -> bool:
    parts = PurePosixPath(path).parts
    return (
        parts[0] in _TOP_FOLDERS
        or not _FOLDERS.isdisjoint(parts)
        or _leading(path) in runners
        or any(part.endswith((".egg-info", ".dist-info")) for part in parts)
        or parts[-1] in _SHIMS
        or _fits(parts[-1], _NAMES)
    )


def _shadows(path: str, library: Collection[str]) -> bool:
    """Whether a module at the top of the repository takes the place of one of Python's own."""
    parts = PurePosixPath(path).parts
    if len(parts) > 2 or not parts[-1].endswith(_MODULES):
        return False
    package = len(parts) == 2 and parts[1].partition(".")[0] == "__init__"
    return (package or len(parts) == 1) and parts[0].partition(".")[0] in library


def _leading(path: str) -> str:
    """The top-level module that a path may be imported as."""
    parts = PurePosixPath(path).parts
    inner = parts[1:] if parts[0] in ("src", "lib") and len(parts) > 1 else parts
    return inner[0].partition(".")[0] if inner[0].endswith(_MODULES) else inner[0]


def _fits(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def merge(name: str, base: bytes | None, now: bytes | None) -> bytes | None:
    """`now` with the parts that steer tests as in `base`; None: the file should not exist.

    What cannot be read, or not be told apart for certain, is as in `base` altogether.
    """
    if now is None:
        return base
    mergers: dict[str, Callable[[str, str], str]] = {
        "package.json": _merge_package,
        "pyproject.toml": _merge_project,
        "setup.cfg": _merge_setup,
    }
    try:
        return mergers[name]((base or b"").decode(), now.decode()).encode()
    except (ValueError, TypeError, RecursionError, configparser.Error):
        return base


def _merge_package(base: str, now: str) -> str:
    was, is_ = json.loads(base or "{}"), json.loads(now)
    if not isinstance(was, dict) or not isinstance(is_, dict):
        raise TypeError("not a package")
    steering = {key: was[key] for key in _PACKAGE_KEYS if key in was}
    if steering == {key: is_[key] for key in _PACKAGE_KEYS if key in is_}:
        return now
    rest = {key: value for key, value in is_.items() if key not in _PACKAGE_KEYS}
    return json.dumps(rest | steering, indent=2, ensure_ascii=False) + "\n"


def _merge_project(base: str, now: str) -> str:
    was, is_ = _project(base), _project(now)
    if was[0] == is_[0]:
        return now
    merged = _exchange(base, now)
    if _project(merged) != (was[0], is_[1]):
        raise ValueError("its tables are written in a way that cannot be told apart")
    return merged


def _project(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What steers tests in a pyproject.toml, and all else."""
    whole = tomllib.loads(text)
    tools = whole.get("tool", {})
    if not isinstance(tools, dict):
        raise TypeError("tool is no table")
    steering = {key: tools[key] for key in _PROJECT_TOOLS if key in tools}
    others = {key: value for key, value in tools.items() if key not in steering}
    return steering, {key: value for key, value in whole.items() if key != "tool"} | (
        {"tool": others} if others else {}
    )


def _merge_setup(base: str, now: str) -> str:
    was, is_ = _setup(base), _setup(now)
    if was[0] == is_[0]:
        return now
    merged = _exchange(base, now)
    if _setup(merged) != (was[0], is_[1]):
        raise ValueError("its sections are written in a way that cannot be told apart")
    return merged


def _setup(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    parser = configparser.RawConfigParser(strict=True)
    parser.read_string(text)
    sections = {name: dict(parser[name]) for name in parser.sections()}
    steering = {n: s for n, s in sections.items() if _TEST_SECTION.match(f"[{n}]")}
    return steering, {n: s for n, s in sections.items() if n not in steering}


def _exchange(base: str, now: str) -> str:
    """`now` without its test sections, then those of `base`."""
    kept = [s for s in _SECTION.split(now) if not _TEST_SECTION.match(s)]
    back = [s for s in _SECTION.split(base) if _TEST_SECTION.match(s)]
    return "".join(s if s.endswith("\n") else s + "\n" for s in [*kept, *back] if s)
