"""How boxes come to be and end: prepared once, gone at the end, found when their owner died."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from harness.api import Sandbox, Sandboxes
from harness.errors import Fault, UsageError
from harness.sandboxes.bubblewrap import Bubblewrap
from harness.sandboxes.choice import choose
from harness.sandboxes.docker import KEEPER, Docker, remove_container, strike
from harness.sandboxes.host import Host
from harness.sandboxes.owner import Owner
from harness.sandboxes.sweep import sweep
from harness.types import Environment
from tests.contract.boxes import KINDS, RUN_ID, containers_of_ours, kind_of_box, write_recipe

pytestmark = pytest.mark.anyio
LONG = 120.0
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=KINDS[:3])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, base_image: str
) -> Iterator[tuple[Sandboxes, Environment]]:
    with kind_of_box(request.param, tmp_path, base_image) as made:
        yield made


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@contextmanager
def kept(
    engine: docker.DockerClient, image: str, *, lifetime: int = 300, **options: Any
) -> Iterator[Container]:
    """A container with nothing in it but the first process of a box."""
    command = ["-c", KEEPER, "harness", str(lifetime), KEEPER]
    how = {"entrypoint": "/bin/sh", "stdin_open": True, **options}
    box = engine.containers.create(image, command, **how)
    try:
        box.start()
        yield box
    finally:
        box.remove(force=True)


def folders_of(pid: int) -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"harness-{pid}-*"))


def groups_of(pid: int) -> list[Path]:
    # Unlike a glob, a walk minds no group of somebody else's that goes meanwhile.
    found = os.walk("/sys/fs/cgroup")
    return [
        Path(at) / name
        for at, names, _ in found
        for name in names
        if name.startswith(f"harness-{pid}-")
    ]


def children() -> list[int]:
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return [int(pid) for pid in listed.split()]


async def kill_from_outside(box: Sandbox) -> None:
    """As a machine does that runs out of memory, or a colleague who tidies up."""
    if box.facts["sandbox"] == "docker":
        (name,) = containers_of_ours()
        client = docker.from_env()
        await asyncio.to_thread(remove_container, client, name)
        client.close()
    else:
        for pid in children():
            os.kill(pid, signal.SIGKILL)


async def test_nothing_is_left_of_a_closed_box(place: tuple[Sandboxes, Environment]) -> None:
    sandboxes, environment = place
    async with sandboxes.open(environment) as box:
        await box.exec(["sh", "-c", "mkdir -m 0 locked; sleep 1000 &"], kill_after=LONG)
    assert not folders_of(os.getpid()) and not groups_of(os.getpid()) and not children()
    if box.facts["sandbox"] == "docker":
        assert not containers_of_ours()


async def test_a_block_that_raises_closes_its_box(place: tuple[Sandboxes, Environment]) -> None:
    sandboxes, environment = place
    with pytest.raises(ZeroDivisionError):
        async with sandboxes.open(environment):
            raise ZeroDivisionError
    assert not folders_of(os.getpid()) and not children()


async def test_an_opening_that_is_cancelled_leaves_nothing(
    place: tuple[Sandboxes, Environment],
) -> None:
    sandboxes, environment = place
    await sandboxes.prepare(environment)

    async def hold() -> None:
        async with sandboxes.open(environment) as box:
            await box.exec(["sleep", "1000"], kill_after=LONG)

    for delay in (0.0, 0.01, 0.05, 0.15):
        task = asyncio.create_task(hold())
        await asyncio.sleep(delay)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert not folders_of(os.getpid()) and not groups_of(os.getpid()) and not children()
    if isinstance(sandboxes, Docker):
        assert not containers_of_ours()


async def test_a_command_in_a_box_that_dies_faults(place: tuple[Sandboxes, Environment]) -> None:
    sandboxes, environment = place
    async with sandboxes.open(environment) as box:
        task = asyncio.create_task(box.exec(["sleep", "1000"], kill_after=LONG))
        await box.write("started", b"")  # by now there is a shell to kill
        await kill_from_outside(box)
        with pytest.raises(Fault, match="the box is gone"):
            await task


async def test_a_box_that_is_dead_faults_at_the_next_command(
    place: tuple[Sandboxes, Environment],
) -> None:
    sandboxes, environment = place
    async with sandboxes.open(environment) as box:
        await box.exec(["true"], kill_after=LONG)
        await kill_from_outside(box)
        with pytest.raises(Fault, match="the box is gone"):
            await until_it_hears(box)


async def until_it_hears(box: Sandbox) -> None:
    """The last process of a box that was killed may answer one more command."""
    for _ in range(10_000):
        await box.exec(["true"], kill_after=LONG)


async def test_several_boxes_live_side_by_side(place: tuple[Sandboxes, Environment]) -> None:
    sandboxes, environment = place

    async def one(number: int) -> bytes:
        async with sandboxes.open(environment) as box:
            await box.write("mine", b"%d" % number)
            await box.exec(["sleep", "0.1"], kill_after=LONG)
            return await box.read("mine")

    assert await asyncio.gather(*map(one, range(3))) == [b"0", b"1", b"2"]


@pytest.mark.parametrize(
    "kind", [pytest.param("bubblewrap", marks=pytest.mark.bubblewrap), *KINDS[2:3]]
)
async def test_a_recipe_is_built_once_for_all_who_ask(
    kind: str, tmp_path: Path, base_image: str
) -> None:
    setup = f"echo {RUN_ID} >/dev/null\ncat ./registry.env >/dev/null\n"
    setup += "printf hello >$HARNESS_REPO/greeting; echo once >>$HARNESS_PREFIX/built\n"
    recipe = write_recipe(tmp_path / "recipe", base_image, setup)
    environment = Environment("", "/app", recipe=recipe)
    made: Sandboxes = (
        Docker(RUN_ID) if kind == "docker" else Bubblewrap(cache=str(tmp_path / "cache"))
    )
    ready = await asyncio.gather(*[made.prepare(environment) for _ in range(3)])
    try:
        assert len({prepared.digest for prepared in ready}) == 1
        async with made.open(environment) as box:
            assert await box.read("greeting") == b"hello"
            assert await box.read("/opt/task/built") == b"once\n"
            assert box.facts["image_digest"] == ready[0].digest
    finally:
        if kind == "docker":
            client = docker.from_env()
            client.images.remove(ready[0].digest, force=True)
            client.close()


@pytest.mark.parametrize(
    "kind", [pytest.param("bubblewrap", marks=pytest.mark.bubblewrap), *KINDS[2:3]]
)
async def test_a_build_that_fails_shows_the_end_of_its_log(
    kind: str, tmp_path: Path, base_image: str
) -> None:
    setup = "echo the cause of it all; exit 7\n"
    recipe = write_recipe(tmp_path / "recipe", base_image, setup)
    made: Sandboxes = (
        Docker(RUN_ID) if kind == "docker" else Bubblewrap(cache=str(tmp_path / "cache"))
    )
    with pytest.raises(Fault, match="the cause of it all"):
        await made.prepare(Environment("", "/app", recipe=recipe))
    assert not list((tmp_path / "cache").glob("*"))


@pytest.mark.docker
async def test_a_container_is_labelled_with_its_run_and_its_end(
    base_image: str, engine: docker.DockerClient
) -> None:
    async with Docker(RUN_ID, lifetime=300).open(Environment(base_image, "/app")):
        (name,) = containers_of_ours()
        labels = engine.containers.get(name).labels
    assert labels["harness.run"] == RUN_ID
    assert 0 < int(labels["harness.expires"]) - time.time() <= 300
    assert labels["harness.owner"] == str(Owner.me())


@pytest.mark.docker
async def test_a_container_ends_by_itself(base_image: str) -> None:
    async with Docker(RUN_ID, lifetime=1).open(Environment(base_image, "/app")) as box:
        with pytest.raises(Fault, match="the box is gone"):
            await box.exec(["sleep", "1000"], kill_after=LONG)


@pytest.mark.docker
def test_a_box_that_has_no_room_for_its_own_sleeper_lives_to_its_end(
    base_image: str, engine: docker.DockerClient
) -> None:
    with kept(engine, base_image, lifetime=2, pids_limit=1) as box:
        assert box.wait(timeout=60)["StatusCode"] == 0, "a shell that cannot fork exits with 2"


@pytest.mark.docker
@pytest.mark.parametrize("path", ["/usr/bin:/bin", "/nowhere"], ids=["a sleeper", "no sleeper"])
@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_a_stroke_ends_what_is_in_a_box_and_not_its_first_process(
    base_image: str, engine: docker.DockerClient, shell: str, path: str
) -> None:
    with kept(engine, base_image, entrypoint=shell, environment={"PATH": path}) as box:
        for _ in range(3):
            asleep = engine.api.exec_create(box.id, ["/bin/sleep", "1000"])["Id"]
            engine.api.exec_start(asleep, detach=True)
            strike(box)
            assert engine.api.exec_inspect(asleep)["ExitCode"] == 128 + signal.SIGKILL
        box.reload()
        assert box.status == "running"


@pytest.mark.docker
async def test_a_fork_bomb_costs_a_box_neither_its_first_process_nor_a_file(
    base_image: str, engine: docker.DockerClient
) -> None:
    run = f"{RUN_ID}-bombed"
    async with Docker(run).open(Environment(base_image, "/app", pids=64)) as box:
        (name,) = containers_of_ours(run)
        before = engine.containers.get(name).attrs["State"]
        await box.write("left", b"behind")
        bomb = "exec 2>/dev/null; f() { f | f & }; (f) & while :; do :; done"
        assert (await box.exec(["sh", "-c", bomb], kill_after=0.5)).ended == "deadline"
        assert await box.read("left") == b"behind"
        assert engine.containers.get(name).attrs["State"] == before


@pytest.mark.docker
async def test_an_image_that_is_nowhere_is_a_fault_in_one_line() -> None:
    with pytest.raises(Fault, match="pulling localhost:1/no/such:image failed") as caught:
        await Docker(RUN_ID).prepare(Environment("localhost:1/no/such:image", "/app"))
    assert "\n" not in caught.value.message


async def test_without_an_engine_the_user_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(UsageError, match="--sandbox bubblewrap"):
        Docker()


@pytest.mark.bubblewrap
async def test_without_an_engine_auto_takes_bubblewrap_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    name, why = choose("auto")
    assert name == "bubblewrap" and "no Docker engine answers" in why


@pytest.mark.docker
async def test_with_an_engine_auto_takes_docker_and_says_which() -> None:
    name, why = choose("auto")
    assert name == "docker" and "answers at" in why


def test_a_sandbox_that_was_asked_for_is_taken() -> None:
    assert choose("host")[0] == "host"


@pytest.mark.bubblewrap
async def test_a_task_with_an_image_alone_is_not_for_bubblewrap() -> None:
    with pytest.raises(UsageError, match="--sandbox docker"):
        await Bubblewrap().prepare(Environment("some:image", "/app"))


@pytest.mark.bubblewrap
async def test_nothing_of_the_users_home_is_visible_in_bubblewrap(
    tmp_path: Path, base_image: str
) -> None:
    with kind_of_box("bubblewrap", tmp_path, base_image) as (sandboxes, environment):
        async with sandboxes.open(environment) as box:
            listing = "find / -xdev -path /proc -prune -o -name secret-of-the-host -print"
            (tmp_path / "secret-of-the-host").write_text("x")
            found = await box.exec(["sh", "-c", f"{listing}; ls -A ~"], kill_after=LONG)
            assert found.text == ""
            for name in (".ssh", ".bashrc", ".profile", ".config"):
                with pytest.raises(FileNotFoundError):
                    await box.read(str(Path.home() / name))


@pytest.mark.bubblewrap
async def test_no_further_namespaces_can_be_made_in_bubblewrap(
    tmp_path: Path, base_image: str
) -> None:
    with kind_of_box("bubblewrap", tmp_path, base_image) as (sandboxes, environment):
        async with sandboxes.open(environment) as box:
            done = await box.exec(["unshare", "--user", "true"], kill_after=LONG)
            assert not done.ok


@pytest.mark.bubblewrap
async def test_git_works_in_the_repository_of_a_recipe(tmp_path: Path, base_image: str) -> None:
    if shutil.which("git") is None:
        pytest.skip("no git on this machine")
    setup = (
        "set -eu\ncd $HARNESS_REPO; git init -q .; echo one >file; git add .\n"
        "git -c user.name=n -c user.email=e@x commit -qm first\n"
    )
    recipe = write_recipe(tmp_path / "recipe", base_image, setup)
    async with Bubblewrap(cache=str(tmp_path / "cache")).open(
        Environment("", "/app", recipe=recipe)
    ) as box:
        await box.write("file", b"two\n")
        done = await box.exec(["git", "diff"], kill_after=LONG)
        assert done.ok and "+two" in done.text


async def test_the_host_builds_no_recipes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bubblewrap"):
        await Host().prepare(Environment("", "/app", recipe=str(tmp_path)))


ORPHANING = """
import asyncio, sys
from harness.types import Environment
from harness.sandboxes.{module} import {name}

async def main():
    async with {name}({knobs}).open(Environment({image!r}, "/app", recipe={recipe!r})) as box:
        await box.exec(["true"], kill_after=60)
        print("open", flush=True)
        await box.exec(["sleep", "1000"], kill_after=1000)

asyncio.run(main())
"""


def killed_while_open(**blanks: str) -> int:
    """A process of ours that dies with a box open, and cannot tidy up."""
    process = subprocess.Popen(
        [sys.executable, "-c", ORPHANING.format(**blanks)], stdout=subprocess.PIPE, cwd=ROOT
    )
    with process:
        assert process.stdout and process.stdout.readline() == b"open\n"
        process.kill()
    return process.pid


@pytest.mark.docker
async def test_a_sweep_removes_the_container_of_a_dead_run(base_image: str) -> None:
    run = f"{RUN_ID}-dead"
    killed_while_open(module="docker", name="Docker", knobs=repr(run), image=base_image, recipe="")
    (name,) = containers_of_ours(run)
    async with Docker(RUN_ID).open(Environment(base_image, "/app")) as box:
        assert f"container {name}" in await sweep()
        assert not containers_of_ours(run)
        assert (await box.exec(["true"], kill_after=LONG)).ok  # the living are left alone


@pytest.mark.bubblewrap
async def test_no_process_of_a_bubblewrap_box_outlives_us_and_a_sweep_removes_the_rest(
    tmp_path: Path, base_image: str
) -> None:
    recipe = write_recipe(tmp_path / "recipe", base_image)
    cache = str(tmp_path / "cache")
    await Bubblewrap(cache=cache).prepare(Environment("", "/app", recipe=recipe))
    pid = killed_while_open(
        module="bubblewrap", name="Bubblewrap", knobs=f"cache={cache!r}", image="", recipe=recipe
    )
    (left,) = folders_of(pid)
    for _ in range(200):
        if not inhabitants(left):
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("somebody in the box lives on")
    assert f"folder {left}" in await sweep()
    assert not folders_of(pid)
    assert not groups_of(pid)


def inhabitants(folder: Path) -> list[Path]:
    """Processes that see a folder's overlay."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder) in (process / "mountinfo").read_text():
                found.append(process)
    return found
