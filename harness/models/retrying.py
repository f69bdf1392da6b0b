"""Transport retries. The only module that knows tenacity."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from harness.api import Model
from harness.errors import Fault
from harness.types import Reply, Request

T = TypeVar("T")


class Transient(Exception):
    """The same request may succeed later: a rate limit, a 5xx, a dropped connection."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Patience:
    """Ask again while the trouble is transient; then the fault is the model's."""

    attempts: int = 8
    patience: float = 900.0
    first: float = 1.0
    most: float = 60.0

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        policy = AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            stop=stop_after_attempt(self.attempts) | stop_after_delay(self.patience),
            wait=self._wait,
            reraise=True,
        )

        async def once() -> T:
            return await call()

        try:
            return await policy(once)
        except Transient as error:
            raise Fault("model", f"{error} (asked {self.attempts} times at the most)") from error

    def _wait(self, state: RetryCallState) -> float:
        """As long as the endpoint asks for, and never less than a growing, random pause."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, Transient) else None
        grown = wait_random_exponential(multiplier=self.first, max=self.most)(state)
        return min(max(asked or 0.0, grown), self.patience)


@dataclass(frozen=True, slots=True)
class Retrying:
    """A model that is asked again with patience."""

    inner: Model
    patience: Patience

    async def complete(self, request: Request, /) -> Reply:
        return await self.patience.ask(lambda: self.inner.complete(request))
