"""What a call costs: prices that were given, else a table's, else unknown. [genai-prices]

The table is read as installed and never fetched. It prices a model only where the address is that
of the provider and the id is one that the table spells out: an open model on a server of one's own
may bear the name of a hosted one, and has not its price.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import urlsplit

import genai_prices
from genai_prices import data_snapshot
from genai_prices.types import ClauseEquals, ClauseOr, MatchLogic, ModelInfo, Provider

from harness.types import Usage

KNOBS = "knobs"
NONE = "none"
_RENTED = {"azure", "databricks", "modal"}
"""Addresses under which customers name their own deployments: there an id proves nothing."""
_LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".lan")


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens."""

    fresh: float
    output: float
    cache_read: float
    cache_write: float

    def of(self, usage: Usage) -> float:
        return (
            usage.fresh * self.fresh
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write * self.cache_write
        ) / 1e6


def flat(
    fresh: float | None, output: float | None, cached: float | None, written: float | None
) -> Prices | None:
    """Prices as a person gives them: of the cache, what is left out costs what a fresh token does.

    None without both a price in and a price out.
    """
    if fresh is None or output is None:
        return None
    return Prices(
        fresh, output, fresh if cached is None else cached, fresh if written is None else written
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of a provider as the table has it. Prices change with the day and the prompt."""

    provider: Provider
    model: ModelInfo

    def of(self, usage: Usage, at: datetime) -> float:
        """The standard price of one call, cliffs by the size of its prompt included."""
        told = genai_prices.Usage(
            input_tokens=usage.prompt,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
            output_tokens=usage.output,
            output_reasoning_tokens=usage.reasoning,
        )
        price = self.model.calc_price(told, self.provider, genai_request_timestamp=at)
        return float(price.total_price)

    def source(self, at: datetime) -> str:
        """What a record says: the table has no date but its version's, so that and the day."""
        what = f"{self.provider.id}/{self.model.id}"
        return f"genai-prices {genai_prices.__version__}, {what}, {at.date().isoformat()}"


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a model costs at an endpoint: as `given`, or as listed for the one or the other name."""

    base_url: str
    asked: str
    given: Prices | None = None

    @property
    def known(self) -> bool:
        """Whether there is a price before anything has been asked, so that a limit can hold."""
        return self.given is not None or listed(self.base_url, self.asked) is not None

    def priced(self, usage: Usage, served: str = "") -> tuple[float | None, str]:
        """The dollars of one call and where its price is from; None where nobody says."""
        if self.given is not None:
            return (self.given.of(usage) if usage.tokens else None), KNOBS
        found = listed(self.base_url, self.asked) or listed(self.base_url, served)
        if found is None:
            return None, NONE
        now = datetime.now(UTC)
        return (found.of(usage, now) if usage.tokens else None), found.source(now)


_BYTES_A_TOKEN = 3
"""Fewer than there are, so that an estimate of a request is no less than the truth."""
_LIKELY_OUTPUT = 8192
"""Of a reply whose length nobody bounds: few have more."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a call may come to, told before it is made."""

    tariff: Tariff
    max_output: int | None = None
    """What each request says of itself, in tokens, where it does."""

    def worst(self, request_bytes: int, max_output: int | None = None) -> Usage:
        output = max_output or self.max_output or _LIKELY_OUTPUT
        usage = Usage(1, request_bytes // _BYTES_A_TOKEN, output=output)
        return replace(usage, usd=self.tariff.priced(usage)[0])


@lru_cache(maxsize=256)
def listed(base_url: str, model: str) -> Listed | None:
    """The one entry of the table for this id at this address; None where none or several fit."""
    if not model or is_local(base_url):
        return None
    sellers = [
        provider
        for provider in data_snapshot.get_snapshot().providers
        if provider.id not in _RENTED and _at(provider, base_url)
    ]
    entries = [Listed(seller, entry) for seller in sellers for entry in seller.models]
    named = [e for e in entries if e.model.id.lower() == model.lower()]
    found = named or [e for e in entries if model.lower() in _spelt(e.model.match)]
    return found[0] if len(found) == 1 and _by_token(found[0].model) else None


def is_local(base_url: str) -> bool:
    """Whether an address is of this machine or of a private network, or no address at all."""
    host = (urlsplit(base_url).hostname or "").lower().rstrip(".")
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_LOCAL_NAMES)


def _at(provider: Provider, base_url: str) -> bool:
    """Whether the address is the provider's, whose pattern may end in the midst of a host name."""
    found = re.match(provider.api_pattern, base_url)
    if found is None:
        return False
    rest = base_url[found.end() :]
    return found.group().endswith((".", "/")) or rest[:1] in ("", "/", ":")


def _spelt(match: MatchLogic) -> Iterator[str]:
    """The ids that a rule spells out. Beginnings, parts and patterns would be guesses."""
    match match:
        case ClauseEquals():
            yield match.equals.lower()
        case ClauseOr():
            for clause in match.or_:
                yield from _spelt(clause)
        case _:
            return


def _by_token(model: ModelInfo) -> bool:
    """Whether text in and text out both have a price; of images and hours we know nothing."""
    price = model.get_prices(datetime.now(UTC))
    return price.input_mtok is not None and price.output_mtok is not None
