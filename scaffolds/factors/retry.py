"""Factor 2, the retry policy: what becomes of a reply that cannot be acted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.types import Message
from scaffolds.factors.choice import Option
from scaffolds.factors.turns import Slip


class RetryPolicy(Protocol):
    def after(self, slip: Slip, streak: int) -> Sequence[Message] | None:
        """What joins the transcript after `streak` slips in a row; None to give up."""
        ...


@dataclass(frozen=True, slots=True)
class Never:
    """The first slip is the last."""

    def after(self, slip: Slip, streak: int) -> Sequence[Message] | None:
        return None


@dataclass(frozen=True, slots=True)
class Resample:
    """Ask again as if nothing had happened. Of no use at temperature 0."""

    most: int = 3

    def __post_init__(self) -> None:
        _at_least_one(self.most)

    def after(self, slip: Slip, streak: int) -> Sequence[Message] | None:
        return () if streak <= self.most else None


@dataclass(frozen=True, slots=True)
class Explain:
    """Keep the reply in view and say what was wrong with it."""

    most: int = 3

    def __post_init__(self) -> None:
        _at_least_one(self.most)

    def after(self, slip: Slip, streak: int) -> Sequence[Message] | None:
        return slip.exchange if streak <= self.most else None


def _at_least_one(most: int) -> None:
    if most < 1:
        raise ValueError(f"{most} is no number of retries; for no retries there is retry=none")


RETRIES: Mapping[str, Option[RetryPolicy]] = {
    "none": Option(Never, "none"),
    "resample": Option(Resample, "resample:3", (int,)),
    "explain": Option(Explain, "explain:3", (int,)),
}
