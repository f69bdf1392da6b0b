"""`audit`: what trajectories hold that a reader should look at."""

from __future__ import annotations

import json
from pathlib import Path

from results.audit.plain import as_json as plain
from results.audit.scan import scan
from results.audit.text import as_text
from results.store import RunStore


def audit(folders: list[Path], *, as_json: bool, full: bool) -> None:
    """Print what the rules point at in each run. Whatever it is, it accuses nobody."""
    found = [scan(RunStore(folder)) for folder in folders]
    if as_json:
        answers = [plain(one) for one in found]
        print(json.dumps(answers[0] if len(answers) == 1 else answers, indent=1))
        return
    for one in found:
        print(as_text(one, full=full), end="")
