"""`bench`: the benchmarks of a checkout, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.errors import UsageError

ROOT = Path(__file__).parents[2]


def bench(names: list[str], *, as_json: bool) -> int:
    """Run them and return their exit code. UsageError where there are none: in a wheel."""
    if not (ROOT / "tests" / "bench" / "__main__.py").is_file():
        raise UsageError(
            f"the benchmarks are not part of an installed package, and {ROOT} is no checkout; "
            "clone the repository and run `pip install -e .` there"
        )
    argv = [sys.executable, "-m", "tests.bench", *names, *(["--json"] if as_json else [])]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode
