"""The tasks that the set is aimed at: bundled ones, and two of them with a careless eval.sh."""

from __future__ import annotations

from dataclasses import replace

from harness.types import Task, TaskId
from tasks.local.load import demo

SHORT = {
    "boltons": "boltons-reverse-lines-encoding",
    "click": "click-default-map-flag",
    "commander": "commander-infix-no-option",
    "dotenv": "dotenv-run-no-override",
    "humanize": "humanize-naturalsize-carry",
    "p-map": "p-map-iterable-concurrency",
    "parse": "parse-trailing-newline",
    "pathspec": "pathspec-reinclude-contents",
    "semver": "semver-caret-prerelease",
}

# The runner is found on PATH, the repository comes first on it and on Python's path, and the
# repository's own settings count: whatever is not put back has its effect.
_CARELESS_PYTHON = """
prefix=${HARNESS_PREFIX:-/opt/task}
export PATH="$PWD:$PWD/bin:$prefix/venv/bin:$PATH" PYTHONPATH="$PWD"
exec python -m pytest -q --junitxml="$HARNESS_REPORT" test_whole_string.py test_parse.py
"""
# Reads its settings where mocha and npm do, since neither is installed here.
_CARELESS_NODE = """
prefix=${HARNESS_PREFIX:-/opt/task}
export PATH="$PWD:$PWD/node_modules/.bin:$prefix/bin:$PATH"
options=$(node -p '
  const fs = require("fs"), all = []
  const read = (name) => fs.existsSync(name) ? fs.readFileSync(name, "utf8") : ""
  all.push(...(JSON.parse(read("package.json")).mocha || {}).require || [])
  all.push(...JSON.parse(read(".mocharc.json") || "{}").require || [])
  const npm = /^node-options=(.*)$/m.exec(read(".npmrc"))
  all.map((file) => "--require " + file).join(" ") + " " + (npm ? npm[1] : "")
')
report="--test --test-reporter=junit --test-reporter-destination=$HARNESS_REPORT"
check=$(node -p 'require("./package.json").scripts.check || ""')
if [ -n "$check" ]; then exec sh -c "$check"; fi
exec node $options $report test/infix-no.test.js
"""
_CARELESS = {
    "parse-careless": ("parse", _CARELESS_PYTHON),
    "commander-careless": ("commander", _CARELESS_NODE),
}


def load() -> dict[str, Task]:
    """By short name, every task that a case may name."""
    bundled = {task.id: task for task in demo().load()}
    found = {name: bundled[TaskId(id_)] for name, id_ in SHORT.items()}
    for name, (like, script) in _CARELESS.items():
        task = found[like]
        found[name] = replace(task, oracle={**task.oracle, "eval_script": script})
    return found


def language(task: Task) -> str:
    return str(task.oracle["language"])
