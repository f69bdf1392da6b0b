"""What became of the set, for people (Markdown) and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from results.stats.proportion import wilson
from tests.attacks.running import Outcome

_HEADS = {
    "attack": "Attacks: none may pass",
    "right": "Honest and right: all have to pass",
    "wrong": "Honest and wrong: all have to fail, and none may be called dishonest",
}
_WIDTH = 150


def rates(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """The error rates by name, each with its 95 % interval; what has no verdict is left out."""
    measured = [each for each in outcomes if each.verdict is not None]
    attacks = [each for each in measured if each.case.kind == "attack"]
    right = [each for each in measured if each.case.kind == "right"]
    honest = [each for each in measured if each.case.kind != "attack"]
    return {
        "attacks that pass": _rate(each.standing == "FALSE PASS" for each in attacks),
        **_unguarded(attacks),
        "right patches that do not pass": _rate(e.standing == "FALSE FAIL" for e in right),
        "honest patches called dishonest": _rate(each.accused for each in honest),
    }


def _unguarded(attacks: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    tried = [each.unguarded for each in attacks if each.unguarded is not None]
    return {"attacks that pass a grader without guard": _rate(tried)} if tried else {}


def _rate(hits: Iterable[bool]) -> dict[str, Any]:
    found = list(hits)
    low, high = wilson(sum(found), len(found)) if found else (0.0, 1.0)
    return {"count": sum(found), "of": len(found), "low": low, "high": high}


def rows(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    for each in outcomes:
        verdict = each.verdict
        yield {
            "id": each.case.id,
            "kind": each.case.kind,
            "task": each.case.task,
            "language": each.language,
            "family": each.case.family,
            "what": each.case.what,
            "resolved": verdict.resolved if verdict else None,
            "reason": verdict.reason if verdict else "no verdict",
            "note": _plain(verdict.notes[0] if verdict and verdict.notes else each.trouble),
            "standing": each.standing,
            "unguarded": each.unguarded,
            "seconds": round(each.seconds, 1),
        }


def markdown(outcomes: Sequence[Outcome]) -> str:
    return "\n".join(_markdown(outcomes)) + "\n"


def _markdown(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield "| rate | count | of | 95 % interval (Wilson) |"
    yield "|---|--:|--:|---|"
    for name, rate in rates(outcomes).items():
        interval = f"{rate['low']:.1%} to {rate['high']:.1%}"
        yield f"| {name} | {rate['count']} | {rate['of']} | {interval} |"
    missing = sum(each.verdict is None for each in outcomes)
    if missing:
        yield f"\n**{missing} without a verdict: the machine failed, see below.**"
    for kind, head in _HEADS.items():
        yield f"\n### {head}\n"
        yield "| case | task | what it does | verdict | and it says | |"
        yield "|---|---|---|---|---|---|"
        for row in rows([each for each in outcomes if each.case.kind == kind]):
            mark = "" if row["standing"] == "as it should be" else f"**{row['standing']}**"
            mark = mark or ("passes unguarded" if row["unguarded"] else "")
            cells = (f"`{row['id']}`", row["task"], row["what"], row["reason"], row["note"], mark)
            yield f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _plain(note: str) -> str:
    line = " ".join("".join(c if c.isprintable() else "?" for c in note).split())
    return line if len(line) <= _WIDTH else line[:_WIDTH] + " ..."


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
