"""Seats at endpoints that limit us in each of the ways they do, in hours that take no time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from harness.models.knobs import Knobs
from harness.models.line import Line
from harness.models.pace import Pace
from harness.models.pacing import Lane
from harness.models.pool import Hall, Pool, Seat
from harness.models.retrying import Transient
from tests.unit.virtual import now, run

Headers = dict[str, str]
MINUTES = 4


class Bucket:
    """Refills all the time, as OpenAI's and Anthropic's limits do."""

    def __init__(self, per_minute: float, *, burst: float = 1.0, tells: bool = True) -> None:
        self.limit, self.tells = per_minute * burst, tells
        self.rate = per_minute / 60
        self.left, self.at = self.limit, 0.0

    def take(self, amount: float) -> tuple[bool, Headers, float]:
        self.left = min(self.limit, self.left + self.rate * (now() - self.at))
        self.at = now()
        granted = self.left >= amount
        self.left -= amount if granted else 0
        missing = 0.0 if granted else (amount - self.left) / self.rate
        return granted, self._told((self.limit - self.left) / self.rate), missing

    def _told(self, reset: float) -> Headers:
        if not self.tells:
            return {}
        return {
            "x-ratelimit-limit-requests": str(int(self.limit)),
            "x-ratelimit-remaining-requests": str(int(self.left)),
            "x-ratelimit-reset-requests": f"{reset:.3f}s",
        }


class Window(Bucket):
    """Is new once in a minute, all at once."""

    def take(self, amount: float) -> tuple[bool, Headers, float]:
        if now() // 60 > self.at // 60:
            self.left, self.at = self.limit, now()
        granted = self.left >= amount
        self.left -= amount if granted else 0
        rest = 60 - now() % 60
        return granted, self._told(rest), 0.0 if granted else rest


@dataclass
class Tally:
    served: int = 0
    refused: int = 0

    def steady(self, since: Tally) -> Tally:
        return Tally(self.served - since.served, self.refused - since.refused)

    @property
    def share_refused(self) -> float:
        return self.refused / max(1, self.served + self.refused)


async def one_call(
    pool: Pool, serve: Callable[[], tuple[bool, Headers, float]], tally: Tally, latency: float
) -> None:
    place = pool.place()
    while True:
        async with pool.seat(place) as seat:
            granted, headers, asked = serve()
            seat.told(headers)
            if granted:
                await asyncio.sleep(latency)
                seat.welcomed()
                tally.served += 1
                return
            tally.refused += 1
            alone = seat.turned_away(asked or None)
        if alone:
            await asyncio.sleep(asked or latency)


async def crowd(
    pool: Pool,
    serve: Callable[[], tuple[bool, Headers, float]],
    *,
    people: int,
    latency: float,
    warm: float,
) -> Tally:
    """So many who ask again as soon as they are answered; what came of it after `warm` minutes."""
    tally, draw = Tally(), random.Random(1)

    async def person() -> None:
        while True:
            await one_call(pool, serve, tally, latency * draw.uniform(0.5, 1.5))

    async with at_it(person, people):
        await asyncio.sleep(warm * 60)
        before = Tally(tally.served, tally.refused)
        await asyncio.sleep(MINUTES * 60)
    return tally.steady(before)


@asynccontextmanager
async def at_it(person: Callable[[], Awaitable[None]], people: int) -> AsyncIterator[None]:
    """So many at it while the block lasts."""
    tasks = [asyncio.ensure_future(person()) for _ in range(people)]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    ("limit", "people", "latency"),
    [
        (lambda: Bucket(120), 64, 5.0),
        (lambda: Bucket(120), 16, 0.2),
        (lambda: Bucket(120, burst=1 / 10), 64, 5.0),
        (lambda: Window(120), 16, 0.2),
    ],
    ids=["refills-slow", "refills-fast", "refills-small", "by-the-minute"],
)
def test_nearly_all_of_a_limit_that_is_told_is_used_and_hardly_a_call_refused(
    limit: Callable[[], Bucket], people: int, latency: float
) -> None:
    there = limit()

    async def minutes() -> Tally:
        serve = partial(there.take, 1)
        return await crowd(Pool(), serve, people=people, latency=latency, warm=2)

    tally = run(minutes())
    assert tally.served >= 0.95 * there.rate * 60 * MINUTES
    assert tally.share_refused < 0.02


def test_a_limit_that_nobody_tells_is_found_out() -> None:
    there = Bucket(120, tells=False)

    async def minutes() -> Tally:
        return await crowd(Pool(), partial(there.take, 1), people=16, latency=0.5, warm=5)

    tally = run(minutes())
    assert tally.served >= 0.9 * 120 * MINUTES
    assert tally.share_refused < 0.03


@pytest.mark.parametrize(
    ("per_minute", "burst", "people", "latency"),
    [
        (300, 1 / 60, 60, 0.2),
        (300, 1, 60, 0.2),
        (1200, 1 / 10, 400, 10.0),
        (120, 1 / 6, 30, 5.0),
    ],
    ids=["small-burst", "a-minute-at-once", "many-slow", "few"],
)
def test_after_the_first_overshoot_at_a_limit_that_nobody_tells_most_of_it_is_used_again(
    per_minute: float, burst: float, people: int, latency: float
) -> None:
    there = Bucket(per_minute, burst=burst, tells=False)

    async def minutes() -> Tally:
        return await crowd(Pool(), partial(there.take, 1), people=people, latency=latency, warm=1)

    tally = run(minutes())
    assert tally.served >= 0.9 * per_minute * MINUTES
    assert tally.share_refused < 0.02


class Overstated(Bucket):
    """Tells of ten times what it lets through."""

    def _told(self, reset: float) -> Headers:
        room = {"x-ratelimit-limit-requests": "3000", "x-ratelimit-remaining-requests": "2990"}
        return {**room, "x-ratelimit-reset-requests": "0.2s"}


def test_headers_that_promise_more_than_is_let_through_are_not_believed_for_long() -> None:
    there = Overstated(300, burst=1 / 60)

    async def minutes() -> Tally:
        return await crowd(Pool(), partial(there.take, 1), people=60, latency=0.2, warm=1)

    tally = run(minutes())
    assert tally.served >= 0.9 * 300 * MINUTES
    assert tally.share_refused < 0.02


def test_where_nobody_is_refused_a_thousand_are_under_way_within_a_few_round_trips() -> None:
    pool, under_way, most = Pool(), 0, list[int]()

    async def call() -> None:
        nonlocal under_way
        while now() < 5:
            async with pool.seat(pool.place()) as seat:
                under_way += 1
                most.append(under_way) if now() >= 3 else None
                await asyncio.sleep(1)
                under_way -= 1
                seat.welcomed()

    async def all_of_them() -> None:
        await asyncio.gather(*(call() for _ in range(1000)))

    run(all_of_them())
    assert max(most) == 1000


@pytest.mark.parametrize("people", [16, 200])
@pytest.mark.parametrize(("share", "asked"), [(0.01, None), (0.03, 5.0), (0.1, None), (0.2, None)])
def test_refusals_that_come_however_little_is_asked_slow_nobody_else_down(
    share: float, asked: float | None, people: int
) -> None:
    line, dice, served, said = Line(Pool(), Knobs()), random.Random(6), 0, list[str]()
    line.pool.say = said.append

    async def call(_: Seat) -> None:
        nonlocal served
        await asyncio.sleep(0.05)
        if dice.random() < share:
            raise Transient("HTTP 429", asked, crowded="rate")
        await asyncio.sleep(0.95)
        served += 1

    async def person() -> None:
        while True:
            await line.ask(call, 0)

    seconds = 48_000 / people
    run(for_a_while(person, people=people, seconds=seconds))
    its_own = share / (1 - share) * max(asked or 0, 1)
    assert served > 0.8 * people * seconds / (1 + its_own)
    assert any("of the calls however few are made" in told for told in said)


def test_a_limit_of_an_endpoint_that_also_refuses_at_random_is_heeded() -> None:
    there, dice = Bucket(600, burst=1 / 2, tells=False), random.Random(1)

    def serve() -> tuple[bool, Headers, float]:
        return (False, {}, 0.0) if dice.random() < 0.03 else there.take(1)

    async def minutes() -> Tally:
        return await crowd(Pool(), serve, people=100, latency=3, warm=2)

    tally = run(minutes())
    assert tally.share_refused < 0.15 and tally.served > 0.5 * 600 * MINUTES


@pytest.mark.parametrize(("limit", "people", "latency"), [(300, 60, 0.2), (120, 16, 2.0)])
def test_most_of_a_limit_by_the_minute_is_used_where_nobody_tells_of_it_or_of_its_end(
    limit: int, people: int, latency: float
) -> None:
    there = Window(limit, tells=False)

    def serve() -> tuple[bool, Headers, float]:
        return there.take(1)[0], {}, 0.0

    async def minutes() -> Tally:
        return await crowd(Pool(), serve, people=people, latency=latency, warm=2)

    tally = run(minutes())
    assert tally.share_refused < 0.1 and tally.served > 0.75 * limit * MINUTES


def test_a_limit_of_so_few_that_no_burst_tells_of_it_is_found_out() -> None:
    there = Bucket(30, burst=1 / 10, tells=False)

    async def minutes() -> Tally:
        return await crowd(Pool(), partial(there.take, 1), people=30, latency=3, warm=2)

    tally = run(minutes())
    assert tally.share_refused < 0.25 and tally.served > 0.9 * 30 * MINUTES


@pytest.mark.parametrize("few", [2, 50])
def test_what_went_well_hours_before_a_refusal_tells_no_rate(few: int) -> None:
    pace = Pace()
    for at in range(few):
        pace.begin(at / few)
    pace.cut(1.0)
    pace.forget()
    for at in range(200):
        pace.begin(36_000 + at / 10)
    pace.cut(36_020.0)
    assert 3 <= pace.rate <= 10


def test_a_call_that_is_refused_after_minutes_is_not_taken_for_a_younger_one() -> None:
    lane = Lane()
    lane.turned_away(lane.begin(0, 0.0), None, 0.1)
    slow, slower = lane.begin(0, 1.2), lane.begin(0, 1.3)
    lane.turned_away(lane.begin(0, 1.4), None, 1.5)
    young = lane.begin(0, 100.0)
    lane.turned_away(slow, None, 101.0)
    lane.welcomed(slower, 102.0)
    lane.turned_away(young, None, 103.0)
    assert lane.wait(0, 103.0) == pytest.approx(1.0)


def test_an_endpoint_that_is_overloaded_now_and_then_is_asked_no_less() -> None:
    pool, dice, tally = Pool(), random.Random(1), Tally()

    async def person() -> None:
        while True:
            async with pool.seat(pool.place()) as seat:
                ill = dice.random() < 0.05
                await asyncio.sleep(1)
                seat.overloaded(None) if ill else seat.welcomed()
                tally.served += not ill
                tally.refused += ill

    run(for_a_while(person, people=200, seconds=600))
    assert tally.served > 0.9 * 0.95 * 200 * 600


@dataclass
class Room:
    """Serves so many calls at a time, a second each, and turns others away at once."""

    most: int
    under_way: int = 0
    tally: Tally = field(default_factory=Tally)

    async def call(self) -> bool:
        welcome = self.under_way < self.most
        self.under_way += 1
        await asyncio.sleep(1 if welcome else 0.01)
        self.under_way -= 1
        self.tally.served += welcome
        self.tally.refused += not welcome
        return welcome


def test_one_that_has_too_much_to_do_is_used_as_far_as_it_can() -> None:
    pool, room, dice = Pool(), Room(8), random.Random(2)

    async def person() -> None:
        pause = 0.5
        while True:
            async with pool.seat(pool.place()) as seat:
                welcome = await room.call()
                seat.welcomed() if welcome else seat.overloaded(None)
            pause = 0.5 if welcome else min(60, 2 * pause)
            await asyncio.sleep(0 if welcome else dice.uniform(0, pause))

    run(for_a_while(person, people=40, seconds=600))
    assert room.tally.served > 0.8 * room.most * 600
    assert room.tally.share_refused < 0.25


async def for_a_while(
    person: Callable[[], Awaitable[None]], *, people: int, seconds: float
) -> None:
    async with at_it(person, people):
        await asyncio.sleep(seconds)


def test_so_many_at_a_time_as_are_welcome() -> None:
    pool, room = Pool(), Room(6)

    async def person() -> None:
        while True:
            async with pool.seat(pool.place()) as seat:
                seat.welcomed() if await room.call() else seat.turned_away(0.5)

    run(for_a_while(person, people=12, seconds=600))
    assert room.tally.share_refused < 0.02 and room.tally.served > 0.8 * room.most * 600


def test_first_come_is_first_served_also_after_having_been_turned_away() -> None:
    pool, order = Pool(), list[int]()
    pool.lanes[0].width = 1

    async def call(name: int, refusals: int) -> None:
        place = pool.place()
        while True:
            async with pool.seat(place) as seat:
                if not refusals:
                    order.append(name)
                    return
                refusals -= 1
                seat.turned_away(1.0)

    async def all_of_them() -> None:
        await asyncio.gather(*(call(name, 2 * (name == 0)) for name in range(5)))

    run(all_of_them())
    assert order == [0, 1, 2, 3, 4]


def test_a_key_that_two_sets_of_keys_have_in_common_has_one_limit_and_one_queue() -> None:
    hall, order = Hall(), list[str]()
    alone, both = hall.pool(["a"], "it"), hall.pool(["a", "b"], "it")
    for lane in both.lanes:
        lane.width = 1

    async def call(name: str, pool: Pool) -> None:
        async with pool.seat(pool.place()) as seat:
            assert all(lane.busy <= 1 for lane in both.lanes)
            order.append(f"{name} by {'ab'[seat.at]}")
            await asyncio.sleep(1)

    async def all_of_them() -> None:
        calls = [call("1", alone), call("2", alone), call("3", both), call("4", both)]
        await asyncio.gather(*calls, call("5", alone))

    run(all_of_them())
    assert order == ["1 by a", "3 by b", "2 by a", "4 by b", "5 by a"]


def test_small_calls_of_another_set_of_keys_do_not_overtake_a_large_one() -> None:
    hall, began = Hall(), dict[str, float]()
    alone, other, both = (hall.pool(keys, "it") for keys in (["a"], ["a"], ["a", "b"]))
    told = {"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "0"}

    async def call(name: str, pool: Pool, tokens: int) -> None:
        async with pool.seat(pool.place(), tokens) as seat:
            began[name] = now()
            if name == "first":
                seat.told({**told, "x-ratelimit-reset-tokens": "60s"})
                seat.welcomed()

    async def all_of_them() -> None:
        await call("first", alone, 1)
        small = (call(f"small {at}", other, 10) for at in range(50))
        await asyncio.gather(call("large", alone, 800), *small, call("free", both, 10))

    run(all_of_them())
    assert began["free"] == began["first"], "by the key that nobody waits for"
    assert all(began["large"] <= at for name, at in began.items() if "small" in name)


@pytest.mark.parametrize("kind", [Bucket, Window])
def test_a_limit_that_only_refusals_tell_of_is_neither_forgotten_nor_for_ever(
    kind: type[Bucket],
) -> None:
    there = kind(60)

    def serve() -> tuple[bool, Headers, float]:
        granted, told, missing = there.take(1)
        return granted, {} if granted else told, missing

    async def minutes() -> Tally:
        return await crowd(Pool(), serve, people=30, latency=0.5, warm=5)

    tally = run(minutes())
    assert tally.share_refused < 0.05 and tally.served > 0.8 * 60 * MINUTES


def test_the_rest_that_an_endpoint_asks_for_is_everybodys() -> None:
    pool = Pool()

    async def both() -> float:
        async with pool.seat(pool.place()) as seat:
            seat.turned_away(30.0)
        async with pool.seat(pool.place()):
            return now()

    assert run(both()) == pytest.approx(30.0, abs=0.01)


def test_a_key_that_is_refused_is_asked_again_one_call_at_a_time_and_the_others_go_on() -> None:
    pool, said, used = Pool(2, name="it"), list[str](), list[tuple[int, float]]()
    pool.say = said.append

    async def call() -> None:
        place = pool.place()
        while True:
            async with pool.seat(place) as seat:
                used.append((seat.at, now()))
                await asyncio.sleep(0.1)
                if seat.at == 1 or now() > 5:
                    seat.welcomed()
                    return
                seat.denied("HTTP 402")

    async def all_of_them() -> None:
        for _ in range(120):
            await asyncio.gather(call(), call(), call())

    run(all_of_them())
    asked = [at for lane, at in used if lane == 0 and at < 5]
    assert len(asked) <= 6, "the first calls at once, and then ever less often"
    assert len(said) == 2 and "the other keys go on" in said[0] and "taken again" in said[1]


def test_whoever_goes_away_leaves_the_seat_to_the_next() -> None:
    pool = Pool()
    pool.lanes[0].width = 1

    async def impatient() -> None:
        async with pool.seat(pool.place()):
            waits = asyncio.create_task(sit())
            await asyncio.sleep(1)
            waits.cancel()
        await asyncio.wait_for(sit(), 1)
        assert pool.lanes[0].busy == 0

    async def sit() -> None:
        async with pool.seat(pool.place()):
            pass

    run(impatient())
