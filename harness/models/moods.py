"""Refusals that come however little is asked, as where an endpoint hands on those of another.

After a refusal less is asked. If that is no limit of ours, as many of a hundred are refused again,
and those come in calm: while no more is asked than was served before. After some of them it is put
to the test: what was taken back is asked again, and nothing is made of a refusal unless there are
far more of them than in the calm. A limit fails the test within some calls.
"""

from __future__ import annotations

from dataclasses import dataclass

_ENOUGH, _MOST = 3, 96
"""Refusals in calm before the test; twice as many after each that a limit has failed."""
_DOUBT = 0.2
"""What a refusal that was not in calm takes from these."""
_SHARE = 0.45
"""Of the calls, what may have been refused by then: of more, nobody could tell anything."""
_SLACK = 5
"""Refusals that chance may add to what is to be expected."""
_EXCESSES = 6
"""So often in a row a limit may be met besides, before the moods are taken to have changed."""
_MEMORY = 400
"""Calls that are remembered, half of them dimly."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How much is asked of an endpoint: calls in a second that went well, and calls at a time."""

    top: float
    width: float
    ceiling: float


@dataclass(slots=True)
class Moods:
    """What of one key's refusals is its endpoint's mood."""

    expected: float | None = None
    """Of the calls, what is refused by mood; None while every refusal is taken for a limit's."""
    _fallback: Asking | None = None
    """How to ask if the test fails; None once it has been passed."""
    _before: Asking | None = None
    """How it was asked before the refusal that those in calm followed."""
    _calm: float = 0.0
    _needed: int = _ENOUGH
    _excesses: int = 0
    """How often there were more than moods account for, and so less was asked."""
    _told: bool = False
    _begun: float = 0.0
    _busy: int = 0
    _refused: float = 0.0

    def begun(self, busy: int) -> None:
        """A call was let through, the last of so many that are under way. It counts at once: who is
        refused is so sooner than who is served."""
        self._begun += 1
        self._busy = busy
        if self._begun > _MEMORY:
            if self._fallback is not None and self.expected is not None:
                self.expected = max(self.expected, self._refused / self._begun)
            self._fallback, self._excesses = None, 0
            self._begun, self._refused = self._begun / 2, self._refused / 2

    def refused(self) -> bool:
        """Whether one more is still a mood; if not, the test may have `failed`."""
        self._refused += 1
        if self.expected is None:
            return False
        if self._refused <= (1 - (1 - self.expected) ** 2) * self._begun + _SLACK:
            return True
        self._excesses += 1
        if self._fallback is not None:
            self._needed = min(2 * self._needed, _MOST)
        if self._fallback is not None or self._excesses > _EXCESSES:
            self.expected, self._excesses, self._told = None, 0, False
        self._forget()
        return False

    def failed(self) -> Asking | None:
        """How to ask, where the test has just failed."""
        fallback, self._fallback = self._fallback, None
        return fallback

    def news(self) -> float | None:
        """Of the calls, what is refused by mood: once, when the test has been passed."""
        if self.expected is None or self._fallback is not None or self._told:
            return None
        self._told = True
        return self.expected

    def suspect(self, *, calm: bool, before: Asking, after: Asking) -> Asking | None:
        """A refusal was taken for a limit's, and so it was asked less. Now is the test if this
        returns something: it is to be asked so again."""
        self._calm = self._calm + 1 if calm else max(0.0, self._calm - _DOUBT)
        if self._before is None or not self._calm:
            self._forget()
            self._before = before
        share = self._refused / self._begun
        if self._calm < self._needed or share > _SHARE:
            return None
        was = self._before
        self._forget()
        self.expected, self._fallback = share, after
        return was

    def _forget(self) -> None:
        self._before, self._calm, self._begun, self._refused = None, 0.0, float(self._busy), 0.0
