"""Numbers and names as the page spells them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from harness.types import Condition, Part
from results.report.layout import duration, money
from results.stats.equivalence import Word
from results.stats.estimate import Estimate

MINUS, NONE = "\N{MINUS SIGN}", "\N{EN DASH}"
"""Of a negative number, and in place of one that is not known."""


def points(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.1f}"


def signed(share: float | None) -> str:
    """A difference in points; zero has no sign."""
    if share is None:
        return NONE
    found = f"{100 * share:+.1f}".replace("-", MINUS)
    return "0.0" if found in ("+0.0", f"{MINUS}0.0") else found


def whole(share: float) -> str:
    """A tick of an axis in points."""
    value = round(100 * share, 6)
    return f"{value:g}".replace("-", MINUS)


def ends(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return NONE
    return f"{points(found.low)} to {points(found.high)}"


def signed_ends(low: float | None, high: float | None) -> str:
    return NONE if low is None or high is None else f"{signed(low)} to {signed(high)}"


def usd(amount: float | None) -> str:
    if amount is None:
        return NONE
    return f"{MINUS}{money(-amount)}" if amount < 0 else money(amount)


def dollars(found: Estimate) -> str:
    return _with_ends(found, usd)


def seconds(found: Estimate) -> str:
    return _with_ends(found, duration)


def _with_ends(found: Estimate, say: Callable[[float | None], str]) -> str:
    if found.value is None:
        return f"at least {say(found.low)}" if found.low is not None else NONE
    if found.low is None:
        return say(found.value)
    if found.high is None:
        return f"{say(found.value)}, at least {say(found.low)}"
    return f"{say(found.value)}, {say(found.low)} to {say(found.high)}"


def p_value(p: float | None) -> str:
    if p is None:
        return NONE
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}".replace("e-0", "e-").replace("-", MINUS)


def worded(word: Word | None, margin: float) -> str:
    """Words, not stars: none of them says that two systems are the same."""
    if word is None:
        return "not tested"
    return f"equivalent within {100 * margin:g}" if word == "equivalent" else word


def mirrored(word: Word | None) -> Word | None:
    """What may be said of the second system."""
    if word == "better":
        return "worse"
    return "better" if word == "worse" else word


def short(conditions: Sequence[Condition]) -> list[str]:
    """Names for pictures: what tells these conditions apart, and no price."""
    models = [c.model.name for c in conditions]
    if len(models) > 1 and len(set(models)) == len(models) and _alike(conditions):
        return models
    plain = [f"{c.model.name} + {c.scaffold.name}" for c in conditions]
    if len(set(plain)) == len(plain):
        return plain
    named = [f"{_bare(c.model)} + {_bare(c.scaffold)}" for c in conditions]
    twice = Counter(named)
    return [
        name if twice[name] == 1 else f"{name}, {c.sandbox} [{c.digest[:6]}]"
        for name, c in zip(named, conditions, strict=True)
    ]


def _alike(conditions: Sequence[Condition]) -> bool:
    """Whether one scaffold made them all, so that its name tells nothing apart."""
    return len({c.scaffold.name for c in conditions}) == 1


def _bare(part: Part) -> str:
    kept = {k: v for k, v in part.knobs.items() if not k.startswith("price")}
    return str(Part(part.name, kept))
