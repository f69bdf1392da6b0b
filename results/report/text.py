"""The report for a terminal: plain characters, and nothing wider than it was told."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from results.precision import Precision
from results.regrades import regraded
from results.report.build import FaultGroup, Report, Row
from results.report.crossing_text import as_lines as crossed
from results.report.grader_text import sentence
from results.report.layout import clean, cut, duration, grid, money, percent, span
from results.report.missing_text import sentence as missing
from results.report.regrades_text import as_lines as regrades
from results.report.subset_text import sentence as subset_sentence
from results.stats.estimate import Estimate
from results.table import Cell, Figure, Score, Summary

BATCHES = 0.05
"""The p-value of Cochran's Q from which on the rerun interval is doubted."""
ROWS = 40
"""How many tasks and faults are shown where not everything is asked for."""


def as_text(report: Report, *, width: int = 100, full: bool = False) -> str:
    """Conditions, tasks, faults and notes. Without `full`, long tables say what they leave out."""
    # Numbers, since letters are the names of questions.
    keys = {summary.digest: f"#{i}" for i, summary in enumerate(report.conditions, start=1)}
    parts = [
        _header(report, width),
        _legend(report.conditions, keys, width),
        _conditions(report.conditions, keys, width),
        _missing(report, keys, width),
        _bills(report.conditions, keys, width),
        _adjusted(report, keys, width),
        _whole_set(report, keys, width),
        _precision(report, keys, width),
        _passes(report, keys, width),
        regrades(report.regrades, keys, width),
        crossed(report.crossed, width),
        _outcomes(report.conditions, keys, width),
        _tasks(report.rows, keys, width, None if full else ROWS),
        _faults(report.faults, width, None if full else ROWS),
        _notes(report, keys, width),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _header(report: Report, width: int) -> list[str]:
    lines = [f"run {clean(report.name)}"]
    if report.history:
        first, last = report.history[0], report.history[-1]
        code = f"harness {last.harness}" + (f" at {last.revision[:12]}" if last.revision else "")
        lines.append(
            f"created {first.at}, {code}, python {last.python}, {last.engine or 'no engine'}"
        )
    origins = ", ".join(f"{count} of {clean(name)}" for name, count in report.origins.items())
    left_out = f"; {len(report.left_out)} left out" if report.left_out else ""
    lines.append(f"{report.declared} tasks declared: {origins or '-'}{left_out}")
    return [piece for line in lines for piece in _wrapped(line, width)]


def _legend(conditions: Sequence[Summary], keys: Mapping[str, str], width: int) -> list[str]:
    lines = []
    for condition in conditions:
        what = "grading" if regraded(condition.condition) else "repeat"
        times = f"{condition.repeats} {what}" + ("s" if condition.repeats != 1 else "")
        text = f"{clean(condition.label)}, in {clean(str(condition.condition.sandbox))}, {times}"
        lines += _wrapped(f"{text} [{condition.digest}]", width, f"{keys[condition.digest]:4}")
    return lines


def _conditions(conditions: Sequence[Summary], keys: Mapping[str, str], width: int) -> list[str]:
    if not conditions:
        return []
    level = f"{conditions[0].raw.rate.level:.0%}"
    head = [
        "",
        "planned",
        "graded",
        "faulted",
        "owed",
        "solved",
        f"pass % [{level}, B]",
        "bounds %",
    ]
    head += ["usd", "usd per\nsolved", "time per\nsolved"]
    rows = [
        [
            keys[c.digest],
            *map(str, (c.raw.planned, c.raw.graded, sum(c.faulted.values()), c.owed)),
            str(c.raw.resolved),
            _rate(c.raw),
            span(c.raw.bounds),
            money(c.cost.usd.value),
            money(c.cost.usd_per_solved.value),
            duration(c.cost.seconds_per_solved.value),
        ]
        for c in conditions
    ]
    return grid(head, rows, width=width)


def _missing(report: Report, keys: Mapping[str, str], width: int) -> list[str]:
    lines: list[str] = []
    for c in report.conditions:
        if said := missing(c.raw, report.difficulty_adjusted[c.digest]):
            lines += _wrapped(said, width, f"{keys[c.digest]:4}")
    return lines


def _bills(conditions: Sequence[Summary], keys: Mapping[str, str], width: int) -> list[str]:
    """What was paid, and for which tries, wherever a model was asked."""
    rows = [
        [
            keys[c.digest],
            f"{c.cost.spent.tokens + c.cost.lost.tokens:,}",
            money((c.cost.spent + c.cost.lost).usd),
            money(c.cost.usd_graded_tries.value),
            money(c.cost.usd_faulted_tries.value),
            money(c.cost.usd_lost_tries.value),
            str(c.cost.calls_cut_off),
        ]
        for c in conditions
        if c.cost.spent.calls or c.cost.lost.calls
    ]
    head = ["spent", "tokens", "usd,\nall tries", "graded\ntries", "faulted\ntries"]
    head += ["lost\ntries", "calls\ncut off"]
    return grid(head, rows, width=width) if rows else []


def _adjusted(report: Report, keys: Mapping[str, str], width: int) -> list[str]:
    """Raw, adjusted and corrected side by side, where a quarantine list or a check is known."""
    checked = report.grader.tasks > 0
    rows = [
        [
            keys[c.digest],
            _rate(c.raw),
            _rate(c.adjusted),
            str(c.adjusted.tasks) if c.adjusted else "-",
            span(c.adjusted.bounds if c.adjusted else None),
            _estimate(report.grader.corrected[c.digest]),
        ]
        for c in report.conditions
        if c.adjusted or checked
    ]
    head = ["", "raw pass %", "adjusted pass %", "tasks\nleft", "adjusted\nbounds %"]
    head.append("corrected for\nthe grader %")
    if not rows:
        return []
    said = [sentence(report.grader)] if checked else []
    return grid(head, rows, width=width) + [p for text in said for p in _wrapped(text, width)]


def _whole_set(report: Report, keys: Mapping[str, str], width: int) -> list[str]:
    said = [(keys[digest], subset_sentence(one)) for digest, one in report.whole_set.items()]
    return [line for key, text in said for line in _wrapped(text, width, f"{key:4}")]


def _precision(report: Report, keys: Mapping[str, str], width: int) -> list[str]:
    """The questions beside B, the share of luck, and what a solved issue costs."""
    head = ["", "pass %", "A: a rerun", "C: new\nrepositories", "run noise\nf", "two runs\nagree %"]
    head += ["usd per solved\n[B]"]
    rows = []
    for digest, found in report.precision.items():
        noise = found.noise
        rows.append(
            [
                keys[digest],
                percent(found.rerun.value),
                span((found.rerun.low, found.rerun.high)),
                span((found.new_repos.low, found.new_repos.high)),
                "-" if noise is None else f"{noise.share:.2f}",
                "-" if noise is None else percent(noise.agreement),
                _dollars(found.usd_per_solved),
            ]
        )
    measured = any(found.rerun.value is not None for found in report.precision.values())
    said = [_batches(found, keys[digest]) for digest, found in report.precision.items()]
    lines = [line for text in said if text for line in _wrapped(text, width)]
    return [*grid(head, rows, width=width), *lines] if measured else []


def _batches(found: Precision, key: str) -> str:
    """What to make of A where whole repeats differ; nothing where they do not."""
    if found.batch_p is None or found.batch_p >= BATCHES:
        return ""
    ends = span((found.rerun_totals.low, found.rerun_totals.high))
    return (
        f"{key}: whole repeats differ by more than luck (Cochran's Q, p = {found.batch_p:.2g}), as "
        f"by a bad day or another build; A by the totals of the repeats: {ends}"
    )


def _passes(report: Report, keys: Mapping[str, str], width: int) -> list[str]:
    """pass@k and pass^k beyond one attempt, of conditions that were repeated."""
    ks = sorted({p.k for found in report.precision.values() for p in found.pass_k if p.k > 1})
    head = ["", *(f"pass@{k} %" for k in ks), *(f"pass^{k} %" for k in ks)]
    rows = []
    for digest, found in report.precision.items():
        of = {p.k: p for p in found.pass_k}
        some = [percent(of[k].at_least_one.value) if k in of else "-" for k in ks]
        every = [percent(of[k].all_of_them.value) if k in of else "-" for k in ks]
        rows.append([keys[digest], *some, *every])
    return grid(head, rows, width=width) if ks else []


def _dollars(found: Estimate) -> str:
    if found.low is None:
        return money(found.value)
    value = "" if found.value is None else f"{money(found.value)} "
    return f"{value}[{money(found.low)}, {money(found.high)}]"


def _outcomes(conditions: Sequence[Summary], keys: Mapping[str, str], width: int) -> list[str]:
    """How attempts ended, what the grader said, and whose faults there were."""
    lines: list[str] = []
    for c in conditions:
        parts = [("ended", c.endings), ("verdicts", c.reasons), ("faulted by", c.faulted)]
        told = [f"{what} {_list(counts)}" for what, counts in parts if counts]
        lines += _wrapped("; ".join(told) or "no record yet", width, f"{keys[c.digest]:4}")
    return lines


def _tasks(rows: Sequence[Row], keys: Mapping[str, str], width: int, most: int | None) -> list[str]:
    """Solved of graded for each task; `!` where an attempt faulted, `.` where one is owed."""
    if not rows or not keys:
        return []
    shown = rows if most is None or len(rows) <= most else sorted(rows, key=_dullness)[:most]
    body = [[clean(row.task), *(mark(row.cells[digest]) for digest in keys)] for row in shown]
    lines = grid(["task", *keys.values()], body, width=width)
    lines += _wrapped("2/3: solved of graded; !: an attempt faulted; .: one is owed", width)
    if len(shown) < len(rows):
        more = f"{len(rows) - len(shown)} more tasks"
        lines += _wrapped(f"{more}; shown first: faulted, owed, or judged both ways", width)
    return lines


def mark(cell: Cell) -> str:
    score = f"{cell.resolved}/{cell.graded}" if cell.graded else ""
    return score + ("!" if cell.faulted else "") + ("." if cell.owed else "") or "-"


def _dullness(row: Row) -> int:
    """0 for the tasks that a reader should see first. Sorting is stable: else their own order."""
    cells = row.cells.values()
    graded, resolved = sum(c.graded for c in cells), sum(c.resolved for c in cells)
    if any(cell.faulted for cell in cells):
        return 0
    if any(cell.owed for cell in cells):
        return 1
    return 2 if 0 < resolved < graded else 3


def _faults(faults: Sequence[FaultGroup], width: int, most: int | None) -> list[str]:
    if not faults:
        return []
    shown = faults[:most]
    lines = ["faulted  of these, measured  culprit   message", "tries    by a later try"]
    lines.append("-" * width)
    for group in shown:
        left = f"{group.tries:<9}{group.recovered:<20}{group.culprit:<10}"
        lines.append(left + cut(clean(group.message), max(10, width - len(left))))
    if len(shown) < len(faults):
        lines.append(f"{len(faults) - len(shown)} more kinds of faults")
    return lines


def _notes(report: Report, keys: Mapping[str, str], width: int) -> list[str]:
    lines = [piece for note in report.notes for piece in _wrapped(note, width, "- ")]
    blanks: dict[str, list[str]] = {}
    for c in report.conditions:
        for reason in (*_reasons(c, report.precision[c.digest]), *_uncorrected(report, c)):
            blanks.setdefault(reason, []).append(keys[c.digest])
    for reason, those in blanks.items():
        lines += _wrapped(f"a dash for {', '.join(those)}: {reason}", width, "- ")
    return lines


def _uncorrected(report: Report, condition: Summary) -> list[str]:
    """Why a score that stands beside its adjusted one was not corrected."""
    corrected = report.grader.corrected[condition.digest]
    shown = condition.adjusted or report.grader.tasks
    return [corrected.reason] if shown and corrected.value is None else []


def _reasons(condition: Summary, found: Precision) -> list[str]:
    cost = condition.cost
    figures: list[Figure] = [cost.usd, cost.usd_per_solved, cost.seconds_per_solved]
    reasons = [condition.raw.rate.reason, *(figure.reason for figure in figures)]
    estimates = [found.rerun, found.new_repos, found.usd_per_solved]
    reasons += [e.reason for e in estimates if e.low is None or e.high is None]
    return [reason for reason in dict.fromkeys(reasons) if reason]


def _estimate(found: Estimate) -> str:
    return "-" if found.value is None else f"{percent(found.value)} {span((found.low, found.high))}"


def _rate(score: Score | None) -> str:
    if score is None or score.rate.value is None:
        return "-"
    return _estimate(score.rate)


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _wrapped(text: str, width: int, lead: str = "") -> list[str]:
    blank = " " * len(lead)
    return textwrap.wrap(text, width, initial_indent=lead, subsequent_indent=blank) or [lead]
