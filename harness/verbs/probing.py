"""`doctor --model`: what a live endpoint can do, in words."""

from __future__ import annotations

import asyncio
import json
import textwrap
from dataclasses import asdict

from harness.experiment import part
from harness.models.probing.probe import QUESTIONS, probe
from harness.progress import steps
from harness.verbs.assemble import Address

_WIDTH = 100
_COLUMN = 44


def examine(model: str, address: Address, most_tokens: int, *, as_json: bool) -> None:
    """Ask the model's endpoint everything, and print what was found."""
    asked = part(model)
    endpoint = address.of(asked)
    name = str(asked.knobs.get("id", asked.name))
    with steps(QUESTIONS, "questions", quiet=as_json) as shown:
        found = asyncio.run(probe(name, endpoint, most_tokens, shown.on))
    if as_json:
        rows = [asdict(finding) for finding in found]
        print(json.dumps({"model": asked.name, "base_url": endpoint.base_url, "findings": rows}))
        return
    print(f"{asked.name} at {endpoint.base_url}")
    for finding in found:
        head = f"{finding.answer:8} {finding.question}"
        lines = textwrap.wrap(finding.said, _WIDTH - _COLUMN) or [""]
        print(f"{head:{_COLUMN}}{lines[0]}")
        for line in lines[1:]:
            print(" " * _COLUMN + line)
