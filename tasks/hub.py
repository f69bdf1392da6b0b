"""Data sets of the hub, and files in its table format. The only module that knows `datasets`."""

from __future__ import annotations

import logging
from typing import Any

import datasets
from pyarrow import parquet

from harness.errors import Fault, UsageError, blame


def fetch(dataset: str, revision: str, split: str) -> list[dict[str, Any]]:
    """The rows of a data set at a revision; they stay in the hub's own cache on this machine."""
    datasets.disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells of each retry
    try:
        # The hub's client raises what its transport of the day raises; all of it comes to this.
        with blame("grader"):
            table = datasets.load_dataset(dataset, revision=revision, split=split)
    except Fault as fault:
        reason = " ".join(fault.message.split())[:200]
        raise UsageError(
            f"{dataset}@{revision[:12]} ({split}) cannot be had from the hub, so give file= "
            f"with a jsonl, json, csv or parquet of the same columns: {reason}"
        ) from fault
    return [dict(row) for row in table]


def read_parquet(path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows
