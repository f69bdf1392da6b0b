"""What tries paid for that left a trace and no record: a process that died, a run that was stopped.

Of a run that is under way they include the tries that are being made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from harness.api import CUT_OFF, Event
from harness.codec import load
from harness.types import Attempt, Usage
from results.store import RunStore
from results.table import History


def with_lost(
    store: RunStore, found: dict[Attempt, History], planned: Iterable[Attempt]
) -> dict[Attempt, History]:
    """The same histories, with what the planned attempts' tries paid that left no record."""
    names = store.traces.names()
    for attempt in planned if names else ():
        history = found.get(attempt)
        numbers = _numbers(names, attempt.id, set() if history is None else history.numbers)
        usages = [paid(store.events(attempt, number)) for number in numbers]
        if any(usage.calls or usage.tokens for usage in usages):
            found.setdefault(attempt, History()).lost += usages
    return found


def _numbers(names: set[str], attempt: str, settled: set[int]) -> Iterator[int]:
    number = 1
    while f"{attempt}.{number}" in names:
        if number not in settled:
            yield number
        number += 1


def paid(events: Iterable[Event]) -> Usage:
    """What a try's live calls came to, those included that broke off."""
    return sum(map(_paid, events), Usage())


def _paid(event: Event) -> Usage:
    if event["kind"] == "reply" and event.get("live"):
        return _usage(event.get("reply"))
    if event["kind"] == "note" and event.get("note") == CUT_OFF:
        return _usage(event)
    return Usage()


def _usage(said: object) -> Usage:
    usage = said.get("usage") if isinstance(said, dict) else None
    return load(Usage, usage, where=f"the usage of a call in a trace ({json.dumps(usage)[:80]})")
