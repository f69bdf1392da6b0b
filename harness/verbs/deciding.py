"""`run --stop-when decided`: what is settled, watched for the comparison that the run is for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from harness.experiment import Experiment, named_pair
from harness.types import Attempt, Faulted, Graded, Record, TaskId
from results.deciding import Question, decided
from results.manifest import Stop
from results.store import RunStore


class Watch:
    """Looks at the end of each block, and remembers what it saw. It never looks where nothing asks
    it to stop."""

    def __init__(self, experiment: Experiment, tasks: list[TaskId], store: RunStore) -> None:
        self._store = store
        self._asked = _question(experiment, tasks) if experiment.stop_when else None
        self._verdicts: dict[Attempt, bool] = {}
        self._faulted: set[Attempt] = set()
        self._looked = -1
        self.stop: Stop | None = None
        if self._asked:
            for record in store.records():
                self.settled(record)

    def settled(self, record: Record) -> None:
        match record:
            case Graded(attempt=attempt, verdict=verdict):
                self._verdicts[attempt] = verdict.resolved
                self._faulted.discard(attempt)
            case Faulted(attempt=attempt):
                self._faulted.add(attempt)

    def enough(self) -> bool:
        """Whether it is decided; the manifest says so from then on."""
        settled = len(self._verdicts) + len(self._faulted)
        if self._asked is None or self.stop or settled == self._looked:
            return self.stop is not None
        self._looked = settled
        found = decided(self._asked, self._verdicts, self._faulted)
        if found:
            self.stop = replace(found, at=datetime.now(UTC).isoformat(timespec="seconds"))
            self._store.stopped(self.stop)
        return found is not None


def _question(experiment: Experiment, tasks: list[TaskId]) -> Question:
    first, second = (condition.digest for condition in named_pair(experiment))
    order = dict.fromkeys(attempt.task for attempt in experiment.plan(tasks))
    margin, alpha = experiment.decide.margin / 100, experiment.decide.alpha
    return Question(first, second, margin, alpha, list(order), experiment.repeats)
