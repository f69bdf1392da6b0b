"""`doctor`: what this machine can do for a run, in words."""

from __future__ import annotations

import json
import os
import platform
import shutil

from harness.errors import UsageError
from harness.sandboxes.choice import choose


def examine(*, as_json: bool) -> None:
    """Print what is here and what is missing, with what would help."""
    facts = {
        "python": platform.python_version(),
        "git": shutil.which("git") or "missing: install git",
        "cpus": str(os.cpu_count()),
        "memory_gib": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f}",
        "disk_free_gib": f"{shutil.disk_usage('.').free / 2**30:.0f}",
    }
    try:
        name, why = choose("auto")
        facts["sandbox"] = f"{name}: {why}"
    except UsageError as error:
        facts["sandbox"] = f"none: {error}"
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):14} {value}")
