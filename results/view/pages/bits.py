"""Pieces that every page is made of. What a run says comes in as text and is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable
from urllib.parse import quote

from harness.types import Attempt
from results.report.layout import duration
from results.report.page.markup import Html, tag
from results.report.page.spelt import NONE, usd
from results.view.asked import Asked
from results.view.index import Row
from results.view.visible import bare, visible

MOST_LINES, MOST_SHOWN = 24, 60_000
"""Of a long text: so many lines are shown before one asks, and so many characters at all."""
GLYPHS = {
    "solved": "\N{CHECK MARK}",
    "unsolved": "\N{MULTIPLICATION X}",
    "faulted": "!",
    "owed": "",
}
SPELT = {"solved": "solved", "unsolved": "not solved", "faulted": "faulted", "owed": "owed"}


def text(written: str) -> Html:
    """What anyone wrote, every character to be seen, line breaks kept."""
    return Html(html.escape(visible(written)))


def folded(
    written: str,
    *,
    raw: str = "",
    lines: int = MOST_LINES,
    class_: str = "out",
    codes: bool = False,
) -> Html:
    """A text in its own lines: its beginning, the rest on demand, and where all of it is.

    `raw` is the address of the whole; `codes` keeps codes for terminals to be seen.
    """
    shown = (visible if codes else bare)(written[:MOST_SHOWN])
    head, rest = _split(shown, lines)
    parts = [tag("pre", Html(html.escape(head)), class_=class_)]
    left = len(written) - MOST_SHOWN
    if rest:
        count = rest.count("\n") + 1
        more = Html(html.escape(rest))
        said = f"{count:,} more line{'s' * (count > 1)}"
        parts.append(
            tag("details", tag("summary", said), tag("pre", more, class_=class_), class_="more")
        )
    if left > 0 and raw:
        link = tag("a", "the whole text", href=raw)
        parts.append(tag("p", f"{left:,} characters are left out here: ", link, class_="fine"))
    elif left > 0:
        parts.append(tag("p", f"{left:,} characters are left out here.", class_="fine"))
    return Html("".join(parts))


def _split(shown: str, lines: int) -> tuple[str, str]:
    """The first lines, and the others; one that is no longer than a fold would be is shown."""
    parts = shown.rstrip("\n").split("\n")
    if len(parts) <= lines + 4:
        return "\n".join(parts), ""
    return "\n".join(parts[:lines]), "\n".join(parts[lines:])


def chip(said: str, class_: str = "", title: str | None = None) -> Html:
    return tag("span", said, class_=f"chip {class_}".strip(), title=title)


def link(said: str, href: str, class_: str | None = None, title: str | None = None) -> Html:
    return tag("a", said, href=href, class_=class_, title=title)


def facts(pairs: Iterable[tuple[str, str | None]]) -> Html:
    """Names and what they are; those with nothing are left out."""
    return tag(
        "dl",
        *(tag("div", tag("dt", name), tag("dd", told)) for name, told in pairs if told),
        class_="facts",
    )


def square(href: str, row: Row, *, class_: str = "", said: str = "") -> Html:
    """One attempt as a small square: a colour, a glyph, and words for whoever points at it."""
    state = f"{row.state} {class_}".strip()
    title = html.escape(said or visible(summary(row)))
    return Html(
        f'<a class="sq {state}" href="{html.escape(href)}" title="{title}">{GLYPHS[row.state]}</a>'
    )


def summary(row: Row) -> str:
    """A row in one line."""
    if row.state == "owed":
        return "owed: no record yet"
    if row.state == "faulted":
        return f"fault of the {row.why}: {row.message}"
    told = SPELT[row.state] if row.state == "solved" else f"not solved: {spaced(row.why)}"
    money = "" if row.usd is None else f", {usd(row.usd)}"
    seconds = f", {duration(row.seconds)}" if row.seconds else ""
    return f"{told}; ended: {spaced(row.ending)}{money}{seconds}"


def spaced(name: str) -> str:
    return name.replace("_", " ")


def count(number: float) -> str:
    """A large number as a person reads it: 12,345 or 1.2M."""
    if number >= 1e6:
        return f"{number / 1e6:.1f}M"
    return f"{number / 1e3:.0f}k" if number >= 1e4 else f"{number:,.0f}"


def seconds(amount: float) -> str:
    """Seconds, where nothing measured is nothing."""
    if not amount:
        return NONE
    return f"{1000 * amount:.0f} ms" if amount < 0.95 else duration(amount)


def run_url(name: str, rest: str = "") -> str:
    return f"/r/{quote(name)}{rest}"


def attempt_url(name: str, attempt: Attempt, query: str = "") -> str:
    return run_url(name, f"/a/{quote(attempt.id, safe='~+')}{query if query != '?' else ''}")


def filters(asked: Asked) -> str:
    """The part of a run's address that attempts take with them, so that one finds back."""
    kept = asked.but(view="", sort="").query
    return "" if kept == "?" else kept
