"""The real agents in an image that holds one static busybox: no Node, no Python, no glibc, no git.

`pytest -m agents -k bare`. One that can do nothing there says so, and that is no measurement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.api import Sandboxes, Session
from harness.errors import Fault
from harness.meter import Meter, RunLimits, RunMeter
from harness.models.door.server import Door
from harness.models.door.upstream import Upstream
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint
from harness.past import Past
from harness.registry import build
from harness.trace import Journal
from harness.types import Brief, Environment, Limits, Part, TaskId
from scaffolds import SCAFFOLDS
from scaffolds.external import known
from scaffolds.external.agent import Agent
from scaffolds.external.scaffold import External
from tests.agents.endpoint import Voice
from tests.contract.boxes import kind_of_box
from tests.contract.test_door import Events
from tests.e2e.endpoints import serving

pytestmark = [pytest.mark.agents, pytest.mark.docker]
LONG = 600.0
EDIT = "state\n```\n<<<<<<< SEARCH\n=======\nfixed\n>>>>>>> REPLACE\n```\n"
Place = tuple[Sandboxes, Environment]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, base_image: str) -> Iterator[Place]:
    with kind_of_box("busybox", tmp_path_factory.mktemp("box"), base_image) as (boxes, bare):
        yield boxes, replace(bare, memory_mb=4096, pids=1024)


@pytest.mark.parametrize("agent", known.AGENTS, ids=lambda agent: agent.name)
def test_it_works_in_a_bare_image_or_says_what_it_lacks(
    agent: Agent, place: Place, tmp_path: Path
) -> None:
    knobs = {"model": "gpt-4o"} if agent.name == "aider" else {}
    made = build("scaffold", Part(agent.name, knobs), SCAFFOLDS)
    assert isinstance(made, External)
    with serving(Voice(["echo fixed >state"], EDIT)) as server:
        endpoint = Endpoint(server.url, "key")
        if agent.needs:
            with pytest.raises(Fault, match=f"needs {agent.needs[0]}, which the image lacks"):
                asyncio.run(_solved(made, place, endpoint, tmp_path))
        else:
            assert asyncio.run(_solved(made, place, endpoint, tmp_path)) == b"fixed\n"


async def _solved(scaffold: External, place: Place, endpoint: Endpoint, folder: Path) -> bytes:
    """What the file holds that the model has the agent write."""
    sandboxes, bare = place
    door, upstream = Door(str(folder / "door")), Upstream("m", endpoint, Knobs(attempts=2))
    environment = replace(await scaffold.equip(bare), door=door.path)
    meter, trace = Meter(Limits(), RunMeter(RunLimits())), Events()
    journal = Journal(trace, Past())

    def note(kind: str, data: Mapping[str, Any]) -> None:
        trace.emit("note", {"note": kind, **data})

    try:
        async with door.open(), sandboxes.open(environment) as box, asyncio.timeout(LONG):
            way = door.to(upstream).admitted(scaffold, meter, journal)
            async with way as (guest, token):
                session = Session(
                    box, None, Limits(), note, token, guest.over, lambda: journal.calls
                )
                await scaffold.solve(Brief(TaskId("bare"), "Write `fixed`.", bare), session)
                guest.judge()
            return await box.read(f"{bare.workdir}/state")
    finally:
        await upstream.close()
