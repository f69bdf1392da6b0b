"""A factor's value as a person writes it: `name` or `name:argument:argument`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from harness.errors import UsageError, unknown

T_co = TypeVar("T_co", covariant=True)

Written: TypeAlias = str | int | float
"""Command lines give text, experiment files may give numbers."""

_NOUNS: Mapping[Callable[[str], Any], str] = {int: "a whole number", float: "a number"}


@dataclass(frozen=True, slots=True)
class Option(Generic[T_co]):
    """One value of a factor: what makes it, how its arguments are read, and one right spelling."""

    make: Callable[..., T_co]
    example: str
    reads: tuple[Callable[[str], Any], ...] = ()


def choose(factor: str, written: Written, options: Mapping[str, Option[T_co]]) -> T_co:
    """The value that was written; a UsageError that shows a right one where it makes no sense."""
    name, *arguments = str(written).split(":")
    if name not in options:
        raise unknown(f"value of {factor}:", name, options)
    option = options[name]
    where = f"{factor}={written}"
    if len(arguments) > len(option.reads):
        most = len(option.reads)
        raise UsageError(f"{where}: {name} takes at most {most} arguments, as in {option.example}")
    values = []
    for argument, read in zip(arguments, option.reads, strict=False):
        try:
            values.append(read(argument))
        except ValueError:
            noun = _NOUNS.get(read, "understood")
            message = f"{where}: {argument!r} is not {noun}; write it as in {option.example}"
            raise UsageError(message) from None
    try:
        return option.make(*values)
    except ValueError as error:
        raise UsageError(f"{where}: {error}; write it as in {option.example}") from None
