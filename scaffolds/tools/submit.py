"""The end of the work: a tool of its own, or the command `submit`."""

from __future__ import annotations

import json

from harness.types import Tool
from scaffolds.factors.turns import Call

TOOL = Tool(
    "submit",
    "Hand in the work as it stands in the repository. Call it once the issue is fixed.",
    json.dumps({"type": "object", "properties": {}, "required": []}),
)


def submits(call: Call) -> bool:
    """The command counts beside the tool as well: it means nothing else."""
    return call.name == TOOL.name or str(call.arguments.get("command", "")).strip() == "submit"
