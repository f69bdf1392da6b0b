"""Boxes that fail, for real: who is blamed, what is kept, and that the run goes on."""

from __future__ import annotations

import uuid
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from harness.errors import Fault
from harness.sandboxes.docker import Docker
from harness.types import Environment
from tests.e2e import tiny_task
from tests.e2e.endpoints import Script
from tests.e2e.tiny_run import TinyRun, left_of, meeting_those_who_wait
from tests.e2e.tiny_task import EVAL_THAT_WAITS, FIX, WAIT

OURS = uuid.uuid4().hex[:12]


@pytest.mark.docker
def test_a_box_that_is_killed_is_replaced_and_nothing_is_paid_for_twice(
    engine: docker.DockerClient, image: str, tmp_path: Path
) -> None:
    run = TinyRun(tmp_path, Script(["ls", f"{WAIT}; {FIX}"]), image)
    with meeting_those_who_wait(engine, run.id, Container.kill):
        first, second = run.done()
    assert (first["kind"], first["culprit"]) == ("faulted", "sandbox")
    assert first["message"].startswith("the box is gone")
    assert first["usage"]["calls"] == first["spent"]["calls"] == 2
    assert (second["kind"], second["verdict"]["reason"]) == ("graded", "resolved")
    assert (second["tried"], second["facts"]["replayed_replies"]) == (2, 2)
    assert (second["usage"]["calls"], second["spent"]["calls"]) == (3, 1)
    assert run.script.asked == {0: 1, 1: 1, 2: 1}
    assert not left_of(engine, run.id)


@pytest.mark.docker
def test_a_grading_box_that_dies_after_its_tests_ran_is_graded_again_from_the_submission(
    engine: docker.DockerClient, image: str, tmp_path: Path
) -> None:
    run = TinyRun(tmp_path, Script([FIX]), image, {"evaluate": EVAL_THAT_WAITS})
    with meeting_those_who_wait(engine, run.id, Container.kill):
        first, second = run.done()
    assert (first["kind"], first["culprit"]) == ("faulted", "sandbox")
    assert (second["kind"], second["verdict"]["reason"]) == ("graded", "resolved")
    assert first["blobs"]["patch"] == second["blobs"]["patch"]
    assert second["spent"]["calls"] == 0 and run.script.asked == {0: 1, 1: 1}
    assert not left_of(engine, run.id)


@pytest.mark.docker
def test_a_channel_that_is_killed_from_outside_is_opened_again(
    engine: docker.DockerClient, image: str, tmp_path: Path
) -> None:
    def kill_all_but_the_first(box: Container) -> None:
        box.exec_run(["sh", "-c", "kill -9 -1"])

    run = TinyRun(tmp_path, Script([WAIT, FIX]), image)
    with meeting_those_who_wait(engine, run.id, kill_all_but_the_first):
        (record,) = run.done()
    assert (record["kind"], record["verdict"]["reason"]) == ("graded", "resolved")
    assert run.commands()[WAIT]["ended"] == "lost"


@pytest.mark.docker
@pytest.mark.anyio
async def test_an_image_that_is_gone_is_a_fault_until_it_is_back(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    name = f"harness-test-tiny:{OURS}-gone"
    sandboxes, environment = Docker(OURS), Environment(name, "/app")
    with tiny_task.image(engine, name, tmp_path / "first"):
        await sandboxes.prepare(environment)
        kept = b"".join(engine.images.get(name).save(named=True))
    with pytest.raises(Fault, match="is gone from the engine") as caught:
        async with sandboxes.open(environment):
            pass
    assert caught.value.culprit == "sandbox"
    assert name in caught.value.message and "\n" not in caught.value.message
    another = tiny_task.image(engine, name, tmp_path / "second")
    with another, pytest.raises(Fault, match="when this run began"):
        async with sandboxes.open(environment):
            pass
    engine.images.load(kept)
    async with sandboxes.open(environment) as box:
        assert (await box.exec(["cat", "state"], kill_after=60)).text == "broken\n"
    engine.images.remove(name, force=True)
    sandboxes.close()
    assert not left_of(engine, OURS)


MEMORY = "tail /dev/zero"
SHELL = "kill -9 $PPID"
HANG = "sleep 600"
DISK = "cat /dev/zero >{0}/full; rm {0}/full; exit 28"


@pytest.mark.parametrize(
    ("sandbox", "small"),
    [
        pytest.param("docker", "/dev/shm", marks=pytest.mark.docker),
        pytest.param("bubblewrap", "/tmp", marks=pytest.mark.bubblewrap),
    ],
)
def test_what_an_agent_does_to_its_own_box_is_its_own_doing_and_its_record_says_what(
    sandbox: str, small: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    name = request.getfixturevalue("image") if sandbox == "docker" else ""
    disk = DISK.format(small)
    script = Script([MEMORY, SHELL, HANG, disk, FIX])
    knobs = ("--scaffold", "bash,command_seconds=5")
    run = TinyRun(tmp_path, script, name, {"memory_mb": 160}, knobs)
    (record,) = run.done()
    assert (record["kind"], record["verdict"]["reason"]) == ("graded", "resolved")
    assert record["ending"] == "submitted" and record["tried"] == 1
    became = run.commands()
    assert became[SHELL]["ended"] == "lost"
    assert became[HANG]["ended"] == "deadline"
    assert became[disk]["exit_code"] == 28 and "No space left" in became[disk]["output"]
    if record["facts"].get("limits") == "rlimit":
        assert "memory exhausted" in became[MEMORY]["output"]
    else:
        assert became[MEMORY]["exit_code"] == 137
        assert record["facts"]["oom_kills"] >= 1
