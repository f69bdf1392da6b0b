"""Scaffold factors crossed: every combination of their levels, or the half that still tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Literal, TypeAlias

from harness.errors import UsageError
from harness.types import Part

Design: TypeAlias = Literal["full", "half"]
Factors: TypeAlias = Mapping[str, Sequence[Any]]
"""The levels of each knob that is varied, the one to compare with first."""


def crossed(scaffolds: Sequence[Part], factors: Factors, design: Design) -> tuple[Part, ...]:
    """Every scaffold at every combination of levels that the design holds."""
    chosen = list(levels(factors, design))
    return tuple(Part(s.name, {**s.knobs, **knobs}) for s in scaffolds for knobs in chosen)


def levels(factors: Factors, design: Design) -> Iterator[dict[str, Any]]:
    """The combinations of a design. Half of them: 2^(k-1), those with an even number of second
    levels, so that the first levels are there together; each effect is as well balanced as in all.
    """
    for at in product(*(range(len(values)) for values in factors.values())):
        if design == "full" or sum(at) % 2 == 0:
            yield {name: factors[name][i] for name, i in zip(factors, at, strict=True)}


def check(scaffolds: Sequence[Part], factors: Factors, design: Design) -> None:
    """UsageError for factors that make no design."""
    for name, values in factors.items():
        if len(values) < 2 or len(set(map(repr, values))) < len(values):
            raise UsageError(f"factor {name} needs two levels or more, each once, not {values!r}")
        for scaffold in scaffolds:
            if name in scaffold.knobs:
                raise UsageError(
                    f"factor {name} is also set in scaffold {str(scaffold)!r}; leave it out there"
                )
    if design == "half" and (len(factors) < 3 or any(len(v) != 2 for v in factors.values())):
        raise UsageError(
            "half a design takes three factors or more, of two levels each; "
            'use design = "full", or leave a level out'
        )


def explained(factors: Factors, design: Design) -> list[str]:
    """What the design can tell of its factors, in sentences; none without factors."""
    if not factors:
        return []
    sizes = " x ".join(str(len(values)) for values in factors.values())
    if design == "full":
        return [f"factors {_named(factors)}: all {sizes} combinations, every effect on its own"]
    k = len(factors)
    said = [f"factors {_named(factors)}: half of {sizes} combinations, resolution {_roman(k)}"]
    return [*said, *_aliases(list(factors))]


def _aliases(names: Sequence[str]) -> Iterator[str]:
    """What an effect cannot be told from: the interaction of all factors that are not in it."""
    k = len(names)
    if k == 3:
        for name in names:
            rest = " x ".join(other for other in names if other != name)
            yield f"the effect of {name} cannot be told from the interaction {rest}"
        return
    yield f"effects of single factors are free of interactions of up to {k - 2} factors"
    if k > 4:
        yield f"interactions of two are free of interactions of up to {k - 3} factors"
        return
    for second in names[1:]:
        one = (names[0], second)
        other = [name for name in names if name not in one]
        yield f"{' x '.join(one)} cannot be told from {' x '.join(other)}"


def _named(factors: Factors) -> str:
    return ", ".join(factors)


def _roman(number: int) -> str:
    return {3: "III", 4: "IV", 5: "V", 6: "VI", 7: "VII", 8: "VIII"}.get(number, str(number))
