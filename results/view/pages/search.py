"""The filters of a run's page, and the way from one page of it to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from results.report.page.markup import Html, joined, tag
from results.view.asked import ORDERS, OUTCOMES, Asked
from results.view.grid import Page
from results.view.index import Reading
from results.view.pages.bits import chip, link, spaced, text


def search(reading: Reading, asked: Asked, part: Page, names: Mapping[str, str]) -> Html:
    """A form that is sent as an address, so that what was asked can be handed on."""
    named = ((d, f"#{i} {names[d]}") for i, d in enumerate(reading.manifest.conditions, start=1))
    form = tag(
        "form",
        tag(
            "input",
            type="search",
            name="q",
            value=asked.q,
            placeholder="task, repository, reason or message",
            aria_label="search",
        ),
        _choice("c", asked.c, [("", "any condition"), *named], "condition"),
        _choice("o", asked.o, OUTCOMES.items(), "outcome"),
        _choice("sort", asked.sort, ORDERS.items(), "order"),
        *_kept(asked),
        tag("button", "Filter"),
        _views(asked),
        tag("output", _found(asked, part)),
        method="get",
        id="filter",
    )
    return joined([form, _chips(asked)])


def _choice(name: str, chosen: str, options: Iterable[tuple[str, str]], label: str) -> Html:
    made = [
        tag("option", words, value=value, selected="" if value == chosen else None)
        for value, words in options
    ]
    return tag("select", *made, name=name, aria_label=label)


def _kept(asked: Asked) -> list[Html]:
    """What the form has no field for, and a search keeps."""
    kept = {"view": asked.view, "why": asked.why, "ending": asked.ending, "task": asked.task}
    return [
        tag("input", type="hidden", name=name, value=value) for name, value in kept.items() if value
    ]


def _views(asked: Asked) -> Html:
    grid, lines = asked.but(view="", task="").query, asked.but(view="list").query
    here = asked.view == "list"
    return tag(
        "span",
        link("grid", grid, class_=None if here else "here"),
        link("list", lines, class_="here" if here else None),
        class_="views",
    )


def _found(asked: Asked, part: Page) -> str:
    what = "attempts" if asked.view == "list" else "tasks"
    if part.found == part.of:
        return f"{part.of:,} {what}"
    return f"{part.found:,} of {part.of:,} {what}"


def _chips(asked: Asked) -> Html:
    """The filters that came by a link, each with a way out."""
    told = {"task": asked.task, "why": asked.why, "ending": asked.ending}
    chips = [
        chip(joined([f"{name}: ", text(spaced(value)), " ", _out(asked, name)]))
        for name, value in told.items()
        if value
    ]
    return tag("p", *chips) if chips else Html("")


def _out(asked: Asked, name: str) -> Html:
    href = asked.but(**{name: ""}).query
    return link("\N{MULTIPLICATION SIGN}", href, title=f"without this {name}")


def pager(reading: Reading, asked: Asked, part: Page) -> Html:
    """Which page this is; nothing where there is one."""
    if part.pages < 2:
        return Html("")
    first = (part.page - 1) * part.size + 1
    last = min(part.page * part.size, part.found)
    parts: list[Html] = []
    if part.page > 1:
        parts.append(_to(asked, 1, "first"))
        parts.append(_to(asked, part.page - 1, "previous", "prev"))
    parts.append(tag("span", f"{first:,} to {last:,} of {part.found:,}"))
    if part.page < part.pages:
        parts.append(_to(asked, part.page + 1, "next", "next"))
        parts.append(_to(asked, part.pages, "last"))
    return tag("nav", *parts, class_="pager", aria_label="pages")


def _to(asked: Asked, page: int, words: str, rel: str | None = None) -> Html:
    return tag("a", words, href=asked.but(page=page).query, rel=rel)
