"""Transport retries. The only module that knows tenacity."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from harness.errors import Fault
from harness.models.trouble import Crowd
from harness.queueing import waited, waiting

T = TypeVar("T")
_CROWDED = 10
"""Being turned away for want of room counts for so much less than being ill."""


class Transient(Exception):
    """The same request may succeed later: a rate limit, a 5xx, a dropped connection.

    Where the endpoint is `crowded`, it is not this request's matter alone: a pool hears of it, and
    sees to the wait where that is for what we ask.
    """

    def __init__(
        self, message: str, retry_after: float | None = None, *, crowded: Crowd = ""
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.crowded = crowded


@dataclass(frozen=True, slots=True)
class Patience:
    """Ask again while the trouble is transient; then the fault is the model's."""

    attempts: int = 8
    patience: float = 900.0
    """Seconds that the tries may take, what is waited for a seat and between them not counted."""
    first: float = 1.0
    most: float = 60.0

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        stop = self._stop()
        try:
            return await call()
        except Transient as error:
            troubles = [error]
        policy = AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            stop=stop,
            wait=self._wait,
            sleep=_rest,
            reraise=True,
        )

        async def once() -> T:
            if troubles:  # the call that has been made: without trouble, no policy was needed
                raise troubles.pop()
            return await call()

        try:
            return await policy(once)
        except Transient as error:
            raise Fault("model", f"{error} (asked {self.attempts} times at the most)") from error

    def _stop(self) -> Callable[[RetryCallState], bool]:
        started, before, used = time.monotonic(), waited(), 0.0

        def stop(state: RetryCallState) -> bool:
            nonlocal used
            used += 1 / _CROWDED if _trouble(state).crowded else 1
            took = time.monotonic() - started - (waited() - before)
            return used >= self.attempts or took > self.patience

        return stop

    def _wait(self, state: RetryCallState) -> float:
        """As long as the endpoint asks for, and never less than a growing, random pause."""
        trouble = _trouble(state)
        if trouble.crowded == "rate":
            return 0.0
        grown = wait_random_exponential(multiplier=self.first, max=self.most)(state)
        return min(max(trouble.retry_after or 0.0, grown), self.patience)


def _trouble(state: RetryCallState) -> Transient:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, Transient), "nothing else is tried again"
    return error


async def _rest(seconds: float) -> None:
    """A pause between two tries is waited for the endpoint, and no time of the attempt's."""
    with waiting():
        await asyncio.sleep(seconds)
