"""What holds of every scaffold in the table, and of every point in the space of factors."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest

from harness.api import Hosting, Model, Privileged, Sandbox, Session
from harness.errors import UsageError
from harness.models.scripted import Scripted, says
from harness.registry import build, locate
from harness.sandboxes.docker import Docker
from harness.sandboxes.host import Host
from harness.types import (
    Brief,
    Ending,
    Environment,
    Limits,
    Message,
    Part,
    Reply,
    Task,
    TaskId,
    ToolCall,
    Usage,
)
from scaffolds import AGENTS, SCAFFOLDS, presets

pytestmark = pytest.mark.anyio

ENVIRONMENT = Environment("", "/repo")
BRIEF = Brief(TaskId("t-1"), "Make it work.", ENVIRONMENT)
SECRET = "the reference patch"
TASK = Task(BRIEF, {"patch": SECRET, "tests": "hidden"}, "local", "here@1")

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
PATCH = """\
diff --git a/a.txt b/a.txt
--- a/a.txt
+++ b/a.txt
@@ -1,2 +1,2 @@
-one
+two
 last"""


def session(box: Sandbox, model: Model) -> Session:
    return Session(box, model, Limits(), _unheard)


def _unheard(kind: str, data: Mapping[str, Any]) -> None:
    """A place for remarks that nobody reads."""


def scaffold(name: str, **knobs: Any) -> Any:
    return build("scaffold", Part(name, knobs), SCAFFOLDS)


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    async with Host().open(ENVIRONMENT) as sandbox:
        yield sandbox


@pytest.fixture
def engine() -> Iterator[Docker]:
    sandboxes = Docker()
    yield sandboxes
    sandboxes._client.close()  # it lives as long as its process, and a test must not leak it


@pytest.mark.parametrize("name", sorted(set(SCAFFOLDS) - set(AGENTS)))
async def test_every_scaffold_comes_to_an_ending_with_a_model_that_only_submits(
    name: str, box: Sandbox
) -> None:
    built = scaffold(name)
    # One reply for every style of calling.
    text = '```bash\nsubmit\n```\n<tool name="submit"></tool>'
    native = replace(says("submit").message, content=text)
    model = Scripted([Reply(native, Usage(1))])
    if isinstance(built, Privileged):
        task = replace(TASK, oracle={"patch": ""})
        assert await built.solve_knowing(task, session(box, model)) is Ending.SUBMITTED
    else:
        assert await built.solve(BRIEF, session(box, model)) is Ending.SUBMITTED


def test_only_the_oracle_is_shown_the_task() -> None:
    assert [name for name in SCAFFOLDS if isinstance(scaffold(name), Privileged)] == ["oracle"]


@pytest.mark.parametrize("name", sorted(set(SCAFFOLDS) - {"oracle", "nop", *AGENTS}))
def test_presets_offer_the_same_factors_and_differ_by_defaults_only(name: str) -> None:
    factory = locate("scaffold", name, SCAFFOLDS)
    assert list(inspect.signature(factory).parameters) == [
        *("calls", "retry", "context", "tools", "output", "command_seconds")
    ]
    assert scaffold(name, calls="xml", context="all", tools="bash") == scaffold("bash", calls="xml")


def test_a_factor_that_is_not_there_is_told_with_the_ones_that_are() -> None:
    with pytest.raises(UsageError, match="did you mean context"):
        scaffold("editor", contxt="all")


@pytest.mark.parametrize(
    ("calls", "retry", "context"),
    list(
        product(
            ("native", "fenced", "xml"),
            ("resample", "explain"),
            ("all", "last-n:2", "elide:1", "summarise:0.5:10:1"),
        )
    ),
)
async def test_every_request_is_one_that_endpoints_accept(
    box: Sandbox, calls: str, retry: str, context: str
) -> None:
    text = '```bash\necho x\n```\n<tool name="bash"><command>echo x</command></tool>'
    good = tuple(ToolCall(f"{at}", "bash", '{"command": "echo x"}') for at in range(2))
    bad = (good[0], ToolCall("3", "bash", '{"command'))
    replies = [
        Reply(Message("assistant", text, good), Usage(1, 20)),
        Reply(Message("assistant", ""), Usage(1, 20)),
        Reply(Message("assistant", "```", bad), Usage(1, 20)),
    ] * 4
    model = Scripted([*replies, says("submit")])
    built = scaffold("bash", calls=calls, retry=retry, context=context)
    assert await built.solve(BRIEF, session(box, model)) in (Ending.SUBMITTED, Ending.GAVE_UP)
    for request in model.requests:
        roles = [m.role for m in request.messages]
        assert roles[:2] == ["system", "user"]
        assert all(m.content or m.calls for m in request.messages)
        answered = [m.call_id for m in request.messages if m.role == "tool"]
        assert answered == [c.id for m in request.messages for c in m.calls]
        if calls != "native":
            assert not any(a == b for a, b in pairwise(roles))


async def test_the_oracle_applies_the_reference_patch_without_its_last_newline_too(
    box: Sandbox,
) -> None:
    await _repository(box)
    task = replace(TASK, oracle={"patch": PATCH})
    ending = await scaffold("oracle").solve_knowing(task, session(box, Scripted([])))
    assert ending is Ending.SUBMITTED
    assert await box.read("a.txt") == b"two\nlast\n"


@pytest.mark.parametrize("oracle", [{"patch": PATCH.replace("one", "three")}, {}])
async def test_a_reference_patch_that_does_not_apply_is_no_measurement(
    box: Sandbox, oracle: dict[str, str]
) -> None:
    await _repository(box)
    with pytest.raises(RuntimeError, match="reference patch"):
        await scaffold("oracle").solve_knowing(
            replace(TASK, oracle=oracle), session(box, Scripted([]))
        )


async def test_nop_leaves_the_repository_as_it_was(box: Sandbox) -> None:
    await _repository(box)
    model = Scripted([])
    assert await scaffold("nop").solve(BRIEF, session(box, model)) is Ending.SUBMITTED
    status = await box.exec([*GIT, "status", "--porcelain"], kill_after=60)
    assert (status.output, model.requests) == (b"", [])


@pytest.mark.docker
async def test_the_tools_work_in_a_real_box(engine: Docker, base_image: str) -> None:
    environment = Environment(base_image, "/home")
    await engine.prepare(environment)
    create = '{"command": "create", "path": "a/b.txt", "text": "one\\n"}'
    view = '{"command": "view", "path": "/home"}'
    wrong = '{"command": "create", "path": "a/b.txt/c", "text": ""}'
    named = (("editor", create), ("editor", view), ("editor", wrong), ("editor", create))
    calls = tuple(ToolCall(f"{n}", tool, written) for n, (tool, written) in enumerate(named))
    run = ToolCall("9", "bash", '{"command": "cat a/b.txt; rm a/b.txt; [[ a ]] && kill -9 $$"}')
    model = Scripted([Reply(Message("assistant", "", (*calls, run)), Usage(1))])
    async with engine.open(environment) as box:
        brief = replace(BRIEF, environment=environment)
        assert await scaffold("editor").solve(brief, session(box, model)) is Ending.SUBMITTED
    told = [m.content for m in model.requests[1].messages if m.role == "tool"]
    assert told[0] == "[created ./a/b.txt: 1 lines]"
    assert told[1].splitlines()[1:] == ["a/", "a/b.txt"]
    assert told[2].startswith("[create a/b.txt/c:")
    assert told[3] == "[replaced the whole of ./a/b.txt: 1 lines]"
    assert told[4].startswith("one\n[")


async def _repository(box: Sandbox) -> None:
    await box.write("a.txt", b"one\nlast\n")
    for argv in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "base"]):
        assert (await box.exec([*GIT, *argv], kill_after=60)).ok


async def test_the_examples_of_the_readme_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, box: Sandbox
) -> None:
    readme = Path(presets.__file__).with_name("README.md").read_text()
    loops, hosted = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "my_agents").mkdir()
    (tmp_path / "my_agents" / "loops.py").write_text(loops)
    (tmp_path / "my_agents" / "hosted.py").write_text(hosted)
    monkeypatch.syspath_prepend(tmp_path)
    terse = scaffold("my_agents.loops:terse", words=50)
    assert "more than 50 words" in terse.system
    assert await terse.solve(BRIEF, session(box, Scripted([says("submit")]))) is Ending.SUBMITTED
    spark = scaffold("my_agents.hosted:spark", version="1.5.0")
    assert isinstance(spark, Hosting) and spark.speech.facts["agent_version"] == "1.5.0"
