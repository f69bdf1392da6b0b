"""Amounts of disk, as people write and read them: decimal, as makers of disks and engines do."""

from __future__ import annotations

import re

from harness.errors import UsageError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_UNITS |= {f"{unit}i": 2 ** (10 * power) for power, unit in enumerate("kmgt", 1)}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]?i?)b?", re.IGNORECASE)


def read(text: str) -> int:
    """`200GB`, `1.5TiB`, `500M`, in bytes; UsageError for what is no amount."""
    written = _WRITTEN.fullmatch(text.strip())
    unit = _UNITS.get(written[2].lower()) if written else None
    if written is None or unit is None or not float(written[1]):
        raise UsageError(f"{text!r} is no amount of disk: give one as 200GB or 1.5TiB")
    return round(float(written[1]) * unit)


def spoken(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 999.5:
            return f"{size:.0f} {unit}" if size >= 100 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} TB"
