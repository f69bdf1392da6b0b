"""The audit as plain JSON types: `harness-audit/1`, described key by key in results/README.md."""

from __future__ import annotations

from typing import Any

from harness.codec import dump
from results.audit.scan import Audit

SCHEMA = "harness-audit/1"


def as_json(audit: Audit) -> dict[str, Any]:
    """Keys are added under one schema, never renamed or given another meaning."""
    return {"schema": SCHEMA, **dump(audit)}
