"""What a box with a door may reach: the door, and nothing else, for as long as the box lives."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import docker
import pytest

from harness.api import Sandbox, Sandboxes
from harness.errors import UsageError
from harness.sandboxes.docker import Docker, strike
from harness.sandboxes.doorway import PORT
from harness.sandboxes.host import Host
from harness.sandboxes.sweep import sweep
from harness.types import Environment
from tests.contract.boxes import ISOLATED, RUN_ID, containers_of_ours, kind_of_box

pytestmark = pytest.mark.anyio
LONG = 120.0
SAY = """
if command -v bash >/dev/null; then
    exec timeout 20 bash -c 'exec 3<>/dev/tcp/"$0"/"$1" && cat >&3 && head -n 1 <&3' "$@"
fi
exec nc -w 20 "$@"
"""
"""Send the input to a host and a port, and print what comes back, with what this box has."""
NOWHERE = ["127.0.0.1:1", "172.17.0.1:8377", "169.254.169.254:80", "1.1.1.1:53", "example.org:80"]


@dataclass
class TestDoor:
    """A unix socket that answers each line with the same line; what came, in its order."""

    path: str
    came: list[bytes] = field(default_factory=list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        server = await asyncio.start_unix_server(self._answer, self.path)
        async with server:
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self.came.append(line)
            writer.write(b"heard " + line)
        writer.close()

    __test__ = False


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=ISOLATED)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, base_image: str
) -> Iterator[tuple[Sandboxes, Environment]]:
    with kind_of_box(request.param, tmp_path_factory.mktemp("box"), base_image) as made:
        yield made


@pytest.fixture(scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TestDoor]:
    door = TestDoor(str(tmp_path_factory.mktemp("door") / "s"))
    async with door.open():
        yield door


@pytest.fixture(scope="module")
async def box(place: tuple[Sandboxes, Environment], door: TestDoor) -> AsyncIterator[Sandbox]:
    sandboxes, environment = place
    async with sandboxes.open(replace(environment, door=door.path)) as opened:
        yield opened


async def say(box: Sandbox, host: str, port: int, text: bytes) -> bytes:
    argv = ["sh", "-c", SAY, "sh", host, str(port)]
    return (await box.exec(argv, kill_after=LONG, stdin=text)).output


async def test_the_door_answers_on_the_loopback(box: Sandbox, door: TestDoor) -> None:
    word = secrets.token_hex(8).encode() + b"\n"
    assert await say(box, "127.0.0.1", PORT, word) == b"heard " + word
    assert word in door.came
    assert box.facts["door"] == PORT and box.facts["network"] == "none"


@pytest.mark.parametrize("where", NOWHERE)
async def test_nothing_else_does(box: Sandbox, door: TestDoor, where: str) -> None:
    host, _, port = where.rpartition(":")
    word = secrets.token_hex(8).encode() + b"\n"
    assert word not in await say(box, host, int(port), word)
    assert word not in door.came


async def test_the_hosts_own_loopback_stays_out_of_reach(box: Sandbox) -> None:
    met: list[object] = []
    server = await asyncio.start_server(lambda r, w: met.append(w.close()), "0.0.0.0", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await say(box, "127.0.0.1", port, b"hello\n")
    assert not met


async def test_there_is_no_socket_and_no_interface_in_the_box(box: Sandbox, door: TestDoor) -> None:
    look = f"find / -xdev -type s; [ ! -e {door.path} ] || echo {door.path}"
    assert (await box.exec(["sh", "-c", look], kill_after=LONG)).output.strip() == b""
    seen = (await box.exec(["sh", "-c", "tail -n +3 /proc/net/dev"], kill_after=LONG)).text
    assert {line.split(":")[0].strip() for line in seen.splitlines() if ":" in line} == {"lo"}


async def test_nobody_in_the_box_can_take_its_place_or_close_it(
    box: Sandbox, door: TestDoor
) -> None:
    await box.exec(["sh", "-c", "kill -9 -1"], kill_after=LONG)
    assert await say(box, "127.0.0.1", PORT, b"again\n") == b"heard again\n"
    if (await box.exec(["sh", "-c", "command -v python3"], kill_after=LONG)).ok:
        grab = f"import socket; socket.create_server(('127.0.0.1', {PORT}))"
        done = await box.exec(["python3", "-c", grab], kill_after=LONG)
        assert b"Address already in use" in done.output


async def test_a_great_deal_passes_both_ways(box: Sandbox) -> None:
    line = b"x" * 60_000 + b"\n"
    assert await say(box, "127.0.0.1", PORT, line) == b"heard " + line


async def test_each_box_has_its_own_door(
    place: tuple[Sandboxes, Environment], box: Sandbox, door: TestDoor, tmp_path: Path
) -> None:
    sandboxes, environment = place
    other = TestDoor(str(tmp_path / "s"))
    async with other.open(), sandboxes.open(replace(environment, door=other.path)) as second:
        await say(second, "127.0.0.1", PORT, b"to the other\n")
        await say(box, "127.0.0.1", PORT, b"to this one\n")
    assert other.came == [b"to the other\n"]
    assert b"to this one\n" in door.came and b"to the other\n" not in door.came


LOOK = """
cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /tmp/settings 2>/dev/null | tr '\\0' '\\n' >/tmp/seen
grep "$0" /tmp/seen
"""


async def test_another_boxs_token_is_not_to_be_found(
    place: tuple[Sandboxes, Environment], box: Sandbox, door: TestDoor
) -> None:
    sandboxes, environment = place
    token = f"sk-{secrets.token_hex(24)}"
    look = ["sh", "-c", LOOK, token[:20]]
    stay = ["sh", "-c", "setsid sleep 100 </dev/null >/dev/null 2>&1 &"]
    async with sandboxes.open(replace(environment, door=door.path)) as second:
        await second.write("/tmp/settings", f"key={token}\n".encode())
        await second.exec(stay, kill_after=LONG, env={"TOKEN": token})
        async with asyncio.timeout(LONG):  # a process in the middle of an `exec` has no variables
            while f"TOKEN={token}" not in (seen := (await second.exec(look, kill_after=LONG)).text):
                pass
        assert f"key={token}" in seen, "who is in that box sees both"
        assert token not in (await box.exec(look, kill_after=LONG)).text


async def test_the_way_ends_with_its_box_and_nothing_is_left(
    place: tuple[Sandboxes, Environment], tmp_path: Path
) -> None:
    sandboxes, environment = place
    door = TestDoor(str(tmp_path / "s"))

    async def once(most: int) -> None:
        async with door.open():
            async with sandboxes.open(replace(environment, door=door.path)) as box:
                await say(box, "127.0.0.1", PORT, b"hello\n")
            assert descriptors() <= most + 2, "the test's own door, and no more"

    await once(1 << 20)  # what the first one opens for all that follow is not counted
    held = containers_of_ours() if _engine(sandboxes) else []
    await once(descriptors())
    assert len(handovers()) <= 1, "that of `box`"
    if _engine(sandboxes):
        assert containers_of_ours() == held


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def handovers() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"harness-{os.getpid()}-*/handover"))


async def test_a_door_that_nobody_keeps_hangs_up(
    place: tuple[Sandboxes, Environment], tmp_path: Path
) -> None:
    sandboxes, environment = place
    async with sandboxes.open(replace(environment, door=str(tmp_path / "none"))) as box:
        assert b"heard" not in await say(box, "127.0.0.1", PORT, b"hello\n")


async def test_a_mounted_folder_is_there_to_be_read_and_not_written(
    place: tuple[Sandboxes, Environment], tmp_path: Path
) -> None:
    sandboxes, environment = place
    (tmp_path / "tool").write_text("of the host\n")
    mounted = replace(environment, mounts={str(tmp_path): "/opt/agent"})
    async with sandboxes.open(mounted) as box:
        assert await box.read("/opt/agent/tool") == b"of the host\n"
        done = await box.exec(["sh", "-c", "echo x >/opt/agent/tool"], kill_after=LONG)
        assert not done.ok
    assert (tmp_path / "tool").read_text() == "of the host\n"


async def test_the_graders_view_has_neither(place: tuple[Sandboxes, Environment]) -> None:
    _, environment = place
    given = replace(environment, door="/x", mounts={"/usr": "/opt/agent"})
    assert given.untouched == environment


async def test_the_host_has_none_and_says_so() -> None:
    for wanted in (Environment("", "/app", door="/x"), Environment("", "/app", mounts={"/": "/x"})):
        with pytest.raises(UsageError, match="has no door"):
            await Host().prepare(wanted)


@pytest.mark.docker
async def test_a_sweep_takes_the_side_with_its_box(base_image: str, tmp_path: Path) -> None:
    run = f"{RUN_ID}-swept"
    sandboxes, door = Docker(run), str(tmp_path / "s")
    with closing(sandboxes):
        async with sandboxes.open(Environment(base_image, "/app", door=door)):
            assert len(containers_of_ours(run)) == 2
            await sweep(run)
            assert not containers_of_ours(run)


@pytest.mark.docker
async def test_a_box_keeps_its_door_where_all_that_is_in_it_was_ended(
    base_image: str, door: TestDoor
) -> None:
    run = f"{RUN_ID}-struck"
    sandboxes, client = Docker(run), docker.from_env()
    with closing(sandboxes), closing(client):
        async with sandboxes.open(Environment(base_image, "/app", door=door.path)) as box:
            for name in containers_of_ours(run):
                container = client.containers.get(name)
                if container.attrs["HostConfig"]["NetworkMode"].startswith("container:"):
                    await asyncio.to_thread(strike, container)
            assert (await box.exec(["true"], kill_after=LONG)).ended in ("lost", "exit")
            assert await say(box, "127.0.0.1", PORT, b"again\n") == b"heard again\n"


def _engine(sandboxes: Sandboxes) -> bool:
    return type(sandboxes).__name__ == "Docker"
