"""A comparison for a terminal, and as plain JSON: `harness-comparison/1`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from harness.codec import dump
from results.comparison import Compared, Comparison
from results.exchange.imported import IMPORTED
from results.footing import among
from results.report.crossing_text import as_lines as crossed
from results.report.layout import clean, grid, money, percent, span
from results.report.missing_text import around
from results.stats.difficulty import WHOLE
from results.stats.estimate import Estimate, PValue

SCHEMA = "harness-comparison/1"


def as_json(found: Compared) -> dict[str, Any]:
    """Keys are added under one schema, never renamed or given another meaning."""
    plain: dict[str, Any] = dump(found)
    for system in plain["systems"]:
        for key in ("tasks", "verdicts", "usd"):
            del system[key]
    return {"schema": SCHEMA, **plain}


def as_text(found: Compared, *, width: int = 100) -> str:
    parts = [_systems(found, width), _scores(found, width)]
    parts += [_differences(found, width), _tests(found, width), _costs(found, width)]
    parts.append(crossed(found.crossed, width))
    parts.append([line for note in _notes(found) for line in _wrapped(note, width, "- ")])
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _systems(found: Compared, width: int) -> list[str]:
    lines = []
    for i, (system, ranks) in enumerate(zip(found.systems, found.ranks, strict=True)):
        place = str(ranks.best) if ranks.best == ranks.worst else f"{ranks.best} to {ranks.worst}"
        text = f"{clean(system.label)} of {clean(system.run)} [{system.digest}], rank {place}"
        lines += _wrapped(text, width, f"#{i + 1:<3}")
    return lines


def _scores(found: Compared, width: int) -> list[str]:
    """Each system on its own, out of what its run declares: never what a pair is compared by."""
    head = ["", "declared", "measured", "solved", f"pass % [{found.level:.0%}, B]", "bounds %"]
    missing = _missing(found)
    head += ["Imbens-\nManski %", "adjusted for\ndifficulty %"] if missing else []
    rows = [
        [
            f"#{i}",
            str(system.score.planned),
            str(system.score.graded),
            str(system.score.resolved),
            _rate(system.score.rate),
            span(system.score.bounds),
            *(
                [span(around(system.score, found.level)), _rate(found.difficulty_adjusted[i - 1])]
                if missing
                else []
            ),
        ]
        for i, system in enumerate(found.systems, start=1)
    ]
    return grid(head, rows, width=width)


def _missing(found: Compared) -> bool:
    return any(system.score.graded < system.score.planned for system in found.systems)


def _differences(found: Compared, width: int) -> list[str]:
    head = ["", "tasks\nshared", "points", "A: reruns", "B: new issues", "C: new\nrepositories"]
    head += ["B, all pairs\nat once"] if len(found.pairs) > 1 else []
    head += ["p (B)\nHolm", "p (C)", "verdict on\nthe first"]
    rows = [
        [
            _name(pair),
            str(pair.shared),
            _signed(pair.difference.new_issues.value),
            _span(pair.difference.rerun),
            _span(pair.difference.new_issues),
            _span(pair.difference.new_repos),
            *([_span(pair.together)] if len(found.pairs) > 1 else []),
            _p(pair.p_holm),
            _p(pair.difference.p_repos.p),
            pair.word or "-",
        ]
        for pair in found.pairs
    ]
    return grid(head, rows, width=width)


def _tests(found: Compared, width: int) -> list[str]:
    """What else was asked of each pair: tests without formulas, and how alike the two are."""
    head = [
        "",
        "p (B)\nunadjusted",
        "p (B), signs\nof tasks flipped",
        "p (A), equal on\nevery task",
    ]
    head += ["equivalent\nwithin", "same\nverdict %", "correlation\nof verdicts"]
    rows = [
        [
            _name(pair),
            _p(pair.difference.p.p),
            _p(pair.difference.p_flipped.p),
            _p(pair.difference.p_alike.p),
            "-" if pair.smallest_margin is None else f"{100 * pair.smallest_margin:.1f}",
            percent(pair.agreement),
            "-" if pair.correlation is None else f"{pair.correlation:.2f}",
        ]
        for pair in found.pairs
    ]
    return grid(head, rows, width=width)


def _costs(found: Compared, width: int) -> list[str]:
    rows = [
        [
            _name(pair),
            _dollars(pair.costs.first),
            _dollars(pair.costs.second),
            _times(pair.costs.ratio),
            _extra(pair),
        ]
        for pair in found.pairs
        if pair.costs.ratio.value is not None
    ]
    head = ["", "usd per solved,\nfirst", "usd per solved,\nsecond", "first over\nsecond"]
    head.append("usd per issue solved on top,\nby whichever solves more")
    return grid(head, rows, width=width) if rows else []


def _extra(pair: Comparison) -> str:
    costs, which = pair.costs, pair.first if pair.costs.extra_of == "first" else pair.second
    if costs.per_extra_solve.value is None:
        return "-"
    return f"#{which + 1}: {_dollars(costs.per_extra_solve)}"


def _notes(found: Compared) -> Iterator[str]:
    yield (
        f"points: first minus second, over tasks that both have measured; {found.level:.0%} "
        "intervals for A, reruns of these issues; B, new issues of the same repositories; C, new "
        "repositories"
    )
    yield (
        "p (B): McNemar's mid-p with one repeat each, else the paired t test, adjusted for all "
        "pairs (Holm); p (C): signs of the repositories' differences, flipped"
    )
    yield (
        "signs of tasks flipped, and runs of each task dealt anew to both: every pattern is "
        "counted; equal on every task is more than equal on average. Equivalent within: the "
        "smallest margin in points that would pass"
    )
    yield (
        f"equivalent: within {100 * found.margin:g} points (TOST at 5%); undecided is not a tie. "
        f"Resampled with seed {found.seed}"
    )
    if len(found.pairs) > 1 and found.together.critical is not None:
        yield (
            f"all pairs at once: each {found.level:.0%} interval {found.together.critical:.2f} "
            "standard errors wide to either side, so that all hold together (max-T)"
        )
    if _missing(found):
        yield (
            "bounds: had what is missing failed, and passed; adjusted for difficulty: had it gone "
            "as tasks do that the other systems found as hard, which is an assumption"
        )
        yield from _unadjusted(found)
    yield from _warnings(found)
    blanks: dict[str, list[str]] = {}
    for pair in found.pairs:
        for reason in dict.fromkeys(_reasons(pair)):
            blanks.setdefault(reason, []).append(_name(pair))
    for reason, names in blanks.items():
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        yield f"a dash for {', '.join(names[:6])}{more}: {reason}"


def _unadjusted(found: Compared) -> Iterator[str]:
    """Of which systems the adjusted score is null, or not of all tasks, and why."""
    told: dict[str, list[str]] = {}
    for i, adjusted in enumerate(found.difficulty_adjusted, start=1):
        if adjusted.reason and adjusted.reason != WHOLE:
            told.setdefault(adjusted.reason, []).append(f"#{i}")
    for reason, names in told.items():
        yield f"adjusted for difficulty, {', '.join(names)}: {reason}"


def _warnings(found: Compared) -> Iterator[str]:
    """What a reader should hold against these figures."""
    if len({mode for system in found.systems for mode in system.modes}) > 1:
        yield "the systems were graded in different modes, so their difference is also the graders'"
    if any(mode.startswith(IMPORTED) for system in found.systems for mode in system.modes):
        yield "imported verdicts are somebody else's: nothing here has checked them"
    for pair in found.pairs:
        if pair.alike and pair.agreement is not None:
            yield (
                f"{_name(pair)} have the same verdict on {percent(pair.agreement)}% of "
                f"{pair.shared} tasks, more than two runs of one system are known to have: one set "
                "of patches, graded twice?"
            )
    yield from among((f"#{i}", system.footing) for i, system in enumerate(found.systems, start=1))
    dropped = sum(pair.dropped for pair in found.pairs)
    if dropped:
        yield f"{dropped} tasks were left out of pairs because only one side has measured them"


def _reasons(pair: Comparison) -> Iterator[str]:
    found, costs = pair.difference, pair.costs
    answers: list[Estimate | PValue] = [found.p, found.p_repos]
    answers += [e for e in (found.rerun, found.new_issues, found.new_repos) if e.low is None]
    answers += (
        [pair.together] if pair.together.low is None and found.new_issues.low is not None else []
    )
    answers += [e for e in (costs.ratio, costs.per_extra_solve) if e.low is None or e.high is None]
    yield from (answer.reason for answer in answers if answer.reason)


def _rate(found: Estimate) -> str:
    return "-" if found.value is None else f"{percent(found.value)} {span((found.low, found.high))}"


def _name(pair: Comparison) -> str:
    return f"#{pair.first + 1} - #{pair.second + 1}"


def _signed(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:+.1f}"


def _span(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return "-"
    return f"[{_signed(found.low)}, {_signed(found.high)}]"


def _p(p: float | None) -> str:
    if p is None:
        return "-"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"


def _times(found: Estimate) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "-"
    return f"{found.value:.2f}x [{found.low:.2f}, {found.high:.2f}]"


def _dollars(found: Estimate) -> str:
    if found.value is None:
        return "-"
    return f"{money(found.value)} [{money(found.low)}, {money(found.high)}]"


def _wrapped(text: str, width: int, lead: str) -> list[str]:
    blank = " " * len(lead)
    return textwrap.wrap(text, width, initial_indent=lead, subsequent_indent=blank)
