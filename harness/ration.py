"""How much of a run its budget carries: blocks that begin are to be whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf, sqrt

from harness.blocks import Block, block
from harness.meter import RunMeter
from harness.types import Attempt, Record


@dataclass(slots=True)
class _Costs:
    """What attempts under one condition have come to so far, in one unit."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def learn(self, cost: float) -> None:
        self.count += 1
        self.total += cost
        self.squares += cost * cost

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        return max(0.0, self.squares / self.count - self.mean**2) if self.count else 0.0


class Ration:
    """Lets a block begin only if more is wanted and the run's budget carries it, so that blocks
    are whole.

    What is under way and the block are taken to cost their means so far and two standard
    deviations of the sum. The first block begins on any budget that is not spent. The meter stays
    the one hard limit: a block that turns out dearer may still be parked half done.
    """

    def __init__(
        self,
        meter: RunMeter,
        known: Iterable[Record] = (),
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self.meter = meter
        self._enough = enough
        self._usd: defaultdict[str, _Costs] = defaultdict(_Costs)
        self._tokens: defaultdict[str, _Costs] = defaultdict(_Costs)
        self._under_way: set[Attempt] = set()
        self._begun: set[Block] = set()
        self.refused = False
        for record in known:
            self._learn(record)

    def settled(self, record: Record) -> None:
        self._under_way.discard(record.attempt)
        self._learn(record)

    def begin(self, due: Sequence[Attempt]) -> Iterator[Attempt]:
        """What is due, until the budget carries no further block."""
        for key, those in groupby(due, key=block):
            attempts = list(those)
            if key not in self._begun:
                if self._enough():
                    return
                if not self._carries(attempts):
                    self.refused = True
                    return
            self._begun.add(key)
            self._under_way.update(attempts)
            yield from attempts

    def _learn(self, record: Record) -> None:
        self._usd[record.attempt.condition].learn(record.usage.usd or 0.0)
        self._tokens[record.attempt.condition].learn(record.usage.tokens)

    def _carries(self, attempts: Sequence[Attempt]) -> bool:
        if self.meter.exhausted():
            return False
        if not self._begun:
            return True
        limits, coming = self.meter.limits, [*self._under_way, *attempts]
        usd = self.meter.usd + _foreseen(self._usd, coming)
        tokens = self.meter.spent.tokens + _foreseen(self._tokens, coming)
        return usd <= (limits.usd or inf) and tokens <= (limits.tokens or inf)


def _foreseen(known: Mapping[str, _Costs], coming: Iterable[Attempt]) -> float:
    costs = [known[a.condition] for a in coming if a.condition in known]
    return sum(c.mean for c in costs) + 2 * sqrt(sum(c.variance for c in costs))
