"""The real agents, installed from their registries, on a real bug: `pytest -m agents`.

Hundreds of megabytes are installed at the first run, and kept with the other layers of this
machine. `-k codex` takes one of them, `-k bubblewrap` one kind of box.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.errors import Fault
from harness.types import Limits, Part
from harness.verbs import demo
from scaffolds.external import interpreters, known
from scaffolds.external.agent import Agent
from scaffolds.external.layer import ready
from tests.agents.hosted import Hosted

pytestmark = pytest.mark.agents
TASK = "parse-trailing-newline"
GOLD = (demo.ROOT / TASK / "gold.patch").read_text()
ENOUGH = Limits(turns=30, seconds=300)
KINDS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
]


def edit() -> str:
    """The reference patch as an agent without tools takes it: found text, and what replaces it."""
    name = re.findall(r"^\+\+\+ b/(.*)$", GOLD, re.MULTILINE)
    (hunk,) = re.split(r"^@@.*\n", GOLD, flags=re.MULTILINE)[1:]
    lines = [line for line in hunk.splitlines() if not line.startswith("\\")]
    before = "\n".join(line[1:] for line in lines if line[:1] in (" ", "-"))
    after = "\n".join(line[1:] for line in lines if line[:1] in (" ", "+"))
    return (
        f"{name[0]}\n```python\n<<<<<<< SEARCH\n{before}\n=======\n{after}\n>>>>>>> REPLACE\n```\n"
    )


@pytest.fixture(params=known.AGENTS, ids=lambda agent: agent.name)
def agent(request: pytest.FixtureRequest) -> Agent:
    made: Agent = request.param
    if made.registry == "pypi":
        try:
            interpreters.find(made.pythons)
        except Fault as fault:
            pytest.skip(fault.message)
    asyncio.run(ready(made))
    return made


@pytest.fixture(params=KINDS)
def hosted(request: pytest.FixtureRequest, tmp_path: Path) -> Hosted:
    made = Hosted(Part("demo"), Part(request.param), tmp_path / "run", select=(TASK,))
    made.voice.commands = [f"git apply - <<'EOF'\n{GOLD}EOF", *["true"] * 20]
    made.voice.edit = edit()
    return made


def scaffold(agent: Agent) -> Part:
    # Aider edits by search and replace only if it thinks that the model can.
    return Part(agent.name, {"model": "gpt-4o"} if agent.name == "aider" else {})


def spent(record: dict[str, Any]) -> int:
    return int(record["usage"]["calls"])


def test_it_solves_a_real_bug(agent: Agent, hosted: Hosted) -> None:
    del hosted.voice.commands[1:]
    record = hosted.record(scaffold(agent), ENOUGH)
    assert record["kind"] == "graded" and record["ending"] == "submitted", record
    assert record["verdict"]["resolved"], record["verdict"]
    assert set(re.findall(r"^diff --git a/(\S+)", hosted.patch(), re.MULTILINE)) == {"parse.py"}
    facts = record["facts"]
    assert facts["agent"] == agent.name and facts["agent_version"] == agent.version
    assert facts["agent_wire"] == agent.wire
    assert re.fullmatch("[0-9a-f]{64}", facts["agent_packages"])
    asked = [body for path, body in hosted.voice.requests if not path.endswith("/models")]
    assert spent(record) == len([body for body in asked if body])
    assert "which is also the working directory of your tools" in json.dumps(asked)


@pytest.mark.parametrize("limit", ["turns", "tokens", "usd"])
def test_at_a_limit_its_work_is_kept_and_graded(agent: Agent, hosted: Hosted, limit: str) -> None:
    calls = 2 if agent.name == "aider" else 3  # it asks for the file, edits, wants a message
    values = {"turns": calls, "tokens": 1020 * calls, "usd": 1.02 * calls}
    limits = Limits(**{"turns": None, "seconds": 300, limit: values[limit]})
    record = hosted.record(scaffold(agent), limits)
    assert record["kind"] == "graded", record
    assert record["ending"] == {"turns": "turns", "tokens": "tokens", "usd": "cost"}[limit]
    assert record["verdict"]["resolved"], record["verdict"]
    assert spent(record) <= calls


def test_with_the_endpoint_down_there_is_no_measurement(agent: Agent, hosted: Hosted) -> None:
    hosted.voice.down = True
    record = hosted.record(scaffold(agent), ENOUGH)
    assert record["kind"] == "faulted" and record["culprit"] == "model", record
    assert "500" in record["message"], record["message"]
