"""The calls of a run's tries as their traces tell them, and how long the endpoint was busy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from harness import codec
from harness.api import CUT_OFF, Event
from harness.types import Attempt, Record, Usage
from results.store import RunStore
from results.table import History

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Call:
    """One call: when its reply was there or it broke off, how long it took, what it counted."""

    at: float
    seconds: float
    live: bool
    """Not so where an earlier try's reply was replayed: nobody was asked."""
    usage: Usage

    @property
    def interval(self) -> Interval:
        return self.at - self.seconds, self.at


@dataclass(frozen=True, slots=True)
class Try:
    """What one try's trace holds, in seconds since it began."""

    calls: tuple[Call, ...]
    ended: float


class Tries:
    """The tries of a run, each trace read when it is first asked for, and once."""

    def __init__(self, store: RunStore, found: Mapping[Attempt, History]) -> None:
        self._store = store
        self._found = found
        self._read: dict[tuple[Attempt, int], Try] = {}

    def of(self, attempt: Attempt, number: int) -> Try:
        key = attempt, number
        if key not in self._read:
            self._read[key] = _try(self._store.events(attempt, number))
        return self._read[key]

    def records(self, attempt: Attempt) -> dict[int, Record]:
        """By the number of the try."""
        history = self._found.get(attempt, History())
        settled: list[Record] = [*history.faults, *([history.graded] if history.graded else [])]
        return {record.tried: record for record in settled}

    def numbers(self, attempt: Attempt) -> range:
        """The tries that left a trace."""
        return range(1, self._store.tries(attempt) + 1)

    def lost(self, attempt: Attempt) -> list[Try]:
        """The tries that left a trace and no record."""
        settled = self.records(attempt)
        return [self.of(attempt, n) for n in self.numbers(attempt) if n not in settled]

    def untraced(self, attempt: Attempt) -> int:
        """How many recorded tries paid for calls of which there is no trace."""
        kept = self.numbers(attempt)
        return sum(
            bool(record.spent.calls) and number not in kept
            for number, record in self.records(attempt).items()
        )


def _try(events: Iterable[Event]) -> Try:
    calls, ended = [], 0.0
    for event in events:
        ended = float(event["at"])
        if event["kind"] == "reply":
            calls.append(_call(event, event["reply"], live=bool(event["live"])))
        elif event["kind"] == "note" and event.get("note") == CUT_OFF:
            calls.append(_call(event, event, live=True))
    return Try(tuple(calls), ended)


def _call(event: Event, said: Any, *, live: bool) -> Call:
    usage = codec.load(Usage, said["usage"], where="the usage of a call in a trace")
    return Call(float(event["at"]), float(event["seconds"]), live, usage)


@dataclass(frozen=True, slots=True)
class Busy:
    """Seconds of an endpoint in which it had a call of these conditions under way."""

    total: float
    conditions: Mapping[str, float]
    calls: Mapping[str, float]
    """The seconds of all live calls, which overlap."""
    untraced: int
    """Tries that asked a model and left no trace: with one, nobody knows how busy it was."""

    def hours(self, condition: str) -> float:
        """The part of the total that is this condition's, by its own busy time."""
        own = sum(self.conditions.values())
        return self.total * self.conditions[condition] / own / 3600 if own else 0.0


def busy(tries: Tries, attempts: Mapping[str, Sequence[Attempt]]) -> Busy:
    """The busy time of the given attempts by condition, all at one endpoint."""
    placed: list[Interval] = []
    afloat = 0.0
    conditions, calls, untraced = {}, {}, 0
    for condition, keys in attempts.items():
        own, drifting, seconds = _spans(tries, keys)
        conditions[condition], calls[condition] = union(own) + drifting, seconds
        placed += own
        afloat += drifting
        untraced += sum(map(tries.untraced, keys))
    return Busy(union(placed) + afloat, conditions, calls, untraced)


def _spans(tries: Tries, keys: Iterable[Attempt]) -> tuple[list[Interval], float, float]:
    """Intervals on the clock; busy seconds of tries without a place on it; seconds of all calls."""
    placed: list[Interval] = []
    drifting = seconds = 0.0
    for key in keys:
        settled = tries.records(key)
        for number in tries.numbers(key):
            told = tries.of(key, number)
            live = [call.interval for call in told.calls if call.live]
            seconds += sum(end - start for start, end in live)
            began = _began(settled.get(number), told)
            if began is None:
                drifting += union(live)
            else:
                placed += [(began + start, began + end) for start, end in live]
    return placed, drifting, seconds


def _began(record: Record | None, told: Try) -> float | None:
    """When a try began: a record is written as its trace ends, and only it knows the hour."""
    if record is None or not record.at:
        return None
    try:
        return datetime.fromisoformat(record.at).timestamp() - told.ended
    except ValueError:
        return None


def union(intervals: Iterable[Interval]) -> float:
    """The length of what they cover together."""
    covered, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered
