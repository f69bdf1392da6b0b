"""A patch with colours: a fold for each file."""

from __future__ import annotations

import html
from collections.abc import Iterator

from results.report.page.markup import Html, joined, tag
from results.view.diff import File, Line, files
from results.view.pages.bits import link, text
from results.view.visible import decoded, visible

MOST_LINES, MOST_WIDE, MOST_FILES = 1200, 1000, 100
OPEN = 400
"""Lines of a patch up to which all of its files are unfolded."""
_CLASSES = {"+": "add", "-": "del", "@": "hunk", "\\": "hunk"}


def patch(data: bytes, raw: str) -> Html:
    """All files of a patch, as far as a person reads; `raw` is the address of the whole."""
    if not data.strip():
        return tag("p", "The patch is empty: nothing was changed.", class_="why")
    found = files(decoded(data))
    total = sum(len(file.lines) for file in found)
    budget, parts = MOST_LINES, []
    for file in found[:MOST_FILES]:
        parts.append(_file(file, max(0, budget), unfolded=total <= OPEN))
        budget -= len(file.lines)
    if len(found) > MOST_FILES:
        parts.append(tag("p", f"{len(found) - MOST_FILES} more files", class_="fine"))
    parts.append(tag("p", link("the patch as it is", raw), class_="fine"))
    return Html("".join(parts))


def size(data: bytes) -> Html:
    """How large a patch is, in words."""
    found = files(decoded(data))
    plus, minus = sum(f.added for f in found), sum(f.removed for f in found)
    if not found:
        return Html("empty")
    named = f"{len(found)} file{'s' * (len(found) > 1)} "
    return joined(
        [
            named,
            tag("span", f"+{plus:,}", class_="plus"),
            " ",
            tag("span", f"\N{MINUS SIGN}{minus:,}", class_="minus"),
        ]
    )


def _file(file: File, budget: int, *, unfolded: bool) -> Html:
    shown = file.lines[:budget]
    left = len(file.lines) - len(shown)
    head = tag(
        "summary",
        tag("code", text(file.path or "(no file named)")),
        " ",
        tag("span", f"+{file.added}", class_="plus"),
        " ",
        tag("span", f"\N{MINUS SIGN}{file.removed}", class_="minus"),
    )
    remarks = [tag("p", text(remark[:300]), class_="fine") for remark in file.remarks[:20]]
    body = tag("div", Html("".join(_rows(shown))), class_="diff")
    more = [tag("p", f"{left:,} more lines are left out here.", class_="fine")] if left > 0 else []
    return tag("details", head, *remarks, body, *more, class_="file", open="" if unfolded else None)


def _rows(lines: list[Line]) -> Iterator[str]:
    for line in lines:
        old, new = line.old or "", line.new or ""
        if line.kind in "@\\":
            old = new = ""
        class_ = _CLASSES.get(line.kind, "")
        sign = line.kind if line.kind in "+-" else " "
        yield (
            f'<div class="{class_}"><i>{old}</i><i>{new}</i><b>{sign}</b>'
            f"<span>{_marked(line)}</span></div>"
        )


def _marked(line: Line) -> str:
    """The line's text, with the part that differs from its counterpart in `<mark>`."""
    written = line.text[:MOST_WIDE]
    if len(line.text) > MOST_WIDE:
        return f"{_plain(written)} .. ({len(line.text):,} characters)"
    if line.begin >= line.end:
        return _plain(written)
    before, inside, after = (
        written[: line.begin],
        written[line.begin : line.end],
        written[line.end :],
    )
    return f"{_plain(before)}<mark>{_plain(inside)}</mark>{_plain(after)}"


def _plain(written: str) -> str:
    return html.escape(visible(written))


def replaced(old: str, new: str) -> Html:
    """What an edit of a file takes away and puts in its place."""
    # A newline at the end of both is no line of either.
    both = old.endswith("\n") and new.endswith("\n")
    before, after = (one[:-1] if both else one for one in (old, new))
    lines = [Line("-", one) for one in before.split("\n")[:60]] if before else []
    lines += [Line("+", one) for one in after.split("\n")[:120]] if after else []
    return tag("div", Html("".join(_rows(lines))), class_="diff small")
