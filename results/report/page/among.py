"""One condition among the others: its differences from them, and the ranks left open to it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from results.comparison import Comparison
from results.report.page.markup import Html, behind, figure, numbers, tag, why
from results.report.page.rows import Frame, Row, rows
from results.report.page.scene import Scene
from results.report.page.spelt import (
    mirrored,
    signed,
    signed_ends,
    whole,
    worded,
)
from results.report.page.study import Study
from results.stats.equivalence import Word
from results.stats.many import contrast

_KINDS: dict[Word | None, str] = {"better": "b", "worse": "r", "equivalent": "g"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A comparison from one side: that side minus the other, on new issues."""

    other: int
    value: float | None
    low: float | None
    high: float | None
    word: Word | None


def seen(pair: Comparison, i: int) -> Seen:
    found = pair.difference.new_issues
    if pair.first == i:
        return Seen(pair.second, found.value, found.low, found.high, pair.word)
    value, low, high = (
        None if end is None else -end for end in (found.value, found.high, found.low)
    )
    return Seen(pair.first, value, low, high, mirrored(pair.word))


def forest_row(study: Study, pair: Comparison, i: int, name: str) -> Row:
    """One side minus the other, in the colour of what may be said of it."""
    one = seen(pair, i)
    name = f"{name} (n={pair.shared})"
    if one.value is None:
        return Row(name, "not known", reason=pair.difference.new_issues.reason)
    return Row(
        name,
        f"{signed(one.value)} {worded(one.word, study.compared.margin)}",
        one.low,
        one.high,
        one.value,
        contrast(study.together, i, one.other),
        kind=_KINDS.get(one.word, "o"),
        href=f"#tasks/only={i + 1},{one.other + 1}",
    )


def forest_rows(scene: Scene, study: Study, i: int) -> list[Row]:
    """System `i` minus each other one, on the tasks that both have measured."""
    return [
        forest_row(study, pair, i, scene.name(seen(pair, i).other))
        for pair in study.compared.pairs
        if i in (pair.first, pair.second)
    ]


def forest_frame(study: Study, title: str) -> Frame:
    margin = study.compared.margin
    caption = f"points; thick 95%, thin all at once; grey: ±{100 * margin:g}"
    return Frame(title, caption, whole, (-1.0, 1.0), (-margin, margin), zero=True)


def forest(scene: Scene, i: int) -> Html:
    heading = f"#{i + 1} minus the others, same issues"
    if scene.study is None:
        return figure("4", heading, why("there is no other condition here; harness compare A B"))
    found = forest_rows(scene, scene.study, i)
    picture = rows(found, forest_frame(scene.study, heading))
    table = [
        [r.name, r.said, signed_ends(r.low, r.high), signed_ends(*(r.thin or (None, None)))]
        for r in found
    ]
    head = ["minus", "points", "95%, B", "all at once"]
    link = behind("#comparison", scene.comparing(), "the whole comparison")
    return figure("4", heading, picture, numbers(head, table), link)


def rank(scene: Scene, i: int) -> Html:
    if scene.study is None:
        return figure("5", "Rank", why("one condition has no rank"))
    count, ranks = len(scene.cards), scene.study.ranks[i]
    place = str(ranks.best) if ranks.best == ranks.worst else f"{ranks.best} to {ranks.worst}"
    printed = printed_ranks(scene.study)[i]
    row = rank_row(f"of {count} conditions", ranks.best, ranks.worst, printed)
    told = f"The data leave ranks {place} open; the scores as printed would say {printed}."
    if ranks.best == ranks.worst:
        told = f"Rank {place}: every other condition is told apart from this one."
    link = behind("#ranks", scene.comparing("--html page.html"), "all ranks")
    return figure("5", "Rank", rows([row], rank_frame(count)), tag("p", told), link)


def rank_row(name: str, best: int, worst: int, printed: int) -> Row:
    place = str(best) if best == worst else f"{best} to {worst}"
    return Row(name, place, best - 0.3, worst + 0.3, printed)


def rank_frame(count: int) -> Frame:
    step = max(1, -(-count // 14))
    places = tuple(float(place) for place in range(1, count + 1, step))
    caption = "rank, 95% joint; tick: as printed"
    return Frame("Ranks left open", caption, "{:g}".format, (0.5, count + 0.5), ticks=places)


def printed_ranks(study: Study) -> list[int]:
    """By the score on each system's own tasks, as a leaderboard would print them."""
    scores = []
    for system in study.compared.systems:
        means = [_mean(list(row)) for row in system.verdicts.values()]
        known = [mean for mean in means if mean is not None]
        scores.append(sum(known) / len(known) if known else -inf)
    return [1 + sum(other > score + 1e-12 for other in scores) for score in scores]


def _mean(row: list[float]) -> float | None:
    known = [value for value in row if value == value]
    return sum(known) / len(known) if known else None
