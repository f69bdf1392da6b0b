"""The frame of every page: its head, the way back, the help. Nothing in it comes from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from results.report.page.markup import Html, tag

KEYS = (
    ("j, k", "next, previous: row of a grid, step of a trajectory"),
    ("h, l", "left, right within a row"),
    ("Enter, o", "open; fold or unfold a step"),
    ("\N{LEFTWARDS ARROW}, \N{RIGHTWARDS ARROW}", "previous, next page or attempt"),
    ("/", "search"),
    ("u", "up: from an attempt to its run, from a run to all runs"),
    ("t, d, e", "on an attempt: trajectory, diff, tests and other evidence"),
    ("x", "mark an attempt; at another one: both side by side"),
    ("g", "the top of the page"),
    ("?", "this help"),
)


def page(
    title: str,
    crumbs: Sequence[tuple[str, str]],
    *inside: str,
    watched: str | None = None,
    seen: str = "",
) -> str:
    """A whole document.

    `crumbs` are words and addresses, the last one being here. `watched` is the address that says
    whether something has changed, `seen` what it said when this was made.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href="/static/icon.svg"),
        tag("link", rel="stylesheet", href="/static/page.css"),
        tag("link", rel="stylesheet", href="/static/view.css"),
        tag("script", "", src="/static/view.js", defer=""),
    )
    body = tag(
        "body",
        tag(
            "header",
            _crumbs(crumbs),
            tag("span", "", id="state", role="status"),
            tag("button", tag("kbd", "?"), " keys", id="keys", class_="keys"),
            class_="bar",
        ),
        tag("main", *inside, id="main", data_watch=watched, data_seen=seen or None),
        _help(),
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _crumbs(crumbs: Sequence[tuple[str, str]]) -> Html:
    steps = [tag("a", words, href=href) for words, href in crumbs[:-1]]
    here = tag("span", crumbs[-1][0], aria_current="page")
    return tag("nav", *steps, here, class_="crumbs", aria_label="where this is")


def _help() -> Html:
    rows = [tag("div", tag("dt", tag("kbd", keys)), tag("dd", what)) for keys, what in KEYS]
    close = tag("form", tag("button", "close"), method="dialog")
    return tag("dialog", tag("h2", "Keys"), tag("dl", *rows), close, id="help")


def trouble(title: str, said: str) -> str:
    """A page that says why there is none."""
    return page(title, [("runs", "/"), (title, "")], tag("h1", title), tag("p", said))
