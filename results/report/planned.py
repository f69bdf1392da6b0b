"""A plan as text for a terminal, and as `harness-plan/1`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from results.detecting import ALPHA, POWER, Detectable, Known, Needed
from results.planning import HOUR, Costs, Forecast, Study
from results.report.layout import clean, cut, duration, money
from results.simulating import Timing
from results.stats.estimate import Question

SCHEMA = "harness-plan/1"
QUESTIONS: dict[Question, str] = {
    "A": "A, a rerun of these issues",
    "B": "B, new issues of these repositories",
    "C": "C, new repositories",
}
_NAME = 40
_UNLESS = ", unless they are good at opposite tasks"
_HALF = "every difference is two-sided at 5%, found 8 times of 10, with both systems run alike"


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is said before a study starts. Parts that were not asked for are None."""

    known: Known
    study: Study | None = None
    costs: Costs | None = None
    detectable: Detectable | None = None
    needed: Needed | None = None
    timing: Timing | None = None


def as_json(plan: Plan) -> dict[str, Any]:
    """Differences are shares, sizes bytes; each forecast names its question, source and reason."""
    return {
        "schema": SCHEMA,
        "alpha": ALPHA,
        "power": POWER,
        "attempts": _attempts(plan.study) if plan.study else None,
        "known": {k: v for k, v in asdict(plan.known).items() if k != "without"},
        "costs": asdict(plan.costs) if plan.costs else None,
        "detectable": _detectable_json(plan.detectable) if plan.detectable else None,
        "needed": _needed_json(plan.needed) if plan.needed else None,
        "timing": asdict(plan.timing) if plan.timing else None,
    }


def _attempts(study: Study) -> dict[str, Any]:
    named = set(filter(None, study.repos))
    return {
        "total": study.attempts,
        "tasks": len(study.tasks),
        "repos": len(named) or None,
        "conditions": [condition.label for condition in study.conditions],
        "repeats": study.repeats,
        "width": study.width,
        "design": list(study.design),
    }


def _detectable_json(found: Detectable) -> dict[str, Any]:
    alike = [{"likeness": r, "difference": share} for r, share in found.if_alike]
    return {**asdict(found), "if_alike": alike}


def _needed_json(found: Needed) -> dict[str, Any]:
    rows = [
        {
            "likeness": row.likeness,
            "power": [{"repeats": n, "chance": chance} for n, chance in row.power],
            "issues": [{"repeats": n, "issues": takes} for n, takes in row.issues],
            "repeats": row.repeats,
            "reason": "" if row.repeats else "no number of repeats is enough on so few issues",
        }
        for row in found.new_issues
    ]
    power = [{"repeats": n, "chance": chance} for n, chance in found.power]
    return {**asdict(found), "power": power, "new_issues": rows}


def as_text(plan: Plan, *, width: int = 100) -> str:
    """What it takes, what it can tell, and what is not known of either."""
    blocks: list[list[str]] = []
    if plan.study and plan.costs:
        head = [_head(plan.study)]
        head += [line for said in plan.study.design for line in _wrapped(said, width, "  ")]
        blocks += [head, *_costs(plan.costs, width)]
    if plan.timing:
        blocks.append(list(_timing(plan.timing, width)))
    if plan.detectable:
        blocks.append(list(_detectable(plan.detectable, plan.known, width)))
    if plan.needed:
        blocks.append(list(_needed(plan.needed, plan.known, width)))
    if plan.costs and plan.costs.notes:
        blocks.append([line for note in plan.costs.notes for line in _wrapped(note, width, "- ")])
    return "\n\n".join("\n".join(lines) for lines in blocks)


def _head(study: Study) -> str:
    repos = len(set(filter(None, study.repos)))
    of = f" of {_many(repos, 'repository', 'repositories')}" if repos else ""
    return (
        f"{_many(len(study.tasks), 'task')}{of} x {_many(len(study.conditions), 'condition')} x "
        f"{_many(study.repeats, 'repeat')} = {_many(study.attempts, 'attempt')}, "
        f"{study.width} at a time"
    )


def _costs(found: Costs, width: int) -> Iterator[list[str]]:
    if len(found.conditions) > 1:
        for one in found.conditions:
            name = f"{cut(clean(one.label), _NAME)}: {_many(one.attempts, 'attempt')}"
            hours = _row("one by one", one.hours, _hours, width)
            yield [name, *_row("dollars", one.usd, money, width), *hours]
    yield [
        "all together" if len(found.conditions) > 1 else "in all",
        *_row("dollars", found.usd, money, width),
        *_row("hours", found.hours, _hours, width),
        *_row("results", found.disk.result_bytes, _bytes, width),
        *_row("images", found.disk.image_bytes, _bytes, width, _images(found)),
    ]


def _images(found: Costs) -> str:
    pull, build = found.disk.images, found.disk.recipes
    parts = [f"{_many(pull, 'image')} to pull"] if pull else []
    parts += [f"{_many(build, 'image')} to build"] if build else []
    return " and ".join(parts)


def _row(name: str, found: Forecast, spelt: Any, width: int, more: str = "") -> list[str]:
    """A number, its interval, which question it answers; or a dash and why."""
    said = spelt(found.value)
    if found.low is not None and found.high is not None:
        said += f" [{spelt(found.low)}, {spelt(found.high)}]"
    whence = {"pilot": "from the pilot", "given": "as given"}.get(found.source, "")
    words = [more, QUESTIONS[found.question] if found.question else "", whence, found.reason]
    if found.at_most is not None:
        besides = ", without making boxes and grading" if spelt is _hours else ""
        words.append(f"the limits of the attempts come to {spelt(found.at_most)}{besides}")
    line = f"{name:12} {said}   {'; '.join(filter(None, words))}"
    return _wrapped(line, width, "  ")


def _timing(found: Timing, width: int) -> Iterator[str]:
    on = found.machines
    limits = [f"{on.rpm:,.0f} calls"] if on.rpm else []
    limits += [f"{on.tpm:,.0f} tokens"] if on.tpm else []
    under = f", {' and '.join(limits)} a minute" if limits else ""
    yield f"simulated on {_many(on.nodes, 'node')} of {_many(on.boxes, 'box', 'boxes')}{under}"
    yield from _row("hours", found.hours, _hours, width)
    if found.bottleneck:
        used = f"boxes {found.seats_used:.0%}"
        if found.endpoint_used is not None:
            used += f", endpoint {found.endpoint_used:.0%} of its limits"
        yield from _wrapped(f"{'used':12} {used}; it waits for the {found.bottleneck}", width, "  ")


def _detectable(found: Detectable, known: Known, width: int) -> Iterator[str]:
    yield "smallest difference that this design finds, in points"
    for one in (found.rerun, found.new_issues, found.new_repos):
        yield from _wrapped(_difference(one), width, "  ")
        if one is found.new_issues and found.if_alike:
            cases = ", ".join(f"{_points(share)} at {r:g}" for r, share in found.if_alike)
            yield from _wrapped(f"   if their true rates are alike to: {cases}", width, "  ")
    yield from _wrapped(_basis(known), width, "  ")


def _difference(one: Forecast) -> str:
    asked = QUESTIONS[one.question] if one.question else "any question"
    if one.value is not None:
        ends = (one.low, one.high)
        said = "" if None in ends else f"[{', '.join(_points(end or 0.0) for end in ends)}]  "
        return f"{_points(one.value):>5}  {said}{'; '.join(filter(None, [asked, one.reason]))}"
    unless = _UNLESS if one.question == "B" else ""
    most = "" if one.at_most is None else f"; at most {_points(one.at_most)}{unless}"
    return f"{'-':>5}  {asked}: {one.reason}{most}"


def _basis(known: Known) -> str:
    """What the differences rest on."""
    rate = f"pass rate {_told(known, 'rate', known.rate)}"
    if known.rate is None:
        rate = "pass rate 50%, the hardest, as none is known"
    runs = None if known.noise is None else 1 - known.noise
    noise, alike = _told(known, "noise", runs), _told(known, "likeness", known.likeness)
    return f"{rate}; correlation of two runs {noise}, of two systems' true rates {alike}; {_HALF}"


def _told(known: Known, name: str, number: float | None) -> str:
    return "not known" if number is None else f"{number:.2f} ({known.source(name)})"


def _needed(found: Needed, known: Known, width: int) -> Iterator[str]:
    yield f"a true gap of {_points(found.gap, 2)} points"
    asked = f"{QUESTIONS['A']}, all {found.issues:,} of them"
    if found.reruns.value is None:
        said = f"- ({found.reruns.reason}); at most {found.reruns.at_most:,.0f} repeats of each"
    else:
        runs = int(found.reruns.value)
        said = (
            f"{_many(runs, 'repeat')} of each system, "
            f"{_many(2 * runs * found.issues, 'attempt')} in all"
        )
        if found.reruns.low is not None and found.reruns.high is not None:
            said += f"; {found.reruns.low:,.0f} to {found.reruns.high:,.0f} as sure as the pilot is"
    yield from _wrapped(f"{asked}: {said}", width, "  ")
    if found.steady:
        often = f"found with {_chances(found.power)}; a score repeats itself to half a point (SE)"
        yield from _wrapped(f"A: {often} after {_many(found.steady, 'repeat')}", width, "  ")
    if found.reason:
        most = f"at most {found.issues_at_most:,} issues with one run of each{_UNLESS}"
        yield from _wrapped(f"{QUESTIONS['B']}: - ({found.reason}); {most}", width, "  ")
    for row in found.new_issues:
        takes = ", ".join(f"{issues:,} issues at {n}" for n, issues in row.issues)
        times = f"{row.repeats:,} would do" if row.repeats else "no number of repeats is enough"
        said = f"true rates alike to {row.likeness:g}: {takes} of each"
        line = f"{QUESTIONS['B']}, {said}; on {found.issues:,} issues {times} (found with "
        line += f"{_chances(row.power)})"
        yield from _wrapped(line, width, "  ")
    yield from _wrapped(
        f"{QUESTIONS['C']}: - (it is the number of repositories that counts there, not issues or "
        "repeats)",
        width,
        "  ",
    )
    yield from _wrapped(_basis(known), width, "  ")


def _chances(power: Sequence[tuple[int, float]]) -> str:
    """The chance to find the gap, at each number of repeats."""
    return ", ".join(f"{chance:.0%} at {n}" for n, chance in power) + " of each"


def _wrapped(text: str, width: int, mark: str) -> list[str]:
    gap = " " * (len(mark) + 2)
    return textwrap.wrap(
        clean(text),
        width,
        initial_indent=mark,
        subsequent_indent=gap,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _points(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}"


def _hours(hours: float | None) -> str:
    return duration(None if hours is None else hours * HOUR)


def _bytes(count: float | None) -> str:
    if count is None:
        return "-"
    size = count
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def _many(count: int, one: str, several: str = "") -> str:
    return f"{count:,} {one if count == 1 else several or one + 's'}"
