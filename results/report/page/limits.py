"""What a condition was not measured well enough to say."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, inf

from results.report.page.findings import ALIKE, ASSUMED_NOISE, Card
from results.report.page.markup import Html, figure, tag
from results.report.page.scene import Scene, attempts_of
from results.report.page.spelt import points
from results.report.page.study import needed
from results.table import Summary


def limits(scene: Scene, i: int) -> Html:
    items = [tag("li", sentence) for sentence in sentences(scene, i)]
    return figure("9", "What this cannot say", tag("ul", *items), attempts_of(scene, i, "--html"))


def sentences(scene: Scene, i: int) -> Iterator[str]:
    """What this design is too small for, then every number that is missing, with its reason."""
    one = scene.cards[i]
    known = one.precision.noise
    noise = f"f = {known.share:.2f} as measured" if known else f"f = {ASSUMED_NOISE} assumed"
    if one.detectable:
        yield (
            f"A rival that differs by less than {points(one.detectable)} points on new issues: "
            f"this design finds larger gaps 8 times of 10 ({noise}, true rates alike to {ALIKE})."
        )
    yield from _rival(scene, i)
    if one.summary.owed or one.summary.faulted:
        missing = one.summary.raw.planned - one.summary.raw.graded
        yield f"What attempts without a measurement ({missing}) would have given; see the bounds."
    if len(one.days) < 2 and one.summary.repeats > 1:
        yield "Whether another day would give the same: all repeats were made on one."
    yield from _reasons(one.summary, one)


def _rival(scene: Scene, i: int) -> Iterator[str]:
    pair = scene.study.rival(i) if scene.study else None
    if pair is None:
        return
    other = pair.second if pair.first == i else pair.first
    found = needed(pair, scene.cards)
    if found is None:
        yield f"Whether it or {scene.name(other)} is better: they came out alike."
        return
    more = f"no number of repeats on {pair.shared} tasks does for new issues"
    if found.new_issues < inf:
        more = f"{_up(found.new_issues)} for new issues"
    yield (
        f"Whether it or {scene.name(other)} is better: a true gap of {points(found.gap)} points "
        f"takes {_up(found.reruns)} repeats of each for these issues, {more}"
        f"{' (run noise assumed)' if found.assumed else ''}."
    )


def _up(count: float) -> str:
    return f"{max(1, ceil(count)):,}"


def _reasons(summary: Summary, one: Card) -> Iterator[str]:
    estimates = {
        "Whether a rerun would give this score": one.precision.rerun,
        "Whether other repositories would": one.precision.new_repos,
    }
    for asked, estimate in estimates.items():
        if estimate.low is None:
            yield f"{asked}: {estimate.reason}."
        elif estimate.reason:
            yield f"{asked} with confidence: {estimate.reason}."
    if summary.raw.rate.value is None:
        yield f"A score: {summary.raw.rate.reason}."
