from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def harness(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "harness", *args]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def test_a_benchmark_that_does_not_exist_is_named_with_those_that_do() -> None:
    done = harness("bench", "stpe", cwd=ROOT)
    assert done.returncode == 2
    assert "no benchmark 'stpe'; choose step, " in done.stderr


def test_where_there_is_no_checkout_one_line_says_so(tmp_path: Path) -> None:
    for package in ("harness", "results", "tasks", "scaffolds"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("runs"))
    done = harness("bench", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "is no checkout; clone the repository" in done.stderr
