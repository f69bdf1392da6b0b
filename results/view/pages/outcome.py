"""What became of an attempt: verdict or fault, tests, logs, marks of the audit, certificate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from results.audit.scan import Mark
from results.audit.table import RULES
from results.report.page.markup import Html, joined, tag
from results.view.auditor import Found
from results.view.evidence import LISTS, Sight, Tests, blob, tests
from results.view.pages.bits import attempt_url, chip, folded, link, run_url, spaced, text
from results.view.pages.changes import patch, size
from results.view.steps import a_list, a_map
from results.view.visible import decoded

FEW, FEW_PASSED = 30, 8
"""Tests that are named at once, of what did not pass and of what did; others are folded away."""
_POINTS_AT = {rule.name: rule.points_at for rule in RULES}


def verdict(found: Sight) -> Html:
    """The last word, first: in colour, with what it rests on."""
    row, last = found.row, found.last
    if found.is_going:
        now = f": try {found.traces[-1]} is being made; this page follows it."
        return tag("div", tag("b", "Under way"), now, class_="word going")
    if row.state == "owed":
        return tag("div", tag("b", "Owed"), ": no try of it has left a record.", class_="word owed")
    if row.state == "faulted":
        said = [tag("b", f"Fault of the {row.why}"), ". No measurement, and so no zero."]
        return tag("div", *said, folded(str(last.get("message"))), class_="word faulted")
    told = a_map(last.get("verdict"))
    first, second = a_map(told.get("fail_to_pass")), a_map(told.get("pass_to_pass"))
    solved = row.state == "solved"
    words = "Solved" if solved else f"Not solved: {spaced(row.why)}"
    parts = [tag("b", words), ". ", _tally("fail to pass", first), _tally("pass to pass", second)]
    notes = [tag("li", text(str(note))) for note in a_list(told.get("notes"))[:50]]
    parts.append(tag("ul", *notes) if notes else Html(""))
    return tag("div", *parts, class_=f"word {row.state}")


def _tally(name: str, tally: Mapping[str, Any]) -> Html:
    total = sum(int(tally.get(key) or 0) for key in ("passed", "failed", "missing"))
    if not total:
        return Html("")
    told = f"{tally.get('passed', 0)} of {total} {name}"
    missing = f", {tally['missing']} missing" if tally.get("missing") else ""
    whole = tally.get("passed") == total
    return joined([chip(told + missing, "solved" if whole else "unsolved"), " "])


def patch_section(found: Sight) -> Html:
    """The submission; of an attempt that faulted, if it came so far."""
    kept = blob(found.store, found.last, "patch")
    if kept is None:
        return _section("Patch", "none", tag("p", _no_patch(found), class_="why"), id_="diff")
    if isinstance(kept, str):
        return _section("Patch", "missing", tag("p", text(kept), class_="why"), id_="diff")
    raw = _blob_url(found, "patch")
    return _section("Patch", size(kept), patch(kept, raw), id_="diff")


def _no_patch(found: Sight) -> str:
    if found.row.state == "owed":
        return "Nothing has been submitted yet."
    return "This record keeps no patch."


def tests_section(found: Sight) -> Html:
    """Expected tests and how they came out, then the logs."""
    told = tests(found.store, found.last)
    logs = _logs(found)
    if told is None and not logs:
        why = "Nothing about single tests was kept: only the verdict is known."
        if found.row.state in ("faulted", "owed"):
            why = "No test has been run on it."
        return _section("Tests", "none", tag("p", why, class_="why"), id_="tests")
    parts: list[Html] = []
    if told is not None:
        parts += _lists(told)
    return _section("Tests", _in_short(told), *parts, *logs, id_="tests")


def _in_short(told: Tests | None) -> str:
    if told is None:
        return "logs only"
    wrong = sum(s != "passed" for name, rows in told.lists.items() if name for _, s in rows)
    if told.named:
        return f"{wrong} of the expected did not pass" if wrong else "every expected one passed"
    return f"{sum(map(len, told.lists.values()))} reported"


def _lists(told: Tests) -> list[Html]:
    parts = []
    if told.trouble:
        parts.append(tag("p", text(told.trouble), class_="why"))
    if not told.named:
        said = "This run did not keep which test is of which list, so all are shown together."
        parts.append(tag("p", said, class_="fine"))
    for name, rows in told.lists.items():
        heading = LISTS[name] if told.named else "tests"
        wrong = [row for row in rows if row[1] != "passed"]
        right = [row for row in rows if row[1] == "passed"]
        parts.append(tag("h4", f"{heading}: {len(right)} of {len(rows)} passed"))
        parts += _named(wrong, folded_from=FEW)
        few = name == "fail_to_pass" and len(right) <= FEW_PASSED
        parts += _named(right, folded_from=FEW_PASSED if few else 0)
    return parts


def _named(rows: Sequence[tuple[str, str]], *, folded_from: int) -> list[Html]:
    if not rows:
        return []
    made = [
        tag("li", chip(status, status), " ", tag("code", text(name[:400]))) for name, status in rows
    ]
    shown, more = made[:folded_from], made[folded_from:2000]
    parts = [tag("ul", *shown, class_="tests")] if shown else []
    if more:
        left = len(rows) - len(shown) - len(more)
        said = f"{len(more) + left:,} {'more' if shown else rows[-1][1]}"
        tail = [tag("p", f"{left:,} are left out here", class_="fine")] if left else []
        inside = tag("ul", *more, class_="tests")
        parts.append(tag("details", tag("summary", said), inside, *tail))
    return parts


def _logs(found: Sight) -> list[Html]:
    """The end of each log, and where the whole of it is."""
    parts = []
    for name in a_map(found.last.get("blobs")):
        if not name.startswith("log."):
            continue
        kept = blob(found.store, found.last, name)
        if isinstance(kept, bytes):
            whole = link(f"all {len(kept):,} bytes", _blob_url(found, name))
            tail = decoded(kept[-20_000:])
            end = "\n".join(tail.rstrip("\n").split("\n")[-60:])
            body = folded(end, lines=60)
        else:
            whole, body = Html(""), tag("p", text(str(kept)), class_="why")
        head = tag("summary", "log ", tag("code", text(name.removeprefix("log."))), ", its end")
        parts.append(tag("details", head, tag("p", whole, class_="fine"), body))
    return parts


def marks_section(found: Sight, told: Found | None) -> Html:
    """Lines that the audit's rules point at; None where they are not known yet."""
    if not found.traces:
        return Html("")
    if found.is_going:
        return tag("p", "The audit reads this attempt when its try has ended.", class_="fine")
    if told is None:
        return tag("p", "The audit is reading this attempt; look again in a moment.", class_="fine")
    marked, unread = told
    if not marked and not unread:
        return tag("p", "Audit: no rule points at a line of this attempt.", class_="fine")
    rows = [tag("li", *_mark(found, mark)) for mark in marked]
    said = [tag("li", text(line), class_="fine") for line in unread]
    note = "A mark points at a line that is worth reading; it does not say why it was written."
    head = (
        f"{len(marked)} line{'s' * (len(marked) != 1)} worth a look" if marked else "read in part"
    )
    return _section(
        "Audit", head, tag("p", note, class_="fine"), tag("ul", *rows, *said), id_="audit"
    )


def _mark(found: Sight, mark: Mark) -> list[Html | str]:
    times = f" \N{MULTIPLICATION SIGN}{mark.times}" if mark.times > 1 else ""
    query = f"?try={mark.number}&line={mark.event}#found"
    there = attempt_url(found.reading.name, found.attempt, query)
    why = _POINTS_AT.get(mark.rule, "")
    level = mark.severity.replace(" ", "-")
    return [
        chip(mark.severity, level),
        " ",
        tag("b", mark.rule, title=why),
        " ",
        link(tag("code", text(mark.line)), there),
        f" {mark.outcome}{times}",
    ]


def facts_section(found: Sight) -> Html:
    """The certificate of the agent's view of history, and all that the record says."""
    last = found.last
    if not last:
        return Html("")
    certificate = a_map(a_map(last.get("facts")).get("certificate"))
    parts = [_certificate(certificate)] if certificate else []
    records = [
        tag(
            "details",
            tag("summary", f"record of try {record.get('tried', 1)}: {record.get('kind')}"),
            folded(json.dumps(record, indent=1), lines=200),
        )
        for record in found.records
    ]
    clean = certificate.get("clean")
    told = "history certified" if clean else "history not certified" if certificate else "records"
    return _section("Evidence", told, *parts, *records, id_="evidence")


def _certificate(certificate: Mapping[str, Any]) -> Html:
    """Whether the agent could see what came after its base commit."""
    clean = certificate.get("clean") is True
    word = chip("clean", "solved") if clean else chip("not clean", "faulted")
    if not certificate.get("repository"):
        told = "There was no repository in the agent's box, and so no history to find."
    else:
        told = (
            f"{certificate.get('commits_visible')} commits visible, the newest of "
            f"{certificate.get('newest_commit_date')}; {certificate.get('objects')} objects, "
            f"{certificate.get('objects_beyond_base')} of them beyond the base commit."
        )
    lead = tag("p", "Certificate of the agent's view of history: ", word, " ", text(told))
    whole = folded(json.dumps(certificate, indent=1), lines=200)
    return joined([lead, tag("details", tag("summary", "all that it found"), whole)])


def _blob_url(found: Sight, name: str) -> str:
    digest = str(a_map(found.last.get("blobs")).get(name))
    return run_url(found.reading.name, f"/blob/{digest}") if digest.isalnum() else "#"


def _section(heading: str, short: str, *inside: Html, id_: str) -> Html:
    head = tag("h2", heading, " ", tag("small", short))
    return tag("section", head, *inside, id=id_)
