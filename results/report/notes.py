"""What a report's numbers mean, and what is wrong with them, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from results.blocks import Blocks
from results.exchange.imported import IMPORTED
from results.footing import among
from results.manifest import Manifest
from results.table import Summary


def notes(conditions: Sequence[Summary], *, stray: int, level: float) -> tuple[str, ...]:
    """Every sentence that applies to these conditions, most important first."""
    if not conditions:
        return ("the run declares no condition, so there is nothing to report",)
    found = [text for rule in _RULES for text in rule(conditions)]
    if stray:
        found.append(
            f"{stray} recorded attempts are not declared in run.json; no number counts them"
        )
    return (_question(conditions, level), _BOUNDS, *found)


def stopped(manifest: Manifest) -> Iterator[str]:
    """That the run was ended early, and what may still be read from it."""
    keys = {digest: f"#{i}" for i, digest in enumerate(manifest.conditions, start=1)}
    for stop in manifest.stops[-1:]:
        pair = f"{keys.get(stop.first, stop.first)} - {keys.get(stop.second, stop.second)}"
        evidence = (
            f"{stop.only_first} tasks for the first alone, {stop.only_second} for the second; "
            f"e = {stop.e:.3g}, so p = {min(1.0, 1 / stop.e):.2g} at every look"
            if stop.e
            else "by a confidence sequence over whole passes"
        )
        yield (
            f"stopped early, {stop.at}: {pair} was {_DECIDED[stop.word]} after {stop.pairs} pairs "
            f"({evidence}). The difference is {100 * stop.difference:+.1f} points, "
            f"[{100 * stop.low:+.1f}, {100 * stop.high:+.1f}] at every look, for question "
            f"{stop.question}. That holds although the run was stopped by it; other intervals and "
            f"p-values of this pair are as though the number of tasks had been fixed beforehand. "
            "Those of other pairs, and of each score, did not stop it"
        )


_DECIDED = {
    "better": "decided, the first is better,",
    "worse": "decided, the first is worse,",
    "equivalent": "decided, they are equivalent,",
    "futile": "given up, as what was left could not have decided it,",
}


def of_the_run(
    conditions: Sequence[Summary], done: Blocks, codes: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """How far the run has come, and whether it is one measurement or several under one name."""
    unfinished = any(c.owed for c in conditions) and not all(map(_imported, conditions))
    if unfinished and len(conditions) > 1:
        yield (
            f"blocks (one task under every condition, once): {done.complete} complete, "
            f"{done.part} in part, {done.none} not begun; they were begun in an order drawn at "
            "random, and conditions are compared on what both have measured"
        )
    for i, condition in enumerate(conditions, start=1):
        if len(of := codes.get(condition.digest, ())) > 1:
            yield (
                f"#{i} was measured by {len(of)} versions of its scaffold's code and prompts "
                f"(scaffold_code {', '.join(of)} in the records), which may differ"
            )


_BOUNDS = (
    "bounds: the rate over all declared attempts, had everything without a measurement "
    "failed, and had it passed"
)


def _question(conditions: Sequence[Summary], level: float) -> str:
    n = "tasks" if any(c.repeats > 1 for c in conditions) else "tasks, one attempt each"
    return (
        f"pass rate: mean over measured {n}; its {level:.0%} Wilson interval answers "
        "question B, would new issues of the same repositories give this? A, a rerun of these "
        "issues, and C, new repositories, have intervals of their own"
    )


def _single(conditions: Sequence[Summary]) -> Iterator[str]:
    if all(c.repeats == 1 for c in conditions):
        yield "with one repeat, run-to-run noise cannot be told from difficulty"


def _unmeasured(conditions: Sequence[Summary]) -> Iterator[str]:
    planned = sum(c.raw.planned for c in conditions)
    if faulted := sum(sum(c.faulted.values()) for c in conditions):
        yield f"{faulted} of {planned} attempts faulted: no measurement, and not counted as zeros"
    if unknown := sum(c.owed for c in conditions if _imported(c)):
        yield f"{unknown} of {planned} attempts are owed: the imported file says nothing of them"
    if owed := sum(c.owed for c in conditions if not _imported(c)):
        yield f"{owed} of {planned} attempts are owed: the same run command works them off"


def _imported(condition: Summary) -> bool:
    return condition.condition.scaffold.name == IMPORTED


def _foreign(conditions: Sequence[Summary]) -> Iterator[str]:
    if any(_imported(c) for c in conditions):
        yield "imported verdicts and costs are somebody else's: nothing here has checked them"


def _uneven(conditions: Sequence[Summary]) -> Iterator[str]:
    measured = {c.raw.rate.n for c in conditions}
    if len(measured) > 1:
        yield (
            "the conditions were measured on different numbers of tasks, so their rates have "
            "different denominators; compare them on the tasks that they share"
        )


def _footing(conditions: Sequence[Summary]) -> Iterator[str]:
    return among((f"#{i}", c.footing) for i, c in enumerate(conditions, start=1))


def _unpriced(conditions: Sequence[Summary]) -> Iterator[str]:
    if any(c.cost.usd.value is None for c in conditions):
        yield "costs are null where any call had no price: a part of the bill is no bill"


def _respent(conditions: Sequence[Summary]) -> Iterator[str]:
    used = [c.cost.usd.value for c in conditions]
    spent = [c.cost.usd_spent.value for c in conditions]
    if None in used or None in spent:
        return
    extra = sum(s or 0.0 for s in spent) - sum(u or 0.0 for u in used)
    if extra > 0.005:
        yield (
            f"${extra:,.2f} more was spent than the graded attempts used, on tries that faulted; "
            "costs per solved issue leave it out"
        )


def _modes(conditions: Sequence[Summary]) -> Iterator[str]:
    modes = sorted({mode for c in conditions for mode in c.modes})
    if len(modes) > 1:
        yield f"verdicts of different graders are mixed here: {', '.join(modes)}"


def _quarantine(conditions: Sequence[Summary]) -> Iterator[str]:
    adjusted = [c.adjusted for c in conditions if c.adjusted]
    if adjusted:
        fenced = conditions[0].raw.tasks - adjusted[0].tasks
        yield f"{fenced} declared tasks are quarantined; raw counts them, adjusted does not"


_RULES: tuple[Callable[[Sequence[Summary]], Iterator[str]], ...] = (
    _foreign,
    _unmeasured,
    _quarantine,
    _uneven,
    _single,
    _modes,
    _footing,
    _unpriced,
    _respent,
)
