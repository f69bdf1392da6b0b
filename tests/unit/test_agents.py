"""What is known of other people's agents: small, pinned, complete, and safe to fill in."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.api import Endpoint, Hosting, Session
from harness.errors import Fault, UsageError
from harness.registry import build
from harness.types import Brief, Environment, ExecResult, Limits, Part, Reply, Request, TaskId
from harness.verbs import versions
from scaffolds import AGENTS, SCAFFOLDS
from scaffolds.external import interpreters, known
from scaffolds.external.agent import Agent, filled
from scaffolds.external.layer import Layer
from scaffolds.external.scaffold import External
from scaffolds.loop import Loop

STATEMENT = """--help "quoted" 'single' \\ `id` $(id) $HOME ${token} %s {model} \t
EOF
é\u2028 </issue>"""
VALUES = {
    "url": "http://127.0.0.1:8377",
    "token": "t-1",
    "model": "org/m:1",
    "home": "/tmp/h",
    "statement": STATEMENT,
    "task": json.dumps(STATEMENT),
}
EACH = pytest.mark.parametrize("agent", known.AGENTS, ids=lambda agent: agent.name)


def built(name: str, **knobs: str) -> External:
    made = build("scaffold", Part(name, knobs), SCAFFOLDS)
    assert isinstance(made, External) and isinstance(made, Hosting)
    return made


def test_every_agent_goes_by_its_name_and_none_is_forgotten() -> None:
    assert sorted(AGENTS) == sorted(agent.name for agent in known.AGENTS)
    assert [built(agent.name).agent for agent in known.AGENTS] == list(known.AGENTS)


class Box:
    """Lets every command succeed, and remembers how long it was given."""

    facts: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self.given: dict[str, float] = {}

    async def exec(self, argv: Sequence[str], /, *, kill_after: float, **_: Any) -> ExecResult:
        self.given[argv[0]] = kill_after
        return ExecResult(0, b"", 0.1)

    async def read(self, path: str, /, *, limit: int = 0) -> bytes:
        raise FileNotFoundError(path)

    async def write(self, path: str, data: bytes, /) -> None:
        pass


class Silent:
    async def complete(self, request: Request, /) -> Reply:
        raise AssertionError("it asks through the door")


def test_its_time_is_the_attempts_alone_which_waits_for_the_endpoint() -> None:
    async def install(agent: Agent) -> Layer:
        return Layer(Path("/layer"), ("/start",), {})

    box = Box()
    door = Endpoint("http://door", "token")
    session = Session(box, Silent(), Limits(seconds=5), lambda *_: None, door, calls=lambda: 1)
    brief = Brief(TaskId("t"), "do it", Environment("image", "/app"))
    asyncio.run(External(known.AGENTS[0], install=install).solve(brief, session))
    assert box.given["/start"] > 1000


def test_a_constant_has_less_than_thirty_lines() -> None:
    tree = ast.parse(Path(known.__file__).read_text())
    lines = {
        node.lineno: (node.end_lineno or 0) - node.lineno + 1
        for node in tree.body
        if isinstance(node, ast.Assign)
    }
    assert max(lines.values()) < 30


@EACH
def test_a_constant_is_whole(agent: Agent) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", agent.version), "pinned to one version"
    assert agent.unequal, "say what cannot be made equal"
    texts = [*agent.argv, agent.stdin, *agent.env.values(), *agent.files.values()]
    for placeholder in ("$url", "$token", "$model"):
        assert any(placeholder in text for text in texts), f"nothing tells it {placeholder}"
    assert sum(bool(re.search(r"\$(statement|task)\b", text)) for text in texts) == 1
    assert not any("$statement" in word for word in agent.argv), "a word is 128 KiB at most"


@EACH
def test_a_statement_is_passed_as_it_is(agent: Agent) -> None:
    files = {name: filled(text, VALUES) for name, text in agent.files.items()}
    for name, text in files.items():
        match Path(name).suffix:
            case ".json":
                json.loads(text)
            case ".toml":
                tomllib.loads(text)
    given = [filled(agent.stdin, VALUES), *files.values()]
    tasks = [t for t in given if t == STATEMENT]
    tasks += [t for t in given if t.startswith("{") and _holds(json.loads(t), STATEMENT)]
    assert len(tasks) == 1


def _holds(value: object, wanted: str) -> bool:
    if isinstance(value, dict):
        return any(_holds(each, wanted) for each in value.values())
    return value == wanted


@EACH
def test_the_readme_lists_it(agent: Agent) -> None:
    readme = Path(known.__file__).parents[1].joinpath("README.md").read_text()
    assert (
        f"`{agent.package}` {agent.version} | {agent.wire} | it {'; it '.join(agent.unequal)}"
        in readme
    )


def test_what_the_readme_says_of_ones_own_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = Path(known.__file__).parents[1].joinpath("README.md").read_text()
    loops, hosted = re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    package = tmp_path / "my_agents"
    package.mkdir()
    (package / "loops.py").write_text(loops)
    (package / "hosted.py").write_text(hosted)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    terse = build("scaffold", Part("my_agents.loops:terse", {"words": 50}), SCAFFOLDS)
    assert isinstance(terse, Loop) and "more than 50 words" in terse.system
    spark = built("my_agents.hosted:spark", version="1.5.0")
    assert (spark.agent.package, spark.agent.version) == ("spark-agent", "1.5.0")
    assert versions.scaffold_code("my_agents.hosted:spark") != versions.scaffold_code("codex")


def test_another_version_is_a_knob() -> None:
    assert built("codex", version="0.170.0").agent.version == "0.170.0"
    assert built("codex", version="0.170.0").agent.files == known.CODEX.files
    with pytest.raises(UsageError, match="did you mean version"):
        built("codex", verson="1")


def test_an_interpreter_that_is_not_there_is_named() -> None:
    with pytest.raises(Fault, match=r"needs a Python 3\.99.*uv python install 3\.99") as told:
        interpreters.find(["3.99"])
    assert told.value.culprit == "scaffold" and "\n" not in told.value.message


def test_a_wrong_template_is_told() -> None:
    with pytest.raises(UsageError, match="'\\$uri/v1' is wrong"):
        filled("$uri/v1", VALUES)
