"""What may follow a model's name: some of it goes to the endpoint, the rest stays here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import UsageError, unknown
from harness.models.prices import Prices, flat
from harness.models.reasoning import POLICIES
from harness.models.wires.reading import Wire
from harness.models.wires.table import WIRES

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "wire": tuple(WIRES),
    "cache": ("off", "5m", "1h"),
    "auth": ("auto", "bearer", "x-api-key"),
    "reasoning": POLICIES,
    "text_calls": ("auto", "off"),
}


@dataclass(frozen=True, slots=True)
class Knobs:
    """The knobs of a model at an endpoint. Those of the first block are sent, if the wire can."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    reasoning_effort: str | None = None
    thinking_tokens: int | None = None
    cache: str = "5m"
    stream: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the body that no other knob has, as they are."""

    wire: str = "chat"
    auth: str = "auto"
    reasoning: str = "keep"
    text_calls: str = "auto"
    timeout: float = 900.0
    idle: float = 300.0
    """For so many seconds a stream may be silent; a comment to keep it alive is a word too."""
    attempts: int = 8
    first_pause: float = 1.0
    price_in: float | None = None
    price_out: float | None = None
    price_cached: float | None = None
    price_cache_write: float | None = None

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if (value := getattr(self, name)) not in known:
                raise unknown(f"value of {name}:", str(value), known)
        if not isinstance(self.extra, Mapping):
            raise UsageError(
                "extra is a table of fields of the request, in an experiment file: "
                "extra = {top_k = 20}"
            )

    @property
    def protocol(self) -> Wire:
        return WIRES[self.wire]

    def settings(self, model: str) -> dict[str, Any]:
        """What each body begins with."""
        asked = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {"model": model, **self.protocol.settings(asked), **self.extra}

    def prices(self) -> Prices | None:
        """What was given, None where nothing was; UsageError for half a price."""
        named = (self.price_in, self.price_out, self.price_cached, self.price_cache_write)
        if any(usd is not None for usd in named) and None in named[:2]:
            raise UsageError("price_in=.. and price_out=.. go together; give both, or neither")
        return flat(self.price_in, self.price_out, self.price_cached, self.price_cache_write)
