"""Files that decide what a test result means, and that a submission therefore may not change."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tasks import patches
from tasks.swebench_pro.oracle import Oracle

_CONTROL = re.compile(
    r"conftest\.py|\.?pytest\.(ini|toml)|tox\.ini|setup\.cfg|pyproject\.toml"
    r"|(site|user)customize\.py|(jest|vitest)\.(config|setup)\.\w+|karma\.conf\.\w+"
    r"|\.mocharc(\.\w+)?|mocha\.opts|package\.json|\.npmrc|\.coveragerc"
)


def to_restore(oracle: Oracle, patch: bytes) -> list[str]:
    """The paths of a patch that are put back to the base commit before the hidden tests come.

    Test files of the row, files that its run script names, and files that steer a test runner.
    What the reference patch changes too is a legitimate thing to change.
    """
    gold = set(patches.touched(oracle.patch))
    tests = set(patches.touched(oracle.test_patch)) | set(_selected_files(oracle.selected))
    script = oracle.script("run_script.sh").decode(errors="replace")
    return [
        path
        for path in patches.touched(patch)
        if path not in gold and (path in tests or _is_control(path) or _named_in(path, script))
    ]


def _is_control(path: str) -> bool:
    return _CONTROL.fullmatch(path.rpartition("/")[2].lower()) is not None


def _named_in(path: str, script: str) -> bool:
    return path in script and bool(
        re.search(rf"(?<![\w./-]){re.escape(path)}(?![\w/-])", script.replace("/app/", ""))
    )


def _selected_files(selected: Iterable[str]) -> Iterable[str]:
    """`a/test_b.py::test_c` and `a/b.js | d e` name files; Go's bare test names do not."""
    for name in selected:
        yield re.split(r"::| \| ", name, maxsplit=1)[0]
