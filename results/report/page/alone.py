"""What a card says of one condition by itself: score, repeats, luck, cost, repositories."""

from __future__ import annotations

from collections.abc import Iterator

from results.comparison import Comparison
from results.report.flips_text import chance, flipped
from results.report.page.findings import Card
from results.report.page.markup import Html, figure, numbers, tag, why
from results.report.page.rows import Frame, Row, rows
from results.report.page.scene import Scene, attempts_of, tasks_link
from results.report.page.shapes import Part, pass_lines, stacked
from results.report.page.spelt import (
    NONE,
    dollars,
    ends,
    p_value,
    points,
    seconds,
    usd,
    whole,
)
from results.stats.difficulty import NOBODY
from results.stats.estimate import Estimate
from results.stats.regrading import FlipChances

REPOS = 24
"""How many repositories a card shows."""
RATE = (0.0, 1.0)


def _interval(name: str, found: Estimate, kind: str) -> Row:
    if found.low is None or found.high is None:
        return Row(name, "not known", reason=found.reason)
    return Row(name, ends(found), found.low, found.high, found.value, kind=kind)


def score_rows(one: Card) -> list[Row]:
    """The same score under each question, and what missing measurements could do to it."""
    raw = one.summary.raw
    found = [
        _interval("A rerun, same issues", one.precision.rerun, "b"),
        _interval("B new issues, same repositories", raw.rate, "o"),
        _interval("C new repositories", one.precision.new_repos, "g"),
    ]
    if raw.bounds:
        low, high = raw.bounds
        name, said = "bounds: missing failed, or solved", f"{points(low)} to {points(high)}"
        if raw.graded == raw.planned:
            name, said = "bounds: none is missing", points(low)
        found.append(Row(name, said, low, high, kind="r"))
    if one.corrected.value is not None:
        found.append(_interval("B corrected for the grader", one.corrected, "o"))
    whole_set = one.whole_set
    if whole_set and whole_set.low is not None and whole_set.high is not None:
        low, high, mid = whole_set.low, whole_set.high, points(whole_set.value)
        said = f"{mid}, {points(low)} to {points(high)}"
        name = f"all {whole_set.of} tasks, this pass"
        found.append(Row(name, said, low, high, whole_set.value, kind="b"))
    return found


def score(scene: Scene, i: int) -> Html:
    one = scene.cards[i]
    raw = one.summary.raw
    of = f"{raw.resolved} of {raw.graded} graded attempts solved; {raw.rate.n} of {raw.tasks} tasks"
    head = tag("p", tag("b", points(raw.rate.value), class_="big"), " points. ", of + " measured")
    if raw.rate.value is None:
        return figure("1", "Score", head, why(raw.rate.reason), attempts_of(scene, i))
    frame = Frame("Score, by question", "points solved, 95%", whole, within=RATE)
    table = [[row.name, row.said] for row in score_rows(one)]
    if one.missing:
        table += [
            ["solved of declared, missing as unsolved", points(one.missing.as_unsolved)],
            ["Imbens-Manski around the bounds", " to ".join(map(points, one.missing.interval))],
        ]
    table += _by_difficulty(scene, i)
    if adjusted := one.summary.adjusted:
        without = f"{points(adjusted.rate.value)}, {ends(adjusted.rate)}, {adjusted.tasks} tasks"
        table.append(["without quarantined tasks, B", without])
    picture = rows(score_rows(one), frame)
    return figure(
        "1", "Score", head, picture, numbers(["", "points"], table), attempts_of(scene, i)
    )


def _by_difficulty(scene: Scene, i: int) -> list[list[str]]:
    """What others say of the missing tasks; nothing where none is missing."""
    raw = scene.cards[i].summary.raw
    if raw.graded == raw.planned:
        return []
    if scene.study is None:
        return [["adjusted for difficulty", f"{NONE} ({NOBODY})"]]
    found = scene.study.compared.difficulty_adjusted[i]
    if found.value is None:
        return [["adjusted for difficulty", f"{NONE} ({found.reason})"]]
    left = f" ({found.reason})" if found.reason else ""
    name = "adjusted for difficulty: missing as others found tasks as hard, B"
    return [[name, f"{points(found.value)}, {ends(found)}{left}"]]


def repeats(scene: Scene, i: int) -> Html:
    one = scene.cards[i]
    steady, found = one.steadiness, one.precision.pass_k
    count = max(1, steady.always + steady.sometimes + steady.never + steady.unmeasured)
    parts = [
        Part(name, n / count, str(n), kind)
        for name, n, kind in (
            ("always solved", steady.always, "b"),
            ("sometimes", steady.sometimes, "o"),
            ("never", steady.never, "g"),
            ("not measured", steady.unmeasured, "r"),
        )
        if n
    ]
    inside: list[str] = []
    if found:
        inside.append(pass_lines(found))
        table = [
            [
                str(p.k),
                points(p.at_least_one.value),
                ends(p.at_least_one),
                points(p.all_of_them.value),
                ends(p.all_of_them),
                str(p.dropped),
            ]
            for p in found
        ]
        head = ["k", "pass@k", "95%, B", "pass^k", "95%, B", "tasks dropped"]
        inside.append(numbers(head, table))
    else:
        again = one.regrades.times > 1
        inside.append(
            why(
                "repeats that grade one patch again are no attempts"
                if again
                else "with one attempt a task, nothing says how often a repeat would agree"
            )
        )
    inside.append(stacked([("tasks, by their graded repeats", parts)]))
    if known := one.precision.noise:
        inside.append(
            tag(
                "p",
                "Two runs give a task the same verdict in ",
                tag("b", f"{points(known.agreement)}%"),
                " of cases.",
            )
        )
    return figure("2", "Repeatability", *inside, attempts_of(scene, i, o="mixed"))


def noise(scene: Scene, i: int) -> Html:
    one = scene.cards[i]
    known, again = one.precision.noise, one.regrades
    table: list[list[str]] = []
    if known:
        low, high = one.noise_interval or (None, None)
        around = (
            f", {low:.2f} to {min(1.0, high):.2f}" if low is not None and high is not None else ""
        )
        table += [
            ["run-noise share f", f"{known.share:.2f}{around}"],
            ["correlation of two runs", f"{known.correlation:.2f}"],
            ["standard deviation of one rerun's score", f"{points(known.sd_run)} points"],
            ["whole repeats differ (Cochran's Q)", f"p = {p_value(one.precision.batch_p)}"],
            ["A by the totals of the repeats", ends(one.precision.rerun_totals)],
        ]
    if again.rate.value is not None:
        said = f"{points(again.rate.value)}%, {ends(again.rate)}, {again.rate.n} patches"
        table.append(["verdicts that flip when a patch is graded again", said])
    table += _flips("of a patch", again.chances) + _flips("of the check's controls", one.checked)
    rest = [
        *(
            []
            if known
            else ["run noise: it takes two attempts at a task, judged both ways somewhere"]
        ),
        *([] if again.rate.value is not None else [f"grader's flips: {again.rate.reason}"]),
    ]
    inside = [numbers_open(table)] if table else []
    inside += [why(reason) for reason in rest]
    fenced = "harness check --times 5 measures how often the reference patch passes"
    inside.append(tag("p", f"Flaky tasks: {fenced}.", class_="fine"))
    return figure("3", "How much is luck", *inside, attempts_of(scene, i, o="mixed"))


def _flips(whose: str, found: FlipChances) -> list[list[str]]:
    """The chance that a grading is not the usual one, and the patches that flipped."""
    if found.mean is None:
        return []
    said = f"{points(found.mean)}%, {points(found.low)} to {points(found.high)}"
    shown = [[f"chance that a grading {whose} is not the usual one (beta-binomial)", said]]
    shown += [["of one that did not flip", chance(found.steady)]] if found.steady else []
    named = flipped(found)
    return [*shown, ["flipped", ", ".join(named)]] if named else shown


def numbers_open(rows_: list[list[str]]) -> Html:
    """A short list of figures with their names."""
    pairs = [tag("div", tag("dt", name), tag("dd", said)) for name, said in rows_]
    return tag("dl", *pairs, class_="list")


def split(scene: Scene, i: int) -> Html:
    one = scene.cards[i]
    inside: list[str] = []
    if one.split is None:
        reason = "one attempt a task does not tell difficulty from luck"
        if one.summary.repeats > 1:
            reason = "repeats that all agree, or grade one patch again, leave nothing to split"
        inside.append(why(reason))
    else:
        shares = [
            ("repository", one.split.repo, "g"),
            ("issue", one.split.task, "b"),
            ("run noise", one.split.run, "o"),
        ]
        parts = [
            Part(name, share, f"{100 * share:.0f}%", kind)
            for name, share, kind in shares
            if share is not None
        ]
        inside.append(stacked([("variance of one verdict", parts)]))
    if scene.study and scene.study.crossed and scene.study.crossed.variance:
        inside.append(
            tag(
                "p",
                tag("a", "Of the differences between scores", href="#variance"),
                ": the whole study says how much is model and how much is scaffold.",
            )
        )
    else:
        inside.append(
            why(
                "how much of a score is scaffold takes a study of two models or more, "
                "each with the same two scaffolds or more"
            )
        )
    return figure("6", "What a verdict depends on", *inside, attempts_of(scene, i, "--html"))


def cost(scene: Scene, i: int) -> Html:
    one = scene.cards[i]
    bill, precision = one.summary.cost, one.precision
    table = [
        ["USD per solved issue", dollars(precision.usd_per_solved)],
        ["time per solved issue", seconds(precision.seconds_per_solved)],
        ["USD, graded attempts", usd(bill.usd.value)],
        ["USD spent, all tries", usd((bill.spent + bill.lost).usd)],
        ["on tries that faulted", usd(bill.usd_faulted_tries.value)],
        ["on tries without a record", usd(bill.usd_lost_tries.value)],
        ["calls cut off (estimated)", str(bill.calls_cut_off)],
        [
            "spent on failures",
            NONE if one.failures_usd is None else f"{100 * one.failures_usd:.0f}%",
        ],
        ["tokens per solved issue", _count(bill.tokens_per_solved.value)],
    ]
    table += list(_cost_beside(scene, i))
    price = bill.usd.reason or precision.usd_per_solved.reason
    reasons = [reason for reason in (price, precision.seconds_per_solved.reason) if reason]
    fine = tag(
        "p", "Failed attempts are part of the cost. Fieller's interval, 95%, B.", class_="fine"
    )
    inside = [numbers_open(table), *(why(reason) for reason in dict.fromkeys(reasons)), fine]
    return figure("7", "Cost and time", *inside, attempts_of(scene, i))


def _count(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value / 1e6:.1f} M" if value >= 1e6 else f"{value:,.0f}"


def _cost_beside(scene: Scene, i: int) -> Iterator[list[str]]:
    """What only other conditions give a meaning: the frontier, and the price of solving more."""
    if scene.study is None:
        return
    for one in scene.study.priced:
        if one.system == i:
            yield ["on the cost frontier", f"{100 * one.on_frontier:.0f}% of resamples"]
    pairs = [
        p
        for p in scene.study.compared.pairs
        if _ahead(p) == i and p.costs.per_extra_solve.value is not None
    ]
    for pair in pairs[:3]:
        name = f"each issue solved beyond #{pair.first + pair.second - i + 1}"
        yield [name, dollars(pair.costs.per_extra_solve)]


def _ahead(pair: Comparison) -> int:
    """Which of the two solves more, where that has a price."""
    return pair.first if pair.costs.extra_of == "first" else pair.second


def repos(scene: Scene, i: int) -> Html:
    one = scene.cards[i]
    if not one.repos:
        reason = "it takes two repositories that the tasks name"
        return figure("8", "By repository", why(reason), attempts_of(scene, i, "--html"))
    short = _repo_names(one)
    found = [
        Row(
            short[repo.name],
            f"{points(repo.rate)} (n={repo.tasks})",
            repo.low,
            repo.high,
            repo.rate,
            hollow=repo.shrunken,
            kind="thin-b",
            href=tasks_link(i, repo=repo.name),
        )
        for repo in one.repos[:REPOS]
    ]
    frame = Frame(
        "Score by repository", "points; bar 95%, tick mean, ring shrunken", whole, RATE, beside=True
    )
    table = [
        [
            r.name,
            str(r.tasks),
            points(r.rate),
            f"{points(r.low)} to {points(r.high)}",
            points(r.shrunken),
        ]
        for r in one.repos
    ]
    head = ["repository", "tasks", "points", "95%, B", "shrunken"]
    left = len(one.repos) - REPOS
    more = [tag("p", f"{left} more with fewer tasks are in the numbers.", class_="fine")]
    return figure(
        "8",
        "By repository",
        rows(found, frame),
        *(more if left > 0 else []),
        numbers(head, table),
        attempts_of(scene, i, "--html"),
    )


def _repo_names(one: Card) -> dict[str, str]:
    """Names without their owners, where that leaves them different."""
    last = {repo.name: repo.name.rsplit("/", 1)[-1] for repo in one.repos}
    return last if len(set(last.values())) == len(last) else {name: name for name in last}
