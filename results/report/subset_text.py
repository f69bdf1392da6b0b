"""The score on a whole task set from a subset of it, in words."""

from __future__ import annotations

from results.report.layout import percent
from results.stats.subsets import Whole


def sentence(found: Whole) -> str:
    """What a subset says of the whole, and of which question its interval is the answer."""
    if found.value is None:
        return f"the score on all {found.of} tasks: not known, {found.reason}"
    if found.low is None or found.high is None:
        return (
            f"on all {found.of} tasks it would have solved {percent(found.value)}%; {found.reason}"
        )
    worth = "" if found.worth is None else f"; worth {found.worth:.1f}x as many drawn blindly"
    return (
        f"on all {found.of} tasks it would have solved {percent(found.value)}% "
        f"[{percent(found.low)}, {percent(found.high)}], by {found.drawn} drawn by difficulty"
        f"{worth}. The interval is for this pass over those {found.of} tasks: neither a rerun nor "
        "new issues are in it"
    )
