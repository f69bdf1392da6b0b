"""`python -m tests.bench [NAMES] [--json]`, or `harness bench`: the benchmarks, each a module."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from tests.bench import attempt, cluster, grading, limited, long, many, soak, start, step
from tests.bench.figures import Figure, as_json, as_text

Measure = Callable[[], Coroutine[Any, Any, list[Figure]]]
MEASURES: dict[str, Measure] = {
    "step": step.measure,
    "attempt": attempt.measure,
    "long": long.measure,
    "many": many.measure,
    "limited": limited.measure,
    "grading": grading.measure,
    "start": start.measure,
}
ON_REQUEST: dict[str, Measure] = {"cluster": cluster.measure, "soak": soak.measure}
"""They need more than this installation brings, or take long."""


def main(argv: list[str]) -> int:
    names = [name for name in argv if name != "--json"] or list(MEASURES)
    known = {**MEASURES, **ON_REQUEST}
    if strange := [name for name in names if name not in known]:
        print(f"no benchmark {strange[0]!r}; choose {', '.join(known)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in names:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        figures += asyncio.run(known[name]())
    print(json.dumps(as_json(figures), indent=1) if "--json" in argv else as_text(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
