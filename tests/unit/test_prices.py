from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from genai_prices import __version__, data_snapshot
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    ClauseStartsWith,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
)

from harness.errors import UsageError
from harness.experiment import Experiment, check_money
from harness.models.prices import Listed, Prices, Tariff, flat, is_local, listed
from harness.types import Limits, Part, Usage
from harness.verbs.offers import Hire, Offer, offer

HOSTED = "https://api.hosted.example/v1"
CALL = Usage(1, fresh=600_000, cache_read=400_000, output=100_000, reasoning=50_000, usd=None)


def dollars(**kinds: str) -> ModelPrice:
    return ModelPrice(**{f"{kind}_mtok": Decimal(usd) for kind, usd in kinds.items()})


def entry(id_: str, prices: ModelPrice | list[ConditionalPrice]) -> ModelInfo:
    spelt = [ClauseEquals(f"{id_}-latest"), ClauseStartsWith(id_)]
    return ModelInfo(id=id_, match=ClauseOr(or_=spelt), prices=prices)


TIERED = ModelPrice(
    input_mtok=TieredPrices(Decimal(1), [Tier(200_000, Decimal(2))]), output_mtok=Decimal(10)
)
CHANGING = [
    ConditionalPrice(prices=dollars(input="1", output="1")),
    ConditionalPrice(StartDateConstraint(date(2020, 2, 1)), prices=dollars(input="3", output="1")),
]
MODELS = [
    entry("big", dollars(input="2", output="10", cache_read="0.5")),
    entry("bare", dollars(input="2", output="10")),
    entry("tiered", TIERED),
    entry("changing", CHANGING),
    entry("vectors", dollars(input="1")),
]


@pytest.fixture
def table() -> Iterator[None]:
    """A table of our own: the real one changes with every version of its package."""
    hosted = Provider(
        id="hosted", name="Hosted", api_pattern=r"https://api\.hosted\.example", models=MODELS
    )
    data_snapshot.set_custom_snapshot(data_snapshot.DataSnapshot([hosted], from_auto_update=False))
    listed.cache_clear()
    yield
    data_snapshot.set_custom_snapshot(None)
    listed.cache_clear()


def entry_of(model: str) -> Listed:
    found = listed(HOSTED, model)
    assert found
    return found


@pytest.mark.usefixtures("table")
def test_a_listed_model_at_its_providers_address_has_its_price_and_says_where_from() -> None:
    usd, source = Tariff(HOSTED, "big").priced(CALL)
    assert usd == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.1 * 10)
    assert source == f"genai-prices {__version__}, hosted/big, {datetime.now(UTC).date()}"


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/v1",
        "http://localhost:8000/v1",
        "http://[::1]:8000/v1",
        "http://10.1.2.3/v1",
        "http://192.168.0.7:1234/v1",
        "http://gpu-box/v1",
        "https://models.internal/v1",
        "https://vllm.example.org/v1",
        "https://api.hosted.example.org/v1",
        "",
    ],
)
def test_a_model_that_somebody_serves_is_not_priced_as_its_namesake(url: str) -> None:
    tariff = Tariff(url, "big")
    assert not tariff.known
    assert tariff.priced(CALL, "big") == (None, "none")


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("model", ["big-2", "big-latest-2", "bi", "my-big", "", "vectors"])
def test_an_id_that_the_table_does_not_spell_out_has_no_price(model: str) -> None:
    assert Tariff(HOSTED, model).priced(CALL) == (None, "none")


@pytest.mark.usefixtures("table")
def test_an_alias_that_the_table_spells_out_is_the_model() -> None:
    assert entry_of("big-latest").model.id == "big"


@pytest.mark.usefixtures("table")
def test_a_model_is_priced_as_served_where_the_asked_name_is_unknown() -> None:
    tariff = Tariff(HOSTED, "router/auto")
    assert not tariff.known, "a limit in dollars cannot wait for the first reply"
    assert tariff.priced(CALL, "big")[0] == Tariff(HOSTED, "big").priced(CALL)[0]


@pytest.mark.usefixtures("table")
def test_given_prices_win_over_the_table() -> None:
    assert Tariff(HOSTED, "big", Prices(1, 1, 1, 1)).priced(CALL) == (pytest.approx(1.1), "knobs")


@pytest.mark.usefixtures("table")
def test_a_call_that_counts_no_tokens_has_no_price_and_is_no_zero() -> None:
    for tariff in (Tariff(HOSTED, "big"), Tariff(HOSTED, "x", Prices(1, 1, 1, 1))):
        assert tariff.priced(Usage(1, usd=None))[0] is None


@pytest.mark.usefixtures("table")
def test_cached_tokens_without_a_price_cost_what_fresh_ones_do() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert entry_of("bare").of(CALL, at) == pytest.approx(1.0 * 2 + 0.1 * 10)
    given = flat(2, 10, None, None)
    assert given and given.of(CALL) == pytest.approx(1.0 * 2 + 0.1 * 10)


@pytest.mark.usefixtures("table")
def test_a_long_prompt_is_priced_by_its_own_call() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert entry_of("tiered").of(Usage(1, fresh=200_000), at) == pytest.approx(0.2)
    assert entry_of("tiered").of(Usage(1, fresh=300_000), at) == pytest.approx(0.6)


@pytest.mark.usefixtures("table")
def test_the_price_is_that_of_the_day() -> None:
    call = Usage(1, fresh=1_000_000)
    for year, usd in ((2019, 1.0), (2021, 3.0)):
        assert entry_of("changing").of(call, datetime(year, 1, 1, tzinfo=UTC)) == usd


def test_the_installed_table_prices_a_well_known_model() -> None:
    usd, source = Tariff("https://api.openai.com/v1", "gpt-4o").priced(CALL)
    assert usd and source.startswith(f"genai-prices {__version__}, openai/gpt-4o, ")


def test_addresses_of_this_machine_and_of_private_networks_are_local() -> None:
    assert not is_local("https://api.openai.com/v1")
    assert is_local("http://172.17.0.1:80") and is_local("http://[fd00::1]/v1")


SMALL = Experiment(Part("demo"), (Part("big"),), (Part("bash"),), limits=Limits(usd=1.0))


@pytest.mark.usefixtures("table")
def test_a_limit_in_dollars_takes_a_listed_price() -> None:
    check_money(SMALL, Part("big"), HOSTED)
    check_money(SMALL, Part("openai", {"id": "big"}), HOSTED)
    with pytest.raises(UsageError, match=r"needs the price of 'big'.*--price big:in="):
        check_money(SMALL, Part("big"), "http://127.0.0.1:8000/v1")


def test_prices_of_a_person_read_as_values() -> None:
    read = offer(["qwen:7b:in=1,out=2,cached=0.1", "in=3,out=4,written=5"], None, 1)
    assert read == Offer({"qwen:7b": Prices(1, 2, 0.1, 1), "": Prices(3, 4, 3, 5)})
    assert offer([], 32.5, 4) == Offer({}, Hire(32.5, 4))


@pytest.mark.parametrize(
    ("prices", "hour", "said"),
    [
        ([], None, "say --price"),
        (["m:in=1"], None, "both in="),
        (["m:in=1,out=x"], None, "no number of dollars"),
        (["m:in=1,out=-2"], None, "no number of dollars"),
        (["m:in=1,out=nan"], None, "no number of dollars"),
        (["m:in=1,uot=2"], None, "did you mean out?"),
        (["m"], None, "choose cached, in, out, written"),
        (["m:in=1,out=2", "m:in=1,out=2"], None, "two prices"),
        (["in=1,out=2"], 3.0, "leaves nothing"),
        ([], -1.0, "--gpu-hour -1.0"),
    ],
)
def test_prices_that_make_no_sense_get_one_line(
    prices: list[str], hour: float | None, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        offer(prices, hour, 1)
    assert said in str(caught.value) and "\n" not in str(caught.value)
