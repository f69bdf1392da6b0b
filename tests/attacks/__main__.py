"""`python -m tests.attacks`: grade the whole set, and print what became of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from harness.api import Sandboxes
from harness.errors import UsageError
from harness.sandboxes import choice
from harness.sandboxes.bubblewrap import Bubblewrap
from harness.sandboxes.docker import Docker
from tests.attacks import cases, table, targets
from tests.attacks.running import Outcome, Plan, run

README = Path(__file__).with_name("README.md")
MARK = "<!-- what follows is written by `python -m tests.attacks --write` -->\n"


def main() -> int:
    asked = _arguments()
    try:
        name, why = choice.choose(asked.sandbox)
        chosen = _chosen(asked.only)
        print(f"{len(chosen)} cases in boxes of {name} ({why})", file=sys.stderr)
        boxes: Sandboxes = Docker(run_id="attacks") if name == "docker" else Bubblewrap()
        plan = Plan(asked.width, asked.unguarded or asked.write, _tell)
        outcomes = asyncio.run(run(chosen, targets.load(), boxes, plan))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    if asked.json:
        found = {"rates": table.rates(outcomes), "cases": list(table.rows(outcomes))}
        print(json.dumps(found, indent=1))
    else:
        print(table.markdown(outcomes))
    if asked.write:
        kept = README.read_text().partition(MARK)[0]
        README.write_text(f"{kept}{MARK}\nIn boxes of `{name}`:\n\n{table.markdown(outcomes)}")
    unexpected = [o for o in outcomes if o.standing != "as it should be" and not o.case.open]
    return 1 if unexpected else 0


def _chosen(only: str) -> list[cases.Case]:
    chosen = [case for case in cases.load() if only in (case.id, case.task, "")]
    if not chosen:
        raise UsageError(f"no case or task {only!r}; see tests/attacks/*.toml")
    return chosen


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument("--sandbox", default="auto", choices=("auto", "docker", "bubblewrap"))
    parser.add_argument("--width", type=int, default=2, help="boxes at a time")
    parser.add_argument("--only", default="", help="the id of one case, or a task's short name")
    parser.add_argument(
        "--unguarded", action="store_true", help="try attacks on a grader without guard, too"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    return parser.parse_args()


def _tell(outcome: Outcome) -> None:
    reason = outcome.verdict.reason if outcome.verdict else outcome.trouble
    said = f"{outcome.standing:16} {outcome.case.id:34} {reason} ({outcome.seconds:.1f} s)"
    if outcome.unguarded is not None:
        said += ", passes unguarded" if outcome.unguarded else ", harmless even unguarded"
    print(said, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
