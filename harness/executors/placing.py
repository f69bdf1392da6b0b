"""Which attempt goes to which node: where its image is already, but never at the cost of idling.

A free node takes the first of the next attempts whose image it has, else the first whose image
nobody has, else whatever is next. An attempt that was passed over often enough goes before all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile

from harness.types import Attempt

AHEAD = 2
"""How far it looks ahead, in attempts for each box of the cluster."""
BOXES_A_SPARE = 8
"""A node has a box ready ahead of need, and one more for so many that it holds."""


@dataclass(slots=True, eq=False)
class Berth:
    """A node as a place for attempts."""

    name: str
    boxes: int
    busy: int = 0
    aside: bool = False
    """It is unwell: nothing new begins there."""
    images: set[str] = field(default_factory=set)
    """What is on its engine, or on the way there."""

    @property
    def room(self) -> int:
        return 0 if self.aside else max(0, self.boxes - self.busy)


class Placing:
    """Remembers who was passed over."""

    def __init__(self, image_of: Callable[[Attempt], str]) -> None:
        self._image_of = image_of
        self._passed: Counter[Attempt] = Counter()

    def next(
        self, queue: Sequence[Attempt], berths: Iterable[Berth]
    ) -> tuple[Attempt, Berth] | None:
        """Who of those next in the queue begins, and where; None where nobody waits or no room."""
        every = list(berths)
        free = sorted((b for b in every if b.room), key=lambda b: b.busy / b.boxes)
        if not queue or not free:
            return None
        boxes = sum(berth.boxes for berth in every)
        attempt, berth = self._chosen(queue, free, every, most=boxes)
        for passed in takewhile(lambda one: one != attempt, queue):
            self._passed[passed] += 1
        self._passed.pop(attempt, None)
        return attempt, berth

    def soon(
        self, queue: Iterable[Attempt], berth: Berth, berths: Iterable[Berth]
    ) -> list[Attempt]:
        """Whom a node is to make ready for: those next in the queue that suit it.

        An image that nobody has will be fetched there for it.
        """
        others = set().union(*(other.images for other in berths if other is not berth))
        suits = (
            attempt
            for attempt in queue
            if self._image_of(attempt) in berth.images or self._image_of(attempt) not in others
        )
        found = list(islice(suits, 1 + berth.boxes // BOXES_A_SPARE))
        berth.images.update(filter(None, map(self._image_of, found)))
        return found

    def _chosen(
        self, ahead: Sequence[Attempt], free: Sequence[Berth], every: Sequence[Berth], most: int
    ) -> tuple[Attempt, Berth]:
        first = ahead[0]
        if self._passed[first] < most:
            for berth in free:
                for attempt in ahead:
                    if self._image_of(attempt) in berth.images:
                        return attempt, berth
            known = set().union(*(berth.images for berth in every))
            for attempt in ahead:
                if self._image_of(attempt) not in known:
                    return attempt, free[0]
        return first, next((b for b in free if self._image_of(first) in b.images), free[0])
