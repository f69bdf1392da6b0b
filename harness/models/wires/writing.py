"""Bodies of requests, put together from parts that are JSON already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def body(head: Mapping[str, Any], name: str, said: bytes, tools: bytes) -> bytes:
    """`head`, which holds something, the conversation under `name`, and tools if there are any."""
    start = f'{{{json.dumps(head)[1:-1]}, "{name}": ['.encode()
    return b"".join([start, said, b'], "tools": [' if tools else b"", tools, b"]}"])
