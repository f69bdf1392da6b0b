"""What the hosting scaffold makes of a program in the box, however the program behaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from harness.types import Limits, Part
from scaffolds.external.scaffold import OWN
from tests.agents.fake import lay
from tests.agents.hosted import Hosted
from tests.e2e import tiny_task

IMAGE = "harness-test-hosting:1"
BUBBLEWRAP = pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)
DOCKER = pytest.param("docker", marks=pytest.mark.docker)
BUSY = [tiny_task.FIX, *["true"] * 20]
"""Does the work at once, and then goes on for longer than it is let."""


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layer")
    lay(folder)
    return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    client = docker.from_env()
    with tiny_task.image(client, IMAGE, tmp_path_factory.mktemp("image")) as name:
        yield name
    client.close()


@pytest.fixture
def hosted(request: pytest.FixtureRequest, tmp_path: Path) -> Hosted:
    docker_image = request.getfixturevalue("image") if request.param == "docker" else ""
    tasks = tiny_task.write(tmp_path / "source", docker_image)
    cache = {} if docker_image else {"cache": str(tmp_path / "cache")}
    made = Hosted(
        Part("local", {"folder": str(tasks)}), Part(request.param, cache), tmp_path / "run"
    )
    made.voice.commands = [tiny_task.FIX]
    return made


@pytest.fixture
def fake(layer: Path) -> Callable[..., Part]:
    return lambda **knobs: Part("tests.agents.fake:fake", {"layer": str(layer), **knobs})


ENOUGH = Limits(turns=30, seconds=60)
Fake = Callable[..., Part]


@pytest.mark.parametrize("hosted", [BUBBLEWRAP, DOCKER], indirect=True)
def test_its_work_is_graded_like_anyones_and_the_record_says_who_did_it(
    hosted: Hosted, fake: Fake
) -> None:
    record = hosted.record(fake(), ENOUGH)
    assert record["kind"] == "graded" and record["ending"] == "submitted"
    assert record["verdict"]["resolved"] and "state" in hosted.patch()
    assert ".fake-history" not in hosted.patch(), "its own files are not its work"
    assert record["usage"]["calls"] == 2 and record["usage"]["fresh"] == 2000
    facts = record["facts"]
    assert facts["agent"] == "fake" and facts["agent_version"] == "0.0.1"
    assert (
        facts["agent_unequal"] == [OWN, "is our own"]
        and facts["agent_models"]["what-i-call-it"] == 2
    )
    (first,) = hosted.voice.requests[-2][1]["messages"]
    assert "The state is broken." in first["content"] and "/app" in first["content"]


@pytest.mark.parametrize("hosted", [BUBBLEWRAP], indirect=True)
@pytest.mark.parametrize(
    ("limits", "ending", "how"),
    [
        (Limits(turns=3, seconds=60), "turns", "stubborn"),
        (Limits(turns=None, tokens=3000, seconds=60), "tokens", "well"),
        (Limits(turns=None, usd=3.0, seconds=60), "cost", "well"),
    ],
    ids=["turns", "tokens", "dollars"],
)
def test_at_a_limit_it_is_refused_stopped_and_its_work_kept(
    hosted: Hosted, fake: Fake, limits: Limits, ending: str, how: str
) -> None:
    hosted.voice.commands = BUSY
    record = hosted.record(fake(how=how), limits)
    assert record["ending"] == ending and record["verdict"]["resolved"]
    assert 1 < record["usage"]["calls"] <= 3


@pytest.mark.parametrize("hosted", [BUBBLEWRAP], indirect=True)
def test_when_its_time_is_up_it_is_killed_and_its_work_kept(hosted: Hosted, fake: Fake) -> None:
    hosted.voice.commands = [tiny_task.FIX, "sleep 300"]
    record = hosted.record(fake(), Limits(seconds=4))
    assert record["ending"] == "time" and record["verdict"]["resolved"]
    assert ".fake-history" not in hosted.patch()


@pytest.mark.parametrize("hosted", [BUBBLEWRAP], indirect=True)
def test_with_the_endpoint_down_there_is_no_measurement(hosted: Hosted, fake: Fake) -> None:
    hosted.voice.down = True
    record = hosted.record(fake(how="stubborn", parting=0.2), ENOUGH)
    assert record["kind"] == "faulted" and record["culprit"] == "model"
    assert "500" in record["message"] or "fire" in record["message"]


@pytest.mark.parametrize("hosted", [BUBBLEWRAP], indirect=True)
@pytest.mark.parametrize("how", ["silent", "broken", "unfit"])
def test_one_that_never_asks_is_no_measurement_either(hosted: Hosted, fake: Fake, how: str) -> None:
    record = hosted.record(fake(how=how), ENOUGH)
    assert record["kind"] == "faulted" and record["culprit"] == "scaffold"
    said = {
        "silent": "without asking its model",
        "broken": "cannot find my own feet",
        "unfit": "needs no-such-program, which the image lacks",
    }
    assert said[how] in record["message"]
    assert record["spent"]["calls"] == 0
