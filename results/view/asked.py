"""What an address asks for: filters, order and place, all of them in the query string."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from urllib.parse import urlencode

OUTCOMES = {
    "": "any outcome",
    "solved": "solved",
    "unsolved": "not solved",
    "faulted": "faulted",
    "owed": "owed",
    "mixed": "judged both ways",
    "differs": "conditions differ",
}
"""The last two are of tasks, the others of attempts."""
ORDERS = {
    "": "as declared",
    "hard": "least solved first",
    "easy": "most solved first",
    "usd": "dearest first",
    "seconds": "slowest first",
    "calls": "most calls first",
    "recent": "latest first",
}
MOST_TEXT = 400


@dataclass(frozen=True, slots=True)
class Asked:
    """Filters of a run's page. Unknown values ask for nothing."""

    q: str = ""
    """Part of a task's id, a repository, a reason, an ending or a fault's message."""
    o: str = ""
    """An outcome of OUTCOMES."""
    c: str = ""
    """A condition's digest."""
    why: str = ""
    """A grader's reason, or a culprit."""
    ending: str = ""
    task: str = ""
    """Exactly this one."""
    view: str = ""
    """`list`: a line for each attempt. Else a grid."""
    sort: str = ""
    page: int = 1

    def but(self, **changed: object) -> Asked:
        """The same with some of it changed, from the first page."""
        return replace(self, **({"page": 1} | changed))  # type: ignore[arg-type]

    @property
    def query(self) -> str:
        """As it stands in an address, with its question mark; empty where nothing is asked."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        given = {k: v for k, v in told.items() if v not in ("", 1)}
        return f"?{urlencode(given, errors='surrogatepass')}" if given else "?"


def asked(query: Mapping[str, str]) -> Asked:
    """A query string as filters."""
    texts = {
        field.name: query.get(field.name, "")[:MOST_TEXT]
        for field in fields(Asked)
        if field.name != "page"
    }
    known = {"o": OUTCOMES.keys(), "sort": ORDERS.keys(), "view": {"", "list"}}
    for name, values in known.items():
        texts[name] = texts[name] if texts[name] in values else ""
    return Asked(**texts, page=number(query.get("page", ""), 1))


def number(text: str, default: int, *, most: int = 10**9) -> int:
    """A count from an address: at least 1, and the default where there is none."""
    return max(1, min(int(text), most)) if text.isascii() and text.isdecimal() else default
