"""A reliability table for a terminal: tasks, then the tests that are not what they should be."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

from results.reliability import NAME, Entry, Table, Tested
from results.report.flips_text import flipped, sentence
from results.report.layout import clean, cut, percent, span
from results.stats.flips import at_most

SHOWN = 20
"""How many tests are listed."""
LONGEST = 70
"""Characters of a test's name that are shown."""
_WORST_FIRST = ("flaky", "never passes with the gold", "not a fail-to-pass")


def as_text(table: Table, *, width: int = 100) -> str:
    """What every control came to, then the tests worth a look, then how sure that is."""
    parts = [_tasks(table), _tests(table, width), list(_sums(table, width))]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _tasks(table: Table) -> list[str]:
    wide = min(max((len(task) for task in table.tasks), default=4), 60)
    lines = [f"{'task':{wide}}  oracle    nop  faults"]
    for task, entry in table.tasks.items():
        oracle = f"{entry.oracle.resolved}/{entry.oracle.graded}"
        nop = f"{entry.nop.resolved}/{entry.nop.graded}"
        faults = entry.oracle.faults + entry.nop.faults
        row = f"{clean(task)[:wide]:{wide}}  {oracle:>6}  {nop:>5}  {faults:>6}"
        lines.append(f"{row}  {entry.trouble or ''}".rstrip())
    return lines


def _tests(table: Table, width: int) -> list[str]:
    """The tests that are flaky or not what their list says, flaky ones first."""
    odd = [
        (task, entry, kind, name, test)
        for task, entry in table.tasks.items()
        for kind, name, test in entry.tests()
        if test.word in _WORST_FIRST
    ]
    if not odd:
        return []
    odd.sort(key=lambda found: _WORST_FIRST.index(found[4].word))
    lines = []
    for task, entry, kind, name, test in odd[:SHOWN]:
        lines += _shown(cut(clean(f"{task}  {name}"), width), f"{kind}, {_said(entry, test)}")
    if len(odd) > SHOWN:
        lines.append(f"and {len(odd) - SHOWN} more; all are in {NAME}")
    return lines


def _shown(name: str, said: str) -> list[str]:
    return [name, f"    {said}"]


def _said(entry: Entry, test: Tested) -> str:
    gold, empty = f"{test.oracle}/{entry.oracle.graded}", f"{test.nop}/{entry.nop.graded}"
    return f"{test.word}: passes {gold} with the gold, {empty} without"


def _sums(table: Table, width: int) -> Iterator[str]:
    words = Counter(test.word for entry in table.tasks.values() for *_, test in entry.tests())
    told = ", ".join(f"{count} {word}" for word, count in words.most_common())
    yield from textwrap.wrap(f"{sum(words.values())} expected tests: {told or 'none'}", width)
    rate = table.flip_rate()
    if rate.value is None:
        yield f"flip rate: - ({rate.reason})"
    else:
        interval = span((rate.low, rate.high))
        yield f"flip rate of verdicts: {percent(rate.value)}% {interval} of {rate.n} patches"
    chances = table.flip_chances()
    if said := sentence(chances, len(table.tasks)):
        yield from textwrap.wrap(said, width)
    if named := flipped(chances):
        yield from textwrap.wrap(f"flipped: {', '.join(named)}", width)
    times = min((min(e.oracle.graded, e.nop.graded) for e in table.tasks.values()), default=0)
    if times:
        yield f"{times} gradings without a flip leave a flip chance of up to {at_most(times):.0%}"
    yield (
        f"{len(table.tasks)} tasks, {len(table.unfit())} in quarantine; "
        "oracle must pass every time, nop never"
    )
