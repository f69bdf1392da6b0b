"""Every failure has one owner.

UsageError      the person at the keyboard     exit 2, one line, no traceback
Fault           one attempt, one culprit       becomes a Faulted record; the run goes on
LimitReached    the attempt's budget           becomes an Ending
Parked          the run's budget               the attempt stays owed; it continues by replay
anything else   us                             crashes the run; fix the bug, resume
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC

from harness.types import Culprit, Ending

DISK_FULL = (ENOSPC, EDQUOT)


class UsageError(Exception):
    """The request makes no sense as given; the message says what would."""


class LimitReached(Exception):
    """The budget, the window or the model's patience is at its end; the work so far counts."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.value)
        self.ending = ending


class Parked(Exception):
    """The run has nothing left to spend. What is under way is neither a result nor a fault."""


class Fault(Exception):
    """One attempt could not be measured, and this is whose doing it was."""

    def __init__(self, culprit: Culprit, message: str) -> None:
        super().__init__(f"{culprit}: {message}")
        self.culprit = culprit
        self.message = message


@contextmanager
def blame(culprit: Culprit) -> Iterator[None]:
    """Attribute whatever escapes to `culprit`, unless someone nearer already has.

    A full disk of ours is nobody's here: it would fail every attempt alike, so it stops the run.
    """
    try:
        yield
    except (Fault, LimitReached, Parked, UsageError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise
        raise Fault(culprit, f"{type(error).__name__}: {error}") from error


def unknown(kind: str, name: str, known: Iterable[str], more: str = "") -> UsageError:
    """The error for a name that is not in a table: it says which names are, nearest first."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return UsageError(f"no {kind} {name!r}; {hint}choose {', '.join(names)}{more}")
