"""What every executor promises, on this machine or on many."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from harness.api import Executor, Work
from harness.errors import UsageError
from harness.executors import FLEETS
from harness.executors.cluster import Cluster
from harness.executors.fleet import Place
from harness.executors.local import Local
from harness.registry import locate
from harness.types import Attempt, Record
from tests.contract.fleets import Nearby, ToyDesk
from tests.contract.toy_workers import ToyWorker, attempts, work
from tests.e2e.ray_nodes import cluster

pytestmark = pytest.mark.anyio
Made: TypeAlias = tuple[Executor, Work]
ROOT = Path(__file__).parents[2]
KINDS = ["local", "nearby", pytest.param("ray", marks=pytest.mark.cluster)]


@pytest.fixture(scope="module")
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    pytest.importorskip("ray", reason="needs pip install '.[ray]'")
    folder = Path(tempfile.gettempdir()) / f"hr-{uuid.uuid4().hex[:6]}"
    with cluster(folder, [2, 2, 2]) as nodes:
        yield nodes.address


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[str, str]:
    needs = request.param == "ray"
    return request.param, request.getfixturevalue("address") if needs else ""


@asynccontextmanager
async def executor(kind: tuple[str, str]) -> AsyncIterator[Made]:
    """Four attempts at a time."""
    name, at = kind
    if name == "local":
        yield Local(4), work
        return
    fleet = (
        Nearby([Place("1", "a", 2), Place("2", "b", 2)])
        if name == "nearby"
        else locate("executor", name, FLEETS)(at, ToyWorker, None, {})
    )
    try:
        async with Cluster(fleet, ToyDesk(), lambda _: "", print, most=4) as made:
            yield made, made.hand_over
    finally:
        if name == "ray":
            fleet.close()


async def test_every_attempt_is_settled_once(kind: tuple[str, str]) -> None:
    settled: list[Record] = []
    planned = attempts(*["ok"] * 20)
    async with executor(kind) as (made, of):
        await made.run(planned, of, settled.append)
    assert sorted(record.attempt for record in settled) == planned


async def test_attempts_are_asked_for_as_there_is_room(kind: tuple[str, str]) -> None:
    asked: list[Attempt] = []
    enough = asyncio.Event()

    def some() -> Iterator[Attempt]:
        for attempt in attempts(*["for ever"] * 100):
            asked.append(attempt)
            if len(asked) == 4:
                enough.set()
            yield attempt

    async with executor(kind) as (made, of):
        running = asyncio.ensure_future(made.run(some(), of, lambda _: None))
        await enough.wait()
        running.cancel()
        await asyncio.wait([running])
    assert len(asked) <= 12, "one for each seat, and on a cluster two more to choose from"


CROWD = """
import asyncio, sys
from harness.executors.local import Local
from tests.contract.toy_workers import attempts, work

async def main(width):
    settled = []
    await Local(width).run(attempts(*["ok"] * 8), work, settled.append)
    print(len(settled))

asyncio.run(main(int(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("limits", "width", "said"),
    [
        ("ulimit -Sn 100", 100, "8"),
        ("ulimit -n 1000", 80, "8"),
        ("ulimit -n 1000", 81, "UsageError: --width 81: .* a process may have 1000 .*--width 80"),
    ],
)
def test_there_are_as_many_open_files_as_the_width_needs_or_a_line_says_so(
    limits: str, width: int, said: str
) -> None:
    crowd = f"{limits} && exec {sys.executable} -c '{CROWD}' {width}"
    done = subprocess.run(
        ["sh", "-c", crowd], cwd=ROOT, capture_output=True, text=True, check=False
    )
    last = (done.stdout + done.stderr).strip().splitlines()[-1]
    assert re.search(said, last), last


async def test_nothing_to_do_is_soon_done(kind: tuple[str, str]) -> None:
    async with executor(kind) as (made, of):
        await made.run([], of, lambda _: None)


async def test_it_can_be_used_again(kind: tuple[str, str]) -> None:
    settled: list[Record] = []
    async with executor(kind) as (made, of):
        for _ in range(2):
            await made.run(attempts("ok"), of, settled.append)
    assert len(settled) == 2


async def test_nothing_begins_once_an_attempt_is_parked(kind: tuple[str, str]) -> None:
    settled: list[Record] = []
    names = ["ok", "parked", *["parked"] * 3, *["ok"] * 20]
    async with executor(kind) as (made, of):
        await made.run(attempts(*names), of, settled.append)
    assert [record.attempt.repeat for record in settled if record.attempt.repeat < 4] == [0]
    assert len(settled) < 20


@pytest.mark.parametrize(("name", "error"), [("bug", RuntimeError), ("refused", UsageError)])
async def test_what_is_no_fault_of_an_attempt_ends_the_run(
    kind: tuple[str, str], name: str, error: type[Exception]
) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with executor(kind) as (made, of):
            await made.run(attempts(name, "for ever"), of, lambda _: None)
    assert raised.group_contains(error)


async def test_it_can_be_cancelled_while_attempts_are_under_way(kind: tuple[str, str]) -> None:
    async with executor(kind) as (made, of):
        running = asyncio.ensure_future(made.run(attempts("for ever"), of, lambda _: None))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
