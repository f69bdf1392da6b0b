"""Files that decide what a test result means, and that a submission therefore may not change."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tasks import patches, protect
from tasks.swebench_pro.oracle import Oracle


def to_restore(oracle: Oracle, patch: bytes) -> list[str]:
    """The paths of a patch that are put back to the base commit before the hidden tests come.

    Test files of the row, files that its run script names, and files that steer a test runner.
    What the reference patch changes too is a legitimate thing to change.
    """
    touched, gold = patches.touched(patch), set(patches.touched(oracle.patch))
    tests = set(patches.touched(oracle.test_patch)) | set(_selected_files(oracle.selected))
    script = oracle.script("run_script.sh").decode(errors="replace")
    steering = protect.plan(touched, gold)
    steers = {*steering.restore, *steering.shared}
    return [
        path
        for path in touched
        if path not in gold and (path in tests or path in steers or _named_in(path, script))
    ]


def _named_in(path: str, script: str) -> bool:
    return path in script and bool(
        re.search(rf"(?<![\w./-]){re.escape(path)}(?![\w/-])", script.replace("/app/", ""))
    )


def _selected_files(selected: Iterable[str]) -> Iterable[str]:
    """`a/test_b.py::test_c` and `a/b.js | d e` name files; Go's bare test names do not."""
    for name in selected:
        yield re.split(r"::| \| ", name, maxsplit=1)[0]
