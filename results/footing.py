"""On what footing somebody else's agent was measured, by what the records of its attempts say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.types import Graded

_LONG = 60
_MOST = 6


@dataclass(frozen=True, slots=True)
class Footing:
    """What its records say of a program that asks its model through the door."""

    agent: str
    versions: tuple[str, ...]
    wires: tuple[str, ...]
    asked_for: Mapping[str, int]
    """The names by which it asked for its model, and how often; one model answered all."""
    calls_aside: int
    """Calls in which it offered no tools, though in others it did: titles, summaries."""
    settings: Mapping[str, tuple[str, ...]]
    """What its requests set of the model, as JSON, each value that was seen."""
    unequal: tuple[str, ...]
    """What it does that no setting makes equal, in the words of the records."""


def footing(grades: Sequence[Graded]) -> Footing | None:
    """None where the attempts were a scaffold's of ours."""
    facts = [grade.facts for grade in grades if grade.facts.get("agent")]
    if not facts:
        return None
    asked: Counter[str] = Counter()
    settings: dict[str, dict[str, None]] = {}
    for each in facts:
        asked.update(each.get("agent_models") or {})
        for key, values in (each.get("agent_settings") or {}).items():
            settings.setdefault(key, {}).update(dict.fromkeys(values))
    return Footing(
        agent=str(facts[0]["agent"]),
        versions=_distinct(str(each.get("agent_version") or "") for each in facts),
        wires=_distinct(str(each.get("agent_wire") or "") for each in facts),
        asked_for=dict(asked.most_common()),
        calls_aside=sum(int(each.get("agent_calls_aside") or 0) for each in facts),
        settings={key: tuple(values) for key, values in sorted(settings.items())},
        unequal=_distinct(said for each in facts for said in each.get("agent_unequal") or ()),
    )


def in_words(names: Sequence[str], found: Footing) -> str:
    """One sentence; `names` are the conditions that it is about."""
    version = " or ".join(found.versions)
    over = f" over the {' and '.join(found.wires)} wire" if found.wires else ""
    what = " ".join(word for word in (found.agent, version) if word)
    said = "; ".join(f"it {one}" for one in [*found.unequal, *_observed(found)])
    return (
        f"{', '.join(names)}: {what}{over} has the limits, the meter and the grading of any "
        f"scaffold here; what cannot be made equal, or was not: {said}"
    )


def among(named: Iterable[tuple[str, Footing | None]]) -> Iterator[str]:
    """A sentence for each footing that is had, with all the conditions that have it."""
    found: dict[str, tuple[list[str], Footing]] = {}
    for name, one in named:
        if one is not None:
            found.setdefault(repr(one), ([], one))[0].append(name)
    for names, one in found.values():
        yield in_words(names, one)


def _observed(found: Footing) -> Iterator[str]:
    if found.asked_for:
        yield f"called its model {_listed([f'{n} ({c:,})' for n, c in found.asked_for.items()])}"
    if found.calls_aside:
        calls = sum(found.asked_for.values())
        yield f"made {found.calls_aside:,} of {calls:,} calls without tools, beside its work"
    if found.settings:
        told = [f"{key} = {_values(values)}" for key, values in found.settings.items()]
        yield f"set of the model: {_listed(told)}"


def _values(values: Sequence[str]) -> str:
    return " or ".join(v if len(v) <= _LONG else f"{v[: _LONG - 3]}..." for v in values)


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return ", ".join(words[:_MOST]) + more


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word))
