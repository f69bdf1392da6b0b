"""`doctor`: what this machine can do for a run, in words."""

from __future__ import annotations

import json
import os
import platform
import shutil

from harness.errors import UsageError
from harness.sandboxes import docker
from harness.sandboxes.choice import choose
from harness.sandboxes.docker_shelf import Shelf
from harness.sandboxes.sizes import spoken


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
    if said := _images():
        facts["images"] = said
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):14} {value}")


def _images() -> str:
    """How much room images take on the engine because of us; nothing without an engine."""
    try:
        client = docker.connect()
    except UsageError:
        return ""
    try:
        found = Shelf(client).survey(None)
    finally:
        client.close()
    pulled = sum(1 for item in found.items if item.marks)
    views = sum(len(item.views) for item in found.items)
    taken = f"{pulled} pulled by us and {views} views take {spoken(found.used)}"
    return f"{taken}; harness sweep --images removes those that nobody uses"
