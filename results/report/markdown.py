"""The report and the comparison as Markdown, for a pull request.

Names and messages stand in code spans: nothing there is a link, a mention, an issue or markup.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from results.comparison import Compared, Comparison
from results.crossing import Crossed
from results.report import crossing_text, grader_text, missing_text, subset_text
from results.report.build import Report
from results.report.layout import clean, cut, duration, money, percent, span
from results.stats.equivalence import Word
from results.stats.estimate import Estimate
from results.table import Score, Summary

FAULTS = 10
"""How many kinds of faults are listed."""


def as_markdown(report: Report, folder: str) -> str:
    """Scores with their three intervals, repeats, faults and notes; `folder` is for the command."""
    parts = [
        [f"### {_code(report.name)}", "", _origins(report)],
        list(_scores(report)),
        list(_missing([(c.raw, report.difficulty_adjusted[c.digest]) for c in report.conditions])),
        list(_passes(report)),
        list(_crossed(report.crossed)),
        list(_faults(report)),
        list(_corrected(report)),
        [f"- {_key(i)} {_plain(text)}" for i, text in _whole_set(report)],
        list(_notes(report.notes)),
        [f"Recompute: {_code(f'harness report {shlex.quote(folder)} --markdown')}"],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def comparison_as_markdown(found: Compared, folders: Sequence[str]) -> str:
    """Every pair of conditions, in words; `folders` are for the command."""
    legend = [
        f"- {_key(i)} {_code(system.label)} of {_code(system.run)}, rank {_rank(found, i)}"
        for i, system in enumerate(found.systems)
    ]
    rows = [_pair(pair, found.margin) for pair in found.pairs]
    head = ["pair", "tasks", "points", "A: reruns", "B: new issues", "B: all pairs at once"]
    head += ["C: new repositories", "p, Holm", "the first is", "USD per solved, ratio"]
    quoted = " ".join(map(shlex.quote, folders))
    command = f"harness compare {quoted} --margin {found.margin:g} --markdown"
    said = (
        f"Points are of tasks that both have measured; {found.level:.0%} intervals. Equivalent: "
        f"within {100 * found.margin:g} points (TOST at 5%). Undecided is no tie. "
        f"Seed {found.seed}."
    )
    scores = [system.score for system in found.systems]
    missing = list(_missing(list(zip(scores, found.difficulty_adjusted, strict=True))))
    parts = [legend, list(_table(head, rows)), [said], missing, [f"Recompute: {_code(command)}"]]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _origins(report: Report) -> str:
    origins = ", ".join(f"{count} of {_code(name)}" for name, count in report.origins.items())
    left_out = f"; {len(report.left_out)} left out" if report.left_out else ""
    return f"{report.declared} tasks declared: {origins or '-'}{left_out}"


def _scores(report: Report) -> Iterator[str]:
    head = ["", "condition", "solved", "points", "A: rerun", "B: new issues"]
    head += ["C: new repositories", "bounds", "missing", "USD per solved", "time per solved"]
    rows = [_score(i, one, report) for i, one in enumerate(report.conditions)]
    return _table(head, rows) if rows else iter(())


def _score(i: int, one: Summary, report: Report) -> list[str]:
    precision, raw = report.precision[one.digest], one.raw
    return [
        _key(i),
        _code(one.label),
        f"{raw.resolved}/{raw.graded}",
        percent(raw.rate.value),
        span((precision.rerun.low, precision.rerun.high)),
        span((raw.rate.low, raw.rate.high)),
        span((precision.new_repos.low, precision.new_repos.high)),
        span(raw.bounds),
        str(raw.planned - raw.graded),
        _dollars(precision.usd_per_solved),
        duration(one.cost.seconds_per_solved.value),
    ]


def _missing(scores: Sequence[tuple[Score, Estimate]]) -> Iterator[str]:
    """What missing verdicts leave of each score."""
    for i, (raw, adjusted) in enumerate(scores):
        if said := missing_text.sentence(raw, adjusted):
            yield f"- {_key(i)} {_plain(said)}"


def _corrected(report: Report) -> Iterator[str]:
    """Raw, adjusted and corrected scores, where a check says something of the grader."""
    found = report.grader
    if not found.tasks:
        return
    rows = [
        [
            _key(i),
            f"{percent(one.raw.rate.value)} {_ends(one.raw.rate)}",
            "-"
            if not one.adjusted
            else f"{percent(one.adjusted.rate.value)} {_ends(one.adjusted.rate)}",
            f"{percent(found.corrected[one.digest].value)} {_ends(found.corrected[one.digest])}",
        ]
        for i, one in enumerate(report.conditions)
    ]
    yield from _table(["", "raw", "without quarantined tasks", "corrected for the grader"], rows)
    yield ""
    yield _plain(grader_text.sentence(found))


def _whole_set(report: Report) -> Iterator[tuple[int, str]]:
    for i, one in enumerate(report.conditions):
        if found := report.whole_set.get(one.digest):
            yield i, subset_text.sentence(found)


def _passes(report: Report) -> Iterator[str]:
    """pass@k and pass^k, of conditions that were repeated."""
    rows = [
        [
            _key(i),
            str(passed.k),
            f"{percent(passed.at_least_one.value)} {_ends(passed.at_least_one)}",
            f"{percent(passed.all_of_them.value)} {_ends(passed.all_of_them)}",
            "-" if found.noise is None else percent(found.noise.agreement),
        ]
        for i, one in enumerate(report.conditions)
        for found in [report.precision[one.digest]]
        for passed in found.pass_k
    ]
    return _table(["", "k", "pass@k", "pass^k", "two runs agree %"], rows) if rows else iter(())


def _crossed(found: Crossed | None) -> Iterator[str]:
    """How much is the scaffold, in words, and the effects in a table."""
    if found is None:
        return
    yield from (f"- {_plain(text)}" for text in crossing_text.sentences(found))
    rows = [[_code(cell) for cell in crossing_text.row(effect)] for effect in found.effects]
    if rows:
        yield ""
        yield from _table([head.replace("\n", " ") for head in crossing_text.HEAD], rows)
    if found.variance:
        yield ""
        rows = [[_code(cell) for cell in cells] for cells in crossing_text.parts(found.variance)]
        yield from _table(crossing_text.PARTS_HEAD, rows)
        yield ""
        yield _plain(crossing_text.designs(found.variance))


def _faults(report: Report) -> Iterator[str]:
    rows = [
        [group.culprit, _code(cut(group.message, 120)), str(group.tries), str(group.recovered)]
        for group in report.faults[:FAULTS]
    ]
    if rows:
        yield from _table(["fault of", "message", "tries", "measured by a later try"], rows)
    if len(report.faults) > FAULTS:
        yield ""
        yield f"and {len(report.faults) - FAULTS} more kinds of faults"


def _notes(notes: Sequence[str]) -> Iterator[str]:
    for note in notes:
        yield f"- {_plain(note)}"


def _pair(pair: Comparison, margin: float) -> list[str]:
    differs, ratio = pair.difference, pair.costs.ratio
    times = "-"
    if ratio.value is not None and ratio.low is not None and ratio.high is not None:
        times = f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
    return [
        f"{_key(pair.first)} - {_key(pair.second)}",
        str(pair.shared),
        _signed(differs.new_issues.value),
        _signed_ends(differs.rerun),
        _signed_ends(differs.new_issues),
        _signed_ends(pair.together),
        _signed_ends(differs.new_repos),
        "-" if pair.p_holm is None else f"{pair.p_holm:.2g}",
        f"**{_word(pair.word, margin)}**",
        times,
    ]


def _word(word: Word | None, margin: float) -> str:
    if word is None:
        return "not tested"
    return f"equivalent within {100 * margin:g}" if word == "equivalent" else word


def _rank(found: Compared, i: int) -> str:
    ranks = found.ranks[i]
    return str(ranks.best) if ranks.best == ranks.worst else f"{ranks.best} to {ranks.worst}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    words = [all(row[i].startswith("`") for row in rows) for i in range(len(head))]
    yield _line(head)
    yield _line(["---" if word else "---:" for word in words])
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _key(i: int) -> str:
    """In a code span, since a bare number sign would name an issue."""
    return f"`#{i + 1}`"


def _code(text: str) -> str:
    """A code span, whatever the text; a table would end a cell at a bar even there."""
    safe = clean(text).replace("`", "'").replace("|", "\\|").strip()
    return f"`{safe}`" if safe else "-"


def _plain(text: str) -> str:
    """Text without meaning to Markdown."""
    safe = "".join(f"\\{c}" if c in "\\`*_[]<>|#~" else c for c in clean(text))
    return safe.replace("&", "&amp;").replace("@", "(at)")


def _dollars(found: Estimate) -> str:
    if found.low is None:
        return money(found.value)
    value = "" if found.value is None else f"{money(found.value)} "
    return f"{value}[{money(found.low)}, {money(found.high)}]"


def _ends(found: Estimate) -> str:
    return span((found.low, found.high))


def _signed(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:+.1f}"


def _signed_ends(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return "-"
    return f"[{_signed(found.low)}, {_signed(found.high)}]"
