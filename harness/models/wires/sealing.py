"""What a reply holds that must go back as it came: signatures, encrypted thoughts, details.

It travels in a message as JSON text that says which wire it is of; another wire leaves it alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Placed = Sequence[tuple[int, Any]]
"""Blocks, each with how many of a message's own parts (its text, its calls) come before it."""


def seal(wire: str, value: Any) -> str:
    """`value` as text for `Message.sealed`; empty where there is nothing to carry."""
    return json.dumps({wire: value}, separators=(",", ":")) if value else ""


def unseal(wire: str, sealed: str) -> Any:
    """What this wire has put there, or None."""
    if not sealed:
        return None
    whole = json.loads(sealed)
    return whole.get(wire) if isinstance(whole, Mapping) else None


def interleaved(parts: Sequence[Any], placed: Placed | None) -> list[Any]:
    """A message's own parts with the sealed blocks between them where they were."""
    whole: list[Any] = []
    waiting = list(placed or ())
    for at, part in enumerate(parts):
        whole += [block for place, block in waiting if place == at]
        whole.append(part)
    return whole + [block for place, block in waiting if place >= len(parts)]
