"""A run: the attempts still owed, worked off one by one into the store."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence

from harness.api import Executor, Store, Work
from harness.blocks import Begin
from harness.types import Attempt, Faulted, Record

MAX_FAULTS = 3
"""Tries of one attempt within one run. Running again is how a person says "once more"."""


def owed(planned: Iterable[Attempt], graded: Container[Attempt]) -> list[Attempt]:
    """The planned attempts that have no grade yet, in their planned order."""
    return [attempt for attempt in planned if attempt not in graded]


async def run(
    planned: Sequence[Attempt],
    work: Work,
    store: Store,
    executor: Executor,
    on_settled: Callable[[Record], None] = lambda _: None,
    begin: Begin = iter,
) -> None:
    """Work until nothing is owed. A faulted attempt comes again, on a fresh box, after the rest.

    `begin` may leave off early; what it has not begun stays owed.
    """
    faults: dict[Attempt, int] = {}

    def settle(record: Record) -> None:
        store.append(record)
        if isinstance(record, Faulted):
            faults[record.attempt] = faults.get(record.attempt, 0) + 1
        on_settled(record)

    due: list[Attempt] = list(planned)
    while due:
        before = dict(faults)
        await executor.run(begin(due), work, settle)
        due = [a for a in due if faults.get(a, 0) > before.get(a, 0) and faults[a] < MAX_FAULTS]
