"""The comparison: all conditions on the issues that they share, in pictures and in one table."""

from __future__ import annotations

from collections.abc import Iterator

from results.comparison import Comparison
from results.exchange.imported import IMPORTED
from results.footing import among
from results.report.page.among import (
    forest_frame,
    forest_row,
    forest_rows,
    printed_ranks,
    rank_frame,
    rank_row,
)
from results.report.page.markup import Html, behind, figure, numbers, table, tag, why
from results.report.page.rows import Frame, Row, rows
from results.report.page.scene import Scene
from results.report.page.shapes import costs
from results.report.page.shares import variance
from results.report.page.spelt import (
    MINUS,
    NONE,
    dollars,
    p_value,
    points,
    signed,
    signed_ends,
    usd,
    whole,
    worded,
)
from results.report.page.study import Study
from results.stats.estimate import Estimate
from results.stats.many import Simultaneous

PAIRS = 15
"""Up to how many pairs the forest shows them all; beyond, those with the leader."""


def comparison(scene: Scene) -> Html:
    """The whole section; with one condition, only how to get another."""
    found = scene.study
    if found is None:
        text = "One condition. A second one, of this run or of another, can be compared with it:"
        return tag(
            "section",
            tag("h2", "Comparison"),
            tag("p", text),
            tag("p", tag("code", f"{scene.comparing('OTHER --html page.html')}")),
            id="comparison",
        )
    lead = min(range(len(scene.cards)), key=lambda i: (printed_ranks(found)[i], i))
    blocks = [
        _forest(scene, found, lead),
        _scores(scene),
        _ranks(scene, found),
        _costs(scene, found),
        variance(scene, found),
    ]
    margin = 100 * found.compared.margin
    words = (
        f"Differences are of tasks that both conditions have measured. Better and worse: the "
        f"p-value for new issues, adjusted by Holm for every pair made here, is "
        f"below 0.05. Equivalent within {margin:g}: two one-sided tests at 5% say that the "
        f"difference is smaller than {margin:g} points. Undecided is neither, and no tie. "
        f"Resampled with seed {found.compared.seed}."
    )
    return tag(
        "section",
        tag("h2", "Comparison"),
        tag("p", words, class_="fine"),
        *(tag("p", warning, class_="why") for warning in _warnings(scene, found)),
        tag("div", *blocks, class_="columns"),
        _pairs(scene, found),
        id="comparison",
    )


def _warnings(scene: Scene, found: Study) -> Iterator[str]:
    """What a reader should hold against these differences."""
    modes = {mode for system in found.compared.systems for mode in system.modes}
    if len(modes) > 1:
        yield "The conditions were graded in different modes: a difference is also the graders'."
    if any(mode.startswith(IMPORTED) for mode in modes):
        yield "Imported verdicts are somebody else's: nothing here has checked them."
    if dropped := sum(pair.dropped for pair in found.compared.pairs):
        yield f"Tasks left out of pairs, since only one side has measured them: {dropped}."
    systems = found.compared.systems
    named = ((scene.name(i), system.footing) for i, system in enumerate(systems))
    yield from (f"{said}." for said in among(named))
    for pair in found.compared.pairs:
        if pair.alike and pair.agreement is not None:
            yield (
                f"{scene.name(pair.first)} and {scene.name(pair.second)} have the same verdict on "
                f"{points(pair.agreement)}% of {pair.shared} tasks, more than two runs of one "
                "system are known to have: one set of patches, graded twice?"
            )


def _scores(scene: Scene) -> Html:
    """Every score with its interval for new issues, as rows that lead to the cards."""
    found = [
        Row(
            scene.name(i),
            f"{points(rate.value)}, {points(rate.low)} to {points(rate.high)}",
            rate.low,
            rate.high,
            rate.value,
            kind="o",
            href=f"#c{i + 1}",
        )
        if (rate := one.summary.raw.rate).value is not None
        else Row(scene.name(i), "not known", reason=rate.reason, href=f"#c{i + 1}")
        for i, one in enumerate(scene.cards)
    ]
    caption = "points, 95% for new issues (B)"
    picture = rows(found, Frame("Scores", caption, whole, (0.0, 1.0)))
    return figure("", "Scores", picture, behind("#scores", scene.comparing(), "in numbers"))


def standing(scene: Scene) -> Html:
    """The conditions in a table: score, what is missing from it, rank and cost."""
    head = [
        "condition",
        "points",
        "95%, B",
        "bounds",
        "solved",
        "graded",
        "missing",
        "rank",
        "USD per solved",
        "USD",
    ]
    body = []
    for i, one in enumerate(scene.cards):
        raw, rate = one.summary.raw, one.summary.raw.rate
        bounds = NONE if raw.bounds is None else " to ".join(map(points, raw.bounds))
        ranks = scene.study.ranks[i] if scene.study else None
        place = NONE if ranks is None else str(ranks.best)
        if ranks and ranks.worst != ranks.best:
            place += f" to {ranks.worst}"
        name = tag("a", scene.name(i), href=f"#c{i + 1}", title=one.summary.label)
        body.append(
            [
                name,
                points(rate.value),
                f"{points(rate.low)} to {points(rate.high)}",
                bounds,
                str(raw.resolved),
                str(raw.graded),
                str(raw.planned - raw.graded),
                place,
                dollars(one.precision.usd_per_solved),
                usd(one.summary.cost.usd.value),
            ]
        )
    return table(head, body)


def _forest(scene: Scene, found: Study, lead: int) -> Html:
    if len(found.compared.pairs) <= PAIRS:
        heading = "Every two conditions, same issues"
        shown = [
            forest_row(found, pair, pair.first, f"#{pair.first + 1} {MINUS} #{pair.second + 1}")
            for pair in found.compared.pairs
        ]
    else:
        heading = f"{scene.name(lead)} minus the others, same issues"
        shown = forest_rows(scene, found, lead)
    picture = rows(shown, forest_frame(found, heading))
    fine = _at_once(found.together)
    note = tag("p", fine, class_="fine") if fine else ""
    return figure(
        "", heading, picture, note, behind("#pairs", scene.comparing(), "every pair in numbers")
    )


def _at_once(found: Simultaneous) -> str:
    """How wide the thin intervals are; nothing where there are not two of them."""
    if len(found.contrasts) < 2 or found.critical is None:
        return ""
    return (
        f"All {len(found.contrasts)} differences hold at once at {found.critical:.2f} "
        "standard errors (max-T)."
    )


def _ranks(scene: Scene, found: Study) -> Html:
    printed = printed_ranks(found)
    order = sorted(range(len(printed)), key=lambda i: (printed[i], found.ranks[i].worst, i))
    shown = [
        rank_row(scene.name(i), found.ranks[i].best, found.ranks[i].worst, printed[i])
        for i in order
    ]
    picture = rows(shown, rank_frame(len(printed)))
    table_ = [[row.name, row.said, f"{row.value:g}"] for row in shown]
    whole_ = figure(
        "",
        "Ranks left open",
        picture,
        numbers(["condition", "ranks, 95% joint", "as printed"], table_),
        behind("#pairs", scene.comparing("--html page.html"), "the pairs behind this"),
    )
    return tag("div", whole_, id="ranks")


def _costs(scene: Scene, found: Study) -> Html:
    heading = "Cost against score"
    link = behind("#tasks", scene.comparing("--html page.html"))
    if not found.priced:
        return figure("", heading, why(found.unpriced), link)
    picture = costs(found.priced, lambda i: f"#{i + 1}")
    body = [
        [
            scene.name(one.system),
            usd(one.usd),
            points(one.solved),
            f"{100 * one.on_frontier:.0f}%",
        ]
        for one in sorted(found.priced, key=lambda one: one.usd)
    ]
    fine = (
        f"On {found.shared} tasks that all have measured. Shaded: where cost and score lie "
        "together, 95%. Blue: on the frontier as measured, nothing cheaper is as good."
    )
    head = ["condition", "USD per attempt", "points", "on the frontier"]
    return figure("", heading, picture, tag("p", fine, class_="fine"), numbers(head, body), link)


def _pairs(scene: Scene, found: Study) -> Html:
    head = [
        "pair",
        "tasks",
        "points",
        "A: reruns",
        "B: new issues",
        "C: new repositories",
        "p, Holm",
        "p, C",
        "the first is",
        "smallest margin",
        "cost ratio",
        "USD per extra solve",
    ]
    body = []
    for pair in found.compared.pairs:
        differs = pair.difference
        link = f"#tasks/only={pair.first + 1},{pair.second + 1}"
        body.append(
            [
                tag("a", f"#{pair.first + 1} {MINUS} #{pair.second + 1}", href=link),
                str(pair.shared),
                signed(differs.new_issues.value),
                _span(differs.rerun),
                _span(differs.new_issues),
                _span(differs.new_repos),
                p_value(pair.p_holm),
                p_value(differs.p_repos.p),
                tag(
                    "b", worded(pair.word, found.compared.margin), class_=f"word {pair.word or ''}"
                ),
                points(pair.smallest_margin),
                _times(pair.costs.ratio),
                _extra(pair),
            ]
        )
    return tag("div", tag("h3", "Every pair"), table(head, body), id="pairs")


def _extra(pair: Comparison) -> str:
    if pair.costs.per_extra_solve.value is None:
        return NONE
    one = pair.first if pair.costs.extra_of == "first" else pair.second
    return f"#{one + 1}: {dollars(pair.costs.per_extra_solve)}"


def _span(found: Estimate) -> Html:
    """An interval; where there is none, hovering says why."""
    shown = signed_ends(found.low, found.high)
    return tag("span", shown, title=found.reason or None)


def _times(found: Estimate) -> str:
    if found.value is None or found.low is None or found.high is None:
        return NONE
    return f"{found.value:.2f}, {found.low:.2f} to {found.high:.2f}"
