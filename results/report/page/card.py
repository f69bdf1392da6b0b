"""The reliability card of one condition: its header and nine numbered blocks."""

from __future__ import annotations

from collections.abc import Mapping

from results.footing import Footing
from results.report.layout import duration, money
from results.report.page.alone import cost, noise, repeats, repos, score, split
from results.report.page.among import forest, rank
from results.report.page.findings import Card
from results.report.page.limits import limits
from results.report.page.markup import Html, tag
from results.report.page.scene import Scene


def card(scene: Scene, i: int) -> Html:
    """The whole card."""
    one = scene.cards[i]
    blocks = [
        score(scene, i),
        repeats(scene, i),
        noise(scene, i),
        forest(scene, i),
        rank(scene, i),
        split(scene, i),
        cost(scene, i),
        repos(scene, i),
        limits(scene, i),
    ]
    return tag(
        "article",
        tag("h3", tag("span", f"#{i + 1}", class_="key"), scene.names[i], title=one.summary.label),
        _header(one),
        tag("div", *blocks, class_="blocks"),
        id=f"c{i + 1}",
        class_="card",
    )


def _header(one: Card) -> Html:
    summary = one.summary
    condition, raw = summary.condition, summary.raw
    most = condition.limits
    capped = [
        f"{most.turns} turns" if most.turns else "",
        f"{most.tokens:,} tokens" if most.tokens else "",
        money(most.usd) if most.usd else "",
        duration(most.seconds) if most.seconds else "",
    ]
    days = f"{one.days[0]} to {one.days[-1]}, {len(one.days)} days" if len(one.days) > 1 else ""
    told = {
        "model": str(condition.model),
        "scaffold": str(condition.scaffold),
        "sandbox": str(condition.sandbox),
        "limits": ", ".join(filter(None, capped)) or "none",
        "condition": summary.digest,
        "served as": _fact(one.facts, "model_model"),
        "agent": _agent(summary.footing),
        "graded": ", ".join(f"{mode} ({count})" for mode, count in summary.modes.items()),
        "settled": days or "".join(one.days),
        "attempts": f"{raw.planned} planned, {raw.graded} graded, "
        f"{sum(summary.faulted.values())} faulted, {summary.owed} owed",
        "ended": ", ".join(f"{count} {name}" for name, count in summary.endings.items()),
        "verdicts": ", ".join(f"{count} {name}" for name, count in summary.reasons.items()),
    }
    pairs = [
        tag("div", tag("dt", key), tag("dd", value, title=value if len(value) > 60 else None))
        for key, value in told.items()
        if value
    ]
    return tag("dl", *pairs, class_="facts")


def _agent(found: Footing | None) -> str:
    """Somebody else's program, and by what name it asked for its model."""
    if found is None:
        return ""
    asked = ", ".join(f"{name} ({calls:,})" for name, calls in list(found.asked_for.items())[:3])
    said = " ".join(word for word in (found.agent, " or ".join(found.versions)) if word)
    return f"{said}, called its model {asked}" if asked else said


def _fact(facts: Mapping[str, tuple[str, ...]], key: str) -> str:
    values = facts.get(key, ())
    more = f" and {len(values) - 3} more" if len(values) > 3 else ""
    return ", ".join(values[:3]) + more
