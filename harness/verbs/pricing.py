"""`reprice`: what a run cost, told again under other prices. Nothing of the run is touched."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from harness import codec
from harness.costs import EVERY
from harness.errors import UsageError, unknown
from harness.models.prices import Prices
from harness.types import Attempt, Condition, Record, Usage
from harness.verbs.busy import Busy, Tries, Try, busy
from harness.verbs.offers import Hire, Offer, model_id
from results.blobs import publish
from results.manifest import Manifest
from results.report.layout import clean, duration, grid, money
from results.store import RunStore
from results.table import Cost, Figure, History, Summary, histories, laid, summarise

SCHEMA = "harness-reprice/1"
WIDTH = 100
_BY_HOUR = (
    "GPU-hours: gpus x dollars an hour x the hours in which at least one call of these conditions "
    "was under way (the union of the calls' intervals in the traces, pauses between a call's "
    "retries included, idle time not); shared among conditions by their own busy seconds, and "
    "within one among tries by the seconds of their calls. A try's place in time is that of its "
    "record, good to about a second; a try without a record is taken to overlap with nothing. "
    "Calls that never got a reply left no interval."
)

_COUNTED = (
    "usd and tokens are of graded attempts, each counted as though it had never been interrupted; "
    "the tries are what was paid: those that settled, those that faulted, and those that left a "
    "trace and no record."
)


@dataclass(frozen=True, slots=True)
class Told:
    """One condition under the new prices, beside what was recorded."""

    before: Summary
    cost: Cost
    source: str
    graded_tries: Figure
    faulted_tries: Figure
    lost_tries: Figure
    """Of tries that left a trace and no record: a process that died."""
    busy_seconds: float | None


def reprice(folder: Path, wanted: Offer, *, as_json: bool, into: Path | None = None) -> None:
    """Print a run's cost under these prices; with `into`, write the same there as JSON."""
    store = RunStore(folder)
    told = repriced(store, wanted)
    answer = plain(folder.resolve().name, wanted, told)
    if into is not None:
        _write(into, answer)
    print(json.dumps(answer, indent=1) if as_json else as_text(answer, told))


def _write(path: Path, answer: Mapping[str, Any]) -> None:
    """Only a new file or an earlier answer: somebody could name the ledger."""
    start = json.dumps({"schema": SCHEMA}, indent=1)[:-2].encode()
    try:
        with path.open("rb") as file:
            ours = file.read(len(start)) == start
    except FileNotFoundError:
        ours = path.parent.is_dir()
    except OSError as error:
        raise UsageError(f"--into {path}: {error.strerror}") from None
    if not ours:
        raise UsageError(f"--into {path}: it is something else, or in no folder; name a new file")
    publish(path, json.dumps(answer, indent=1).encode() + b"\n")


def repriced(store: RunStore, wanted: Offer) -> list[Told]:
    """Every condition of a run, in the order in which they were asked for."""
    manifest = store.manifest()
    _check_models(manifest, wanted)
    found = histories(store.records(), where=str(store.ledger.path))
    tries = Tries(store, found)
    hired = [
        digest
        for digest, arm in manifest.conditions.items()
        if wanted.hire and wanted.of(arm.condition) is None
    ]
    hours = busy(tries, _declared(manifest, hired))
    rules = {
        digest: _rule(arm.condition, wanted, tries, hours)
        for digest, arm in manifest.conditions.items()
    }
    declared = _declared(manifest, rules)
    now = {
        key: _history(rules[key.condition], found[key])
        for keys in declared.values()
        for key in keys
        if key in found
    }
    summaries = zip(
        *(summarise(manifest, laid(manifest, told)) for told in (found, now)), strict=True
    )
    return [
        _told(
            before,
            after.cost,
            rules[before.digest],
            [now.get(key, History()) for key in declared[before.digest]],
            [lost for key in declared[before.digest] for lost in tries.lost(key)],
        )
        for before, after in summaries
    ]


def _check_models(manifest: Manifest, wanted: Offer) -> None:
    known = {model_id(arm.condition) for arm in manifest.conditions.values()}
    for model in wanted.tokens:
        if model != EVERY and model not in known:
            raise unknown("model of this run", model, known)


def _declared(manifest: Manifest, digests: Iterable[str]) -> dict[str, list[Attempt]]:
    keys: dict[str, list[Attempt]] = {digest: [] for digest in digests}
    for key in manifest.planned():
        if key.condition in keys:
            keys[key.condition].append(key)
    return keys


class Rule(Protocol):
    """How one condition is priced. None where that cannot be said."""

    @property
    def source(self) -> str: ...
    @property
    def busy_seconds(self) -> float | None: ...
    def used(self, record: Record) -> float | None: ...
    def spent(self, record: Record) -> float | None: ...
    def lost(self, told: Try) -> float | None: ...


def _rule(condition: Condition, wanted: Offer, tries: Tries, hours: Busy) -> Rule:
    if prices := wanted.of(condition):
        return ByToken(prices, tries)
    if wanted.hire:
        return ByHour(wanted.hire, tries, hours, condition.digest)
    return AsRecorded()


@dataclass(frozen=True, slots=True)
class AsRecorded:
    """Nothing was said of this model: its records keep their dollars."""

    source: str = "as recorded"
    busy_seconds: float | None = None

    def used(self, record: Record) -> float | None:
        return record.usage.usd

    def spent(self, record: Record) -> float | None:
        return record.spent.usd

    def lost(self, told: Try) -> float | None:
        return sum((call.usage for call in told.calls if call.live), Usage()).usd


@dataclass(frozen=True, slots=True)
class ByToken:
    """The tokens of the records at a price. What counted no tokens has no price, and is no zero."""

    prices: Prices
    tries: Tries
    source: str = "--price"
    busy_seconds: float | None = None

    def used(self, record: Record) -> float | None:
        return self._of(record, record.usage, range(1, record.tried + 1))

    def spent(self, record: Record) -> float | None:
        return self._of(record, record.spent, range(record.tried, record.tried + 1))

    def lost(self, told: Try) -> float | None:
        usages = [call.usage for call in told.calls if call.live]
        return self.prices.of(sum(usages, Usage())) if all(u.tokens for u in usages) else None

    def _of(self, record: Record, usage: Usage, numbers: range) -> float | None:
        if not usage.tokens:
            return 0.0 if usage == Usage() else None
        # A price that was known then proves that each call counted; without, ask the traces.
        if usage.usd is None and any(
            call.live and not call.usage.tokens
            for number in numbers
            for call in self.tries.of(record.attempt, number).calls
        ):
            return None
        return self.prices.of(usage)


@dataclass(frozen=True, slots=True)
class ByHour:
    """A share of the hired machine's busy time."""

    hire: Hire
    tries: Tries
    hours: Busy
    condition: str
    source: str = "--gpu-hour"

    @property
    def busy_seconds(self) -> float | None:
        return None if self.hours.untraced else self.hours.conditions[self.condition]

    def used(self, record: Record) -> float | None:
        told = self.tries.of(record.attempt, record.tried)
        if not told.calls and "continues_try" in record.facts:
            # Only the grade was lacking: all calls are those of the try that it goes on from.
            told = self.tries.of(record.attempt, int(record.facts["continues_try"]))
        return self._of(call.seconds for call in told.calls)

    def spent(self, record: Record) -> float | None:
        return self.lost(self.tries.of(record.attempt, record.tried))

    def lost(self, told: Try) -> float | None:
        return self._of(call.seconds for call in told.calls if call.live)

    def _of(self, seconds: Iterable[float]) -> float | None:
        if self.hours.untraced:
            return None
        everything = self.hours.calls[self.condition]
        usd = self.hire.gpus * self.hire.usd_hour * self.hours.hours(self.condition)
        return usd * sum(seconds) / everything if everything else 0.0


def _history(rule: Rule, was: History) -> History:
    """The same records with other dollars. Nothing of this is ever written."""
    graded = was.graded
    if graded is not None:
        graded = replace(
            graded,
            usage=replace(graded.usage, usd=rule.used(graded)),
            spent=replace(graded.spent, usd=rule.spent(graded)),
        )
    faults = [replace(f, spent=replace(f.spent, usd=rule.spent(f))) for f in was.faults]
    return History(graded, faults)


def _told(
    before: Summary, cost: Cost, rule: Rule, entries: Sequence[History], lost: Sequence[Try]
) -> Told:
    return Told(
        before=before,
        cost=cost,
        source=rule.source,
        graded_tries=_total((e.graded.spent.usd for e in entries if e.graded), "graded tries"),
        faulted_tries=_total((f.spent.usd for e in entries for f in e.faults), "faulted tries"),
        lost_tries=_total(map(rule.lost, lost), "tries without a record"),
        busy_seconds=rule.busy_seconds,
    )


def _total(parts: Iterable[float | None], what: str) -> Figure:
    each = list(parts)
    if unknown_ := each.count(None):
        return Figure(None, f"{unknown_} of {len(each)} {what} have no price")
    return Figure(sum(usd or 0.0 for usd in each))


def plain(name: str, wanted: Offer, told: Sequence[Told]) -> dict[str, Any]:
    """The answer as JSON: keys that the report has mean here what they mean there."""
    return {
        "schema": SCHEMA,
        "name": name,
        "prices": {model or "*": codec.dump(prices) for model, prices in wanted.tokens.items()},
        "gpu": None if wanted.hire is None else {**codec.dump(wanted.hire), "definition": _BY_HOUR},
        "conditions": [_plain(one) for one in told],
    }


def _plain(one: Told) -> dict[str, Any]:
    before, cost = one.before.cost, one.cost
    return {
        "digest": one.before.digest,
        "label": one.before.label,
        "source": one.source,
        "busy_seconds": one.busy_seconds,
        "usage": codec.dump(cost.usage),
        "spent": codec.dump(cost.spent),
        **{name: codec.dump(getattr(cost, name)) for name in _SHARED},
        **{f"usd_{name}": codec.dump(getattr(one, name)) for name in _TRIES},
        "recorded": {name: codec.dump(getattr(before, name)) for name in _SHARED},
    }


_SHARED = ("usd", "usd_spent", "usd_per_solved")
_TRIES = ("graded_tries", "faulted_tries", "lost_tries")


def as_text(answer: Mapping[str, Any], told: Sequence[Told]) -> str:
    """Dollars as recorded and as asked, then the tokens that they were reckoned from."""
    rows, tokens = [], []
    for one in told:
        cost, before, usage = one.cost, one.before.cost, one.cost.usage
        figures = (
            *(before.usd, cost.usd, one.graded_tries, one.faulted_tries, one.lost_tries),
            *(before.usd_per_solved, cost.usd_per_solved),
        )
        label = clean(one.before.label)
        rows.append([label, one.source, *(money(figure.value) for figure in figures)])
        counts = (usage.fresh, usage.cache_read, usage.cache_write, usage.output, usage.reasoning)
        seconds = "-" if one.busy_seconds is None else duration(one.busy_seconds)
        tokens.append([label, *(f"{count:,}" for count in counts), seconds])
    head = ["", "priced by", "usd,\nrecorded", "usd", "graded\ntries", "faulted\ntries"]
    head += ["lost\ntries", "per solved,\nrecorded", "per\nsolved"]
    kinds = [
        "tokens",
        "fresh",
        "cache\nread",
        "cache\nwrite",
        "output",
        "of that\nreasoning",
        "busy",
    ]
    return "\n".join(
        [
            f"{clean(answer['name'])}, repriced; nothing of the run is changed",
            "",
            *grid(head, rows, width=WIDTH),
            "",
            *grid(kinds, tokens, width=WIDTH),
            "",
            *_notes(answer, told),
        ]
    )


def _notes(answer: Mapping[str, Any], told: Sequence[Told]) -> list[str]:
    notes = [_COUNTED]
    if answer["gpu"]:
        notes.append(_BY_HOUR)
    if any(one.source == "--gpu-hour" and one.busy_seconds is None for one in told):
        notes.append("A try that asked a model has no trace, so nobody knows the busy time.")
    lacking = {f.reason for one in told for f in _figures(one) if f.value is None}
    notes += [f"-: {reason}" for reason in sorted(lacking)]
    return [line for note in notes for line in textwrap.wrap(note, WIDTH)]


def _figures(one: Told) -> tuple[Figure, ...]:
    costs = (one.cost.usd, one.cost.usd_spent, one.cost.usd_per_solved)
    return (*costs, one.graded_tries, one.faulted_tries, one.lost_tries)
