"""The agent's box: the past of the repository, none of its future, and no way out.

Each attempt to get out is made for real, in one box of each kind, and must come to nothing. The
box has a door, as that of an agent that runs its own program has: it is to be the only way out.
"""

from __future__ import annotations

import asyncio
import io
import os
import secrets
import shutil
import socket
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import pytest

from harness.api import Sandbox, Sandboxes
from harness.errors import Fault
from harness.sandboxes.bubblewrap import Bubblewrap
from harness.sandboxes.docker import Docker
from harness.types import Environment
from tests.e2e import small_task

pytestmark = pytest.mark.anyio
LONG = 120.0
CANARY = secrets.token_hex(16)
"""What must not be seen: in variables of the host, in a file of the host."""
FIX = "this-is-what-the-fix-says"
HISTORY = f"""
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.invalid GIT_AUTHOR_NAME=a
export GIT_AUTHOR_EMAIL=a@example.invalid GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z
git init -q -b main . && echo one >file && git add -A && git commit -qm first
echo two >>file && git commit -qam base && git tag v1
echo {FIX} >>file && git commit -qam 'the fix' && git tag v2 && git gc -q
git update-ref refs/remotes/origin/main HEAD && git remote add origin https://example.invalid/
echo {FIX} >>file && git stash -q && git reset -q --hard v1
"""
SETUP = f'#!/bin/sh\nset -eu\ncd "$HARNESS_REPO"\n{HISTORY}'


@dataclass(frozen=True)
class Place:
    sandboxes: Sandboxes
    environment: Environment
    canary_file: Path
    fix: str


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


KINDS = [
    pytest.param("bubblewrap", id="bubblewrap", marks=pytest.mark.bubblewrap),
    pytest.param("docker", id="docker", marks=pytest.mark.docker),
]


@pytest.fixture(scope="module", params=KINDS)
async def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    if shutil.which("git") is None:
        pytest.skip("no git on this machine")
    folder = tmp_path_factory.mktemp("agent")
    file = folder / "of-the-host"
    file.write_text(CANARY)
    os.environ |= {"HARNESS_CANARY": CANARY, "OPENAI_API_KEY": CANARY}
    async with asyncio.timeout(300):
        sandboxes, whole = _made(request.param, folder)
        async with sandboxes.open(whole) as box:
            asked = await sh(box, "git rev-parse HEAD v2")
        base, fix = asked.split()
    door = await asyncio.start_unix_server(lambda _, writer: writer.close(), folder / "door")
    async with door:
        agents = replace(whole, base=base, door=str(folder / "door"))
        yield Place(sandboxes, agents, file, fix)
    if isinstance(sandboxes, Docker):
        sandboxes.close()
    del os.environ["HARNESS_CANARY"], os.environ["OPENAI_API_KEY"]


def _made(kind: str, folder: Path) -> tuple[Bubblewrap | Docker, Environment]:
    if kind == "bubblewrap":
        recipe = folder / "recipe"
        recipe.mkdir()
        (recipe / "setup.sh").write_text(SETUP)
        bounds = Environment("", "/app", recipe=str(recipe), memory_mb=512, pids=128)
        return Bubblewrap(cache=str(folder / "cache")), bounds
    small_task.build()
    return Docker("agent-box"), Environment(_image(HISTORY), "/app", memory_mb=512, pids=128)


def _image(script: str, base: str = small_task.IMAGE) -> str:
    """An image with a repository made by `script`, which needs no network."""
    packed = io.BytesIO()
    steps = f"FROM {base}\nRUN rm -rf /app && mkdir /app\nWORKDIR /app\nCOPY make /make\n"
    files = {"Dockerfile": f"{steps}RUN sh -eu /make && rm /make\n", "make": script}
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    packed.seek(0)
    client = docker.from_env()
    try:
        made, _ = client.images.build(
            fileobj=packed, custom_context=True, rm=True, network_mode="none"
        )
        return str(made.id)
    finally:
        client.close()


@pytest.fixture(scope="module")
async def box(place: Place) -> AsyncIterator[Sandbox]:
    """One agent's box for all."""
    async with place.sandboxes.open(place.environment) as opened:
        yield opened


async def sh(box: Sandbox, script: str) -> str:
    return (await box.exec(["sh", "-c", script], kill_after=LONG)).text


async def python(box: Sandbox, script: str) -> str:
    return (await box.exec(["python3", "-c", script], kill_after=LONG)).text


# --- what is in it ---


async def test_the_past_is_there(box: Sandbox) -> None:
    assert await sh(box, "git log --format=%s; git describe --tags") == "base\nfirst\nv1\n"
    assert "+two" in await sh(box, "git diff HEAD~1")
    assert "two" in await sh(box, "git blame file")
    assert await sh(box, "git status --porcelain") == ""


FUTURE = [
    "git cat-file -p {fix}",
    "git log --all -p",
    "git reflog --all",
    "git stash show -p",
    "git fsck --lost-found",
    "git remote -v",
    "cat .git/packed-refs",
    "git cat-file --batch-all-objects --batch",
    "grep -rls {word} /app /opt/task /home /tmp /var /etc",
    "for p in $(find / -name '*.pack' 2>/dev/null); do git show-index <${p%pack}idx; done",
]


@pytest.mark.parametrize("look", FUTURE)
async def test_the_future_is_not(box: Sandbox, place: Place, look: str) -> None:
    seen = await sh(box, look.replace("{fix}", place.fix).replace("{word}", FIX[:-1] + "[s]"))
    answer = seen.replace(f"Not a valid object name {place.fix}", "")
    assert FIX not in answer and place.fix not in answer and "example.invalid/" not in answer
    assert "fatal: not a git repository" not in answer


async def test_the_record_says_what_was_looked_at(box: Sandbox, place: Place) -> None:
    certificate = box.facts["certificate"]
    assert certificate["clean"] is True
    assert certificate["base"] == certificate["head"] == place.environment.base
    assert (certificate["commits_visible"], certificate["objects_beyond_base"]) == (2, 0)
    assert certificate["newest_commit_date"] == "2020-01-01T00:00:00+00:00"


async def test_the_graders_box_is_untouched(place: Place) -> None:
    async with place.sandboxes.open(place.environment.untouched) as box:
        assert FIX in await sh(box, f"git show {place.fix}")
        assert "certificate" not in box.facts


async def test_a_view_is_made_once_for_all_who_ask(place: Place) -> None:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_facts(place)) for _ in range(3)]
    first, *others = [task.result() for task in asked]
    assert all(each == first for each in others)
    assert (await place.sandboxes.prepare(place.environment)).digest == first["image_digest"]
    whole = await place.sandboxes.prepare(place.environment.untouched)
    assert whole.digest == first["image_digest"], "the record pins what the grader's box is made of"


async def _facts(place: Place) -> dict[str, object]:
    async with place.sandboxes.open(place.environment) as box:
        return dict(box.facts)


# --- the network ---


CONNECT = """
import socket
for address in {addresses!r}:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as s:
            s.settimeout(0.5)
            try:
                s.connect(tuple(address)); s.send(b"hello"); print("REACHED", address, kind)
            except OSError as error:
                print(address, error)
"""
OVER_TCP = CONNECT.replace("(socket.SOCK_STREAM, socket.SOCK_DGRAM)", "(socket.SOCK_STREAM,)")
FAR = {
    "a resolver": [("1.1.1.1", 53), ("8.8.8.8", 53)],
    "the engine's gateway": [("172.17.0.1", p) for p in (22, 53, 2375, 2376)],
    "other gateways": [("10.0.2.2", 80), ("192.168.65.2", 80), ("192.168.1.1", 80)],
    "cloud metadata": [("169.254.169.254", 80), ("100.100.100.200", 80), ("fd00:ec2::254", 80)],
    "a neighbour": [("172.17.0.2", 80), ("172.17.0.3", 80), ("172.18.0.2", 80)],
}


@pytest.mark.parametrize("where", FAR)
async def test_no_connection_reaches(box: Sandbox, where: str) -> None:
    said = await python(box, CONNECT.format(addresses=FAR[where]))
    assert "REACHED" not in said and "unreachable" in said


NAMES = [
    "example.org",
    "host.docker.internal",
    "metadata.google.internal",
    "gateway.docker.internal",
]


async def test_no_name_is_known(box: Sandbox) -> None:
    mine = socket.gethostname()
    script = "for n in {}; do getent hosts $n && echo KNOWN; done; cat /etc/hosts"
    said = await sh(box, script.format(" ".join([*NAMES, mine])))
    assert "KNOWN" not in said


async def test_there_is_no_interface_but_its_own_loopback(box: Sandbox) -> None:
    said = await sh(box, "tail -n +3 /proc/net/dev; cat /proc/net/route")
    assert {line.split(":")[0].strip() for line in said.splitlines() if ":" in line} == {"lo"}


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, str, list[object]]]:
    """A port on every address of the host, an abstract socket, and who came: first, ourselves."""
    came: list[object] = []
    heard = asyncio.Event()

    def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer.get_extra_info("peername") or "abstract")
        writer.close()
        heard.set()

    name = f"harness-{secrets.token_hex(8)}"
    over_tcp = await asyncio.start_server(met, "0.0.0.0", 0)
    abstract = await asyncio.start_unix_server(met, "\0" + name)
    async with over_tcp, abstract:
        port = over_tcp.sockets[0].getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=LONG):
            await asyncio.wait_for(heard.wait(), LONG)
        yield port, name, came


def host_addresses() -> list[str]:
    """Addresses that this machine would use towards others, and its loopback."""
    found = ["127.0.0.1"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found.append(probe.getsockname()[0])
        except OSError:
            pass
    return found


async def test_the_hosts_loopback_is_not_the_boxs(box: Sandbox) -> None:
    async with listening() as (port, name, came):
        said = await python(box, OVER_TCP.format(addresses=[(a, port) for a in host_addresses()]))
        said += await python(
            box,
            "import socket; s = socket.socket(socket.AF_UNIX)\n"
            f"try: s.connect(chr(0) + {name!r}); print('REACHED')\n"
            "except OSError as error: print(error)",
        )
    assert "REACHED" not in said and len(came) == 1


async def test_other_boxes_are_out_of_reach(box: Sandbox, place: Place) -> None:
    serve = (
        "import socket,os; s = socket.create_server(('', 8765)); a = socket.socket(socket.AF_UNIX);"
        "a.bind(chr(0) + 'harness-neighbour'); a.listen(); print(socket.gethostname(), flush=True);"
        "os.fork() or (os.setsid(), [s.accept() for _ in range(9)])"
    )
    async with place.sandboxes.open(place.environment) as other:
        name = (await python(other, serve)).split()[0]
        said = await python(box, OVER_TCP.format(addresses=[("127.0.0.1", 8765)]))
        if name != (await python(box, "import socket; print(socket.gethostname())")).strip():
            assert name not in await sh(box, f"getent hosts {name}")
        said += await python(
            box, "import socket; socket.socket(socket.AF_UNIX).connect(chr(0)+'harness-neighbour')"
        )
    assert said.count("Connection refused") == 2 and "REACHED" not in said


RAW = [
    "AF_INET, socket.SOCK_RAW, 1",
    "AF_PACKET, socket.SOCK_RAW, 768",
    "AF_INET6, socket.SOCK_RAW, 58",
]


@pytest.mark.parametrize("kind", RAW)
async def test_raw_sockets_are_not_to_be_had(box: Sandbox, kind: str) -> None:
    said = await python(box, f"import socket; socket.socket(socket.{kind}); print('MADE')")
    assert "PermissionError" in said and "MADE" not in said


# --- the machine ---

ESCAPES = {
    "a block device": "for n in '8 0' '253 0' '254 0' '259 0'; do"
    " mknod /tmp/disk b $n && head -c 1 /tmp/disk && echo ESCAPED; rm -f /tmp/disk; done",
    "the memory": "mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem && echo ESCAPED; rm -f /tmp/mem",
    "a disk of the host": "for d in /dev/sd* /dev/vd* /dev/nvme* /dev/xvd* /dev/dm-* /dev/mapper"
    " /dev/mem /dev/kmem /dev/port /dev/kmsg /dev/kvm /dev/fuse /dev/loop* /dev/net /dev/snd;"
    " do [ ! -e $d ] || echo ESCAPED $d; done",
    "mount": "mkdir -p /tmp/m; mount -t tmpfs none /tmp/m && echo ESCAPED;"
    " mount -t proc none /tmp/m && echo ESCAPED; mount --bind / /tmp/m && echo ESCAPED;"
    " mount -o remount,rw /proc/sys && echo ESCAPED; mount -t cgroup2 none /tmp/m && echo ESCAPED",
    "unmount": "umount /proc && echo ESCAPED; umount -l /proc/sys && echo ESCAPED;"
    " umount -l /dev && echo ESCAPED",
    "chroot": "chroot /proc/1/root true && echo ESCAPED; chroot / true && echo ESCAPED",
    "namespaces of others": "nsenter -t 1 -a true && echo ESCAPED;"
    " nsenter -t 1 -n -m true && echo ESCAPED",
    "a namespace of its own with a mount": "unshare --mount true && echo ESCAPED;"
    " unshare --user --map-root-user --mount sh -c 'mount -t tmpfs none /tmp' && echo ESCAPED",
    "the engine's socket": "find / -xdev -type s 2>/dev/null | sed 's/^/ESCAPED /';"
    " for s in /run/docker.sock /var/run/docker.sock /run/containerd/containerd.sock"
    " /run/podman/podman.sock; do [ ! -e $s ] || echo ESCAPED; done",
    "control groups": "for d in $(sed -n 's/^[^ ]* \\([^ ]*\\) cgroup.*/\\1/p' /proc/mounts);"
    " do mkdir $d/mine && echo ESCAPED; done;"
    " for f in $(find /sys/fs/cgroup -name 'memory.max' -o -name 'memory.limit_in_bytes'"
    " -o -name release_agent -o -name cgroup.procs 2>/dev/null | head -n 50);"
    " do (cat $f >>$f) 2>/dev/null && echo ESCAPED $f; done",
    "more memory for itself": "for f in /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max"
    " /sys/fs/cgroup/memory/memory.limit_in_bytes;"
    " do [ ! -e $f ] || { echo max >$f && echo ESCAPED; }; done",
    "an older process to trace": "head -c 1 /proc/1/mem && echo ESCAPED",
    "the clock": "date -s @0 && echo ESCAPED",
    "the host's name": "hostname other && echo ESCAPED",
    "a module": "for m in insmod modprobe; do command -v $m >/dev/null && $m dummy && echo ESCAPED;"
    " done",
}


@pytest.mark.parametrize("way", ESCAPES)
async def test_no_way_out_through(box: Sandbox, way: str) -> None:
    said = await sh(box, f"exec 2>&1; {ESCAPES[way]}")
    assert "ESCAPED" not in said


SWITCHES = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sysrq-trigger",
    "/proc/kcore",
    "/sys/kernel/uevent_helper",
    "/sys/power/state",
]


@pytest.mark.parametrize("switch", SWITCHES)
async def test_no_switch_of_the_kernel_can_be_opened(box: Sandbox, switch: str) -> None:
    """Opened only: to write would be felt by the machine if it worked."""
    said = await python(box, f"import os; os.open({switch!r}, os.O_WRONLY); print('ESCAPED')")
    assert "ESCAPED" not in said and "Error" in said


async def test_nothing_of_the_host_is_to_be_read(box: Sandbox, place: Place) -> None:
    file = place.canary_file
    look = (
        f"cat {file} /proc/1/root{file} /proc/*/root{file} /proc/1/cwd{file};"
        " env; cat /proc/*/environ /proc/*/cmdline /proc/keys /proc/mounts; ls -R /run /var/run"
    )
    assert CANARY not in await sh(box, f"exec 2>&1; {look}")


async def test_no_process_of_the_host_is_visible(box: Sandbox) -> None:
    seen = await sh(box, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; ls -d /proc/[0-9]* | wc -l")
    assert "pytest" not in seen and "dockerd" not in seen
    assert int(seen.split()[-1]) < 20


async def test_no_key_is_in_the_box(box: Sandbox) -> None:
    names = await sh(box, "env | sed 's/=.*//'")
    assert not [n for n in names.split() if "KEY" in n or "TOKEN" in n or "HARNESS" in n]


async def test_privileges_cannot_be_gained(box: Sandbox) -> None:
    script = (
        "cp $(command -v id) /tmp/as-owner; chmod 6755 /tmp/as-owner;"
        " setpriv --reuid 65534 --clear-groups /tmp/as-owner -u; rm /tmp/as-owner;"
        " grep -E 'NoNewPrivs|CapEff|CapBnd' /proc/self/status"
    )
    said = await sh(box, script)
    assert "NoNewPrivs:\t1" in said and not said.startswith("0\n")
    allowed = 0b1000_0000_0000_0000_0000_0000_1111_1011  # eight, and none that reach the machine
    held = [int(line.split()[1], 16) for line in said.splitlines() if line.startswith("Cap")]
    assert len(held) == 2 and all(each & ~allowed == 0 for each in held)


async def test_memory_is_bounded(box: Sandbox) -> None:
    assert "HELD" not in await python(box, "x = bytearray(1 << 30); x[::4096]; print('HELD')")
    assert await sh(box, "echo alive") == "alive\n"


async def test_pids_are_bounded(box: Sandbox, place: Place) -> None:
    script = (
        "import os, time\nmade = []\ntry:\n"
        "    for _ in range(400):\n        pid = os.fork()\n"
        "        if not pid: time.sleep(60); os._exit(0)\n        made.append(pid)\n"
        "except OSError: pass\n[os.kill(p, 9) for p in made]; print(len(made))"
    )
    if box.facts.get("limits") == "rlimit" and os.getuid() == 0:
        pytest.skip("no control groups here, and the kernel does not count root's processes")
    assert int((await python(box, script)).split()[-1]) <= place.environment.pids


# --- where no view can be made, and whose tasks want one ---


@pytest.mark.docker
async def test_where_there_is_no_repository_the_certificate_says_so(base_image: str) -> None:
    environment = Environment(base_image, "/srv", memory_mb=512, base="0" * 40)
    with closing(Docker("agent-box")) as engine:
        async with engine.open(environment) as box:
            assert box.facts["certificate"]["repository"] == ""


@pytest.mark.docker
@pytest.mark.parametrize(
    ("make", "why"),
    [
        ("mkdir -p /app/.git/objects", "there is no git in the image"),
        ("ln -s /x .git", "elsewhere"),
    ],
)
async def test_a_view_that_cannot_be_made_is_a_fault(base_image: str, make: str, why: str) -> None:
    base = base_image if "no git" in why else small_task.IMAGE
    image = _image(make, base)
    with closing(Docker("agent-box")) as engine, pytest.raises(Fault, match=why) as caught:
        await engine.prepare(Environment(image, "/app", base="0" * 40))
    assert caught.value.culprit == "sandbox"


def test_a_task_asks_for_the_agents_view(tmp_path: Path) -> None:
    environment = small_task.load(small_task.write(tmp_path, "0" * 40)).brief.environment
    assert environment.base == "0" * 40 and environment.untouched.base == ""


@pytest.mark.docker
async def test_hidden_tests_are_not_in_the_box(tmp_path: Path) -> None:
    task = small_task.load(small_task.write(tmp_path, small_task.build()))
    hidden = Path(next(iter(small_task.HIDDEN))).name
    with closing(Docker("agent-box")) as engine:
        async with engine.open(task.brief.environment) as box:
            assert await sh(box, f"find / -xdev -name {hidden}; git log --all -- '*{hidden}'") == ""
            assert box.facts["certificate"]["clean"] is True
