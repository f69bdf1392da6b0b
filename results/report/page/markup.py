"""HTML by construction: a string is escaped on its way in, unless it is markup already."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from results.report.layout import clean

_VOID = {"br", "hr", "input", "link", "meta"}


class Html(str):
    """Markup. Nothing that a run has written may be made into one but by `tag` and `plain`."""

    __slots__ = ()


def plain(text: str) -> Html:
    """What anyone wrote, as text: no markup, no control or direction characters."""
    return text if isinstance(text, Html) else Html(html.escape(clean(text)))


def joined(parts: Iterable[str], between: str = "") -> Html:
    return Html(plain(between).join(plain(part) for part in parts))


def tag(name: str, /, *inside: str, **attributes: str | float | None) -> Html:
    """An element. `class_` is class, `stroke_width` is stroke-width; None leaves one out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{told}>")
    return Html(f"<{name}{told}>{joined(inside)}</{name}>")


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return html.escape(clean(value))
    return f"{value:.1f}".removesuffix(".0")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], **attributes: Any) -> Html:
    """A table whose first column is words and whose others are figures."""
    top = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    body = [
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:]))
        for row in rows
    ]
    whole = tag("table", tag("thead", top), tag("tbody", *body), **attributes)
    return tag("div", whole, class_="scroll")


def numbers(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """The table beside a picture, folded away until it is asked for."""
    return tag("details", tag("summary", "numbers"), table(head, rows))


def figure(number: str, heading: str, *inside: str, wide: bool = False) -> Html:
    """One block: a numbered heading over whatever shows and tells it."""
    top = tag("h4", tag("span", number, class_="no") if number else "", heading)
    return tag("section", top, *inside, class_="block wide" if wide else "block")


def why(reason: str) -> Html:
    """What stands where a number cannot."""
    spans = reason.split("`")
    said = (tag("code", span) if i % 2 else span for i, span in enumerate(spans))
    return tag("p", "Not known: ", *said, class_="why")


def behind(href: str, command: str, what: str = "attempts behind this") -> Html:
    """Where a block's figures come from: the attempts, and the command that makes them again."""
    link = tag("a", what, href=href)
    return tag("p", link, " ", tag("code", command, title=command), class_="behind")
