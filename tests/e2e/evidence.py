"""What a run's folder says, read as anyone could: the files are the interface."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any


def verdicts(run: Path) -> dict[tuple[Any, ...], bool]:
    lines = [json.loads(line) for line in (run / "ledger.jsonl").read_bytes().splitlines()]
    keys = [tuple(line["attempt"].values()) for line in lines]
    assert len(keys) == len(set(keys)), "every attempt is settled once"
    return {key: line["verdict"]["resolved"] for key, line in zip(keys, lines, strict=True)}


def paid_replies(run: Path) -> Counter[tuple[str, int]]:
    """How often each reply of each attempt was asked for live and written down."""
    paid: Counter[tuple[str, int]] = Counter()
    for trace in sorted((run / "traces").iterdir()):
        for line in trace.read_bytes().split(b"\n")[:-1]:
            event = json.loads(line)
            if event["kind"] == "reply" and event["live"]:
                paid[trace.name.rsplit(".", 2)[0], event["n"]] += 1
    return paid
