"""What every kind of box promises. Each test is a sentence of the contract."""

from __future__ import annotations

import asyncio
import os
import resource
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress

import pytest

from harness.api import Sandbox, Sandboxes
from harness.executors.local import make_room
from harness.hearing import STOPPED
from harness.types import Environment, ExecResult
from tests.contract.boxes import ISOLATED, KINDS, kind_of_box

pytestmark = pytest.mark.anyio
ANY_BYTES = bytes(range(256)) * 5
LONG = 120.0


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, base_image: str
) -> Iterator[tuple[Sandboxes, Environment]]:
    """Where boxes of this kind are made; the host's canary must not be seen in any of them."""
    os.environ["HARNESS_CANARY"] = "seen"
    with kind_of_box(request.param, tmp_path_factory.mktemp("box"), base_image) as made:
        yield made
    del os.environ["HARNESS_CANARY"]


@pytest.fixture(scope="module")
async def box(place: tuple[Sandboxes, Environment]) -> AsyncIterator[Sandbox]:
    """One box for all: whatever a command does, the next one finds it in order."""
    sandboxes, environment = place
    await sandboxes.prepare(environment)
    async with sandboxes.open(environment) as opened:
        yield opened


async def sh(box: Sandbox, script: str, kill_after: float = LONG, **more: object) -> ExecResult:
    return await box.exec(["sh", "-c", script], kill_after=kill_after, **more)  # type: ignore[arg-type]


def mark() -> str:
    """A number of seconds to sleep, like nobody else's on this machine."""
    return str(secrets.randbelow(10**9) + 10**9)


async def running(box: Sandbox, mark: str) -> bool:
    """Whether any process in the box has `mark` among its words, but for this very question."""
    script = 'for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline; echo; done 2>/dev/null'
    found = await sh(box, script)
    return mark in found.text


async def test_a_box_opens_for_whoever_has_a_thousand_files_open(
    place: tuple[Sandboxes, Environment],
) -> None:
    sandboxes, environment = place
    make_room(200)
    with ExitStack() as held:
        while held.enter_context(open(os.devnull, "rb")).fileno() < 1024:  # noqa: ASYNC230, PTH123
            pass
        async with sandboxes.open(environment) as opened:
            assert (await sh(opened, "echo still here")).text == "still here\n"


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
async def test_an_exit_code_is_reported(box: Sandbox, code: int) -> None:
    done = await sh(box, f"exit {code}")
    assert (done.exit_code, done.ended, done.ok) == (code, "exit", code == 0)


async def test_a_command_that_does_not_exist_is_a_result_127(box: Sandbox) -> None:
    done = await box.exec(["no-such-program"], kill_after=LONG)
    assert done.exit_code == 127 and "no-such-program" in done.text


async def test_a_file_that_may_not_be_run_is_a_result_126(box: Sandbox) -> None:
    await box.write("plain", b"nothing")
    assert (await box.exec(["./plain"], kill_after=LONG)).exit_code == 126


async def test_a_command_killed_by_a_signal_shows_its_number(box: Sandbox) -> None:
    assert (await sh(box, "kill -TERM $$")).exit_code == 128 + 15


async def test_both_outputs_come_in_their_order(box: Sandbox) -> None:
    assert (await sh(box, "echo one; echo two >&2; printf three")).output == b"one\ntwo\nthree"


async def test_commands_start_in_the_working_directory(box: Sandbox) -> None:
    await box.write("here/mark", b"found")
    assert (await sh(box, "cd here && pwd >/dev/null && cat mark")).text == "found"
    assert (await sh(box, "cat here/mark")).text == "found"


async def test_arguments_arrive_byte_for_byte(box: Sandbox) -> None:
    odd = ["", " ", "it's", 'a"b', "$HOME `id` \\ * ?", "new\nline", "-n", "é", "\udcff\udc80"]
    done = await box.exec(["printf", "%s|", *odd], kill_after=LONG)
    assert done.output == b"".join(os.fsencode(word) + b"|" for word in odd)


async def test_a_nul_byte_in_an_argument_is_refused(box: Sandbox) -> None:
    with pytest.raises(ValueError, match="NUL"):
        await box.exec(["echo", "a\0b"], kill_after=LONG)


async def test_a_script_too_long_for_the_kernel_is_a_result_126(box: Sandbox) -> None:
    done = await sh(box, "#" * 1_000_000)
    assert done.exit_code == 126 and b"too long" in done.output


async def test_stdin_arrives_byte_for_byte(box: Sandbox) -> None:
    assert (await box.exec(["cat"], kill_after=LONG, stdin=ANY_BYTES)).output == ANY_BYTES


async def test_without_stdin_a_reader_finds_the_end_at_once(box: Sandbox) -> None:
    done = await box.exec(["cat"], kill_after=LONG)
    assert done.ok and done.output == b""


async def test_stdin_that_nobody_reads_does_no_harm(box: Sandbox) -> None:
    assert (await box.exec(["true"], kill_after=LONG, stdin=b"x" * 300_000)).ok
    assert (await box.exec(["echo", "next"], kill_after=LONG)).text == "next\n"


async def test_variables_reach_the_command_and_no_other(box: Sandbox) -> None:
    value = "it's\n$HOME"
    given = await sh(box, 'printf %s "$GIVEN"', env={"GIVEN": value})
    assert given.text == value
    assert (await sh(box, 'printf %s "$GIVEN"')).text == ""


async def test_a_name_that_no_shell_exports_is_refused(box: Sandbox) -> None:
    with pytest.raises(ValueError, match="NO=WAY"):
        await sh(box, "true", env={"NO=WAY": "1"})


async def test_nothing_of_the_hosts_environment_is_visible(box: Sandbox) -> None:
    assert os.environ["HARNESS_CANARY"] == "seen"
    assert "CANARY" not in (await box.exec(["env"], kill_after=LONG)).text


async def test_output_need_not_be_text(box: Sandbox) -> None:
    await box.write("any", ANY_BYTES)
    done = await box.exec(["cat", "any"], kill_after=LONG)
    assert done.output == ANY_BYTES and "\ufffd" in done.text


async def test_a_gigabyte_of_output_is_bounded_with_its_head_and_tail_kept(box: Sandbox) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = 1 << 30
    script = "echo first; dd if=/dev/zero bs=65536 count=16384 2>/dev/null; echo last"
    done = await sh(box, script, keep=1 << 16)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert done.ok
    assert done.output.startswith(b"first\n") and done.output.endswith(b"last\n")
    marker = b"\n[... %d bytes omitted ...]\n" % done.omitted
    assert marker in done.output
    assert done.omitted == size + 11 - (1 << 16)
    assert grown_mb < 64


async def test_a_deadline_kills_the_whole_tree_and_keeps_what_was_said(box: Sandbox) -> None:
    nap = f"sleep {(own := mark())}"
    script = (
        f"echo begun; {nap} & (setsid sh -c '{nap}; true' &) ; (sh -c '{nap} & {nap}' &); {nap}"
    )
    done = await sh(box, script, kill_after=1.0)
    assert (done.exit_code, done.ended, done.output) == (None, "deadline", b"begun\n")
    assert not await running(box, own)


async def test_a_deadline_reaches_those_who_ignore_signals(box: Sandbox) -> None:
    done = await sh(box, "trap '' TERM INT HUP; while :; do sleep 0.05; done", kill_after=0.5)
    assert done.ended == "deadline"
    assert (await sh(box, "echo next")).text == "next\n"


async def test_a_deadline_spares_what_earlier_commands_left_in_the_background(box: Sandbox) -> None:
    earlier, later = mark(), mark()
    pid = (await sh(box, f"sleep {earlier} >/dev/null 2>&1 & echo $!")).text
    assert (await sh(box, f"sleep {later}", kill_after=0.5)).ended == "deadline"
    assert await running(box, earlier) and not await running(box, later)
    assert (await sh(box, f"kill {pid}")).ok


async def test_a_background_child_does_not_hold_its_command(box: Sandbox) -> None:
    done = await sh(box, f"sleep {mark()} & echo $!")
    assert done.ok and done.seconds < 60
    assert (await sh(box, f"kill {done.text}")).ok


async def test_late_output_of_a_background_child_never_breaks_a_frame(box: Sandbox) -> None:
    await sh(box, "(while [ ! -e stop ]; do echo noise; sleep 0.01; done; rm stop) &")
    for number in range(40):
        done = await sh(box, f"echo mine-{number}; exit {number}")
        assert done.exit_code == number and f"mine-{number}\n" in done.text
    await box.write("quiet", ANY_BYTES)
    assert await box.read("quiet") == ANY_BYTES
    await box.write("stop", b"")
    await sh(box, "while [ -e stop ]; do sleep 0.01; done")


@pytest.mark.parametrize(
    "script", ["exit 5", "exec false", "set -e; false; true", "cat; exec 0<&- 1>&- 2>&-", "set -u"]
)
async def test_what_a_command_does_to_its_shell_stays_its_own(box: Sandbox, script: str) -> None:
    await sh(box, script)
    assert (await sh(box, "echo next")).output == b"next\n"


async def test_a_command_that_kills_its_shell_is_lost_and_the_next_one_works(box: Sandbox) -> None:
    own = mark()
    done = await sh(box, f"echo said; kill -9 $PPID; sleep {own}")
    assert (done.exit_code, done.ended, done.output) == (None, "lost", b"said\n")
    assert (await sh(box, "echo next")).output == b"next\n"
    assert not await running(box, own)


async def test_non_blocking_output_spoils_nothing(box: Sandbox) -> None:
    if not (await sh(box, "command -v perl")).ok:
        pytest.skip("nothing in this box can make its output non-blocking")
    script = "use Fcntl; fcntl(STDOUT, F_SETFL, O_NONBLOCK | O_WRONLY); syswrite STDOUT, 'x' x 9e5"
    assert (await box.exec(["perl", "-e", script], kill_after=LONG)).ok
    done = await box.exec(["head", "-c", "2000000", "/dev/zero"], kill_after=LONG, keep=3 << 20)
    assert done.ok and len(done.output) == 2_000_000


async def test_many_small_commands_in_a_row(box: Sandbox) -> None:
    for number in range(200):
        assert (await box.exec(["echo", str(number)], kill_after=LONG)).text == f"{number}\n"


async def test_commands_at_the_same_time_take_turns(box: Sandbox) -> None:
    asked = [box.exec(["echo", str(number)], kill_after=LONG) for number in range(20)]
    answers = await asyncio.gather(*asked)
    assert [answer.text for answer in answers] == [f"{number}\n" for number in range(20)]


async def test_a_cancelled_command_leaves_nothing_running(box: Sandbox) -> None:
    for delay in (0.0, 0.0, 0.0005, 0.001, 0.002, 0.005, 0.02, 0.1):
        nap = f"sleep {(own := mark())}"
        task = asyncio.create_task(sh(box, f"{nap} & (setsid {nap} &); {nap}"))
        await asyncio.sleep(delay)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled() and not await running(box, own)
    await asyncio.sleep(0.05)
    assert not await running(box, own)


async def test_files_hold_any_bytes(box: Sandbox) -> None:
    for data in (b"", b"x", ANY_BYTES, os.urandom(700_000)):
        await box.write("deep/er/file", data)
        assert await box.read("deep/er/file") == data


async def test_an_absolute_path_in_the_working_directory_is_the_same_file(
    box: Sandbox, place: tuple[Sandboxes, Environment]
) -> None:
    await box.write(f"{place[1].workdir}/it's a file", b"one")
    assert await box.read("it's a file") == b"one"


async def test_reading_says_what_is_wrong(box: Sandbox) -> None:
    await box.write("folder/file", b"12345")
    with pytest.raises(FileNotFoundError):
        await box.read("nowhere")
    with pytest.raises(IsADirectoryError):
        await box.read("folder")
    with pytest.raises(ValueError, match="over 4 bytes"):
        await box.read("folder/file", limit=4)
    assert await box.read("folder/file", limit=5) == b"12345"


async def test_writing_says_what_is_wrong(box: Sandbox) -> None:
    await box.write("occupied", b"")
    with pytest.raises(OSError, match="occupied/file"):
        await box.write("occupied/file", b"x")
    with pytest.raises(OSError, match="cannot write"):
        await box.write(".", b"x")


async def test_facts_say_what_the_box_is(box: Sandbox) -> None:
    assert {"sandbox", "network"} <= set(box.facts)


@pytest.mark.parametrize("place", ISOLATED, indirect=True, scope="module")
class TestIsolated:
    """What only a real box promises."""

    async def test_there_is_no_network(self, box: Sandbox) -> None:
        devices = (await box.exec(["cat", "/proc/net/dev"], kill_after=LONG)).text
        names = [line.split(":")[0].strip() for line in devices.splitlines() if ":" in line]
        assert set(names) - {"lo", "tunl0", "sit0", "gre0", "gretap0", "erspan0"} == set()

    async def test_killing_everybody_is_survived(self, box: Sandbox) -> None:
        own = mark()
        assert (await sh(box, f"kill -9 -1; sleep {own}")).ended == "lost"
        assert (await sh(box, "echo next")).output == b"next\n"
        assert not await running(box, own)

    async def test_a_fork_bomb_ends_with_its_deadline(self, box: Sandbox) -> None:
        bomb = "exec 2>/dev/null; f() { f | f & }; (sleep 0.2; f) & while :; do :; done"
        assert (await sh(box, bomb, kill_after=1.0)).ended == "deadline"
        after = await sh(box, "echo next")
        assert (after.ended, after.exit_code, after.output) == ("exit", 0, b"next\n")

    async def test_a_fork_bomb_left_in_the_background_is_survived(self, box: Sandbox) -> None:
        await sh(box, "exec 2>/dev/null; f() { f | f & }; f")
        await sh(box, "while :; do :; done", kill_after=0.5)
        for _ in range(20):
            done = await sh(box, "kill -9 -1; echo alone")
            if done.ended == "lost":
                break
        assert (await sh(box, "echo next")).output.endswith(b"next\n")

    async def test_orphans_are_buried(self, box: Sandbox) -> None:
        await sh(box, "for i in 1 2 3 4 5 6 7 8 9; do (true & ) ; done")
        count = "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l"
        for _ in range(100):
            if (await sh(box, count)).text.strip() == "0":
                return
            await asyncio.sleep(0.05)
        pytest.fail("zombies stay")

    async def test_the_kernels_switches_cannot_be_turned(self, box: Sandbox) -> None:
        done = await sh(box, "(: >>/proc/sys/kernel/hostname) 2>&1 || exit 9")
        assert done.exit_code == 9

    async def test_nobody_gains_privileges(self, box: Sandbox) -> None:
        status = (await box.exec(["cat", "/proc/self/status"], kill_after=LONG)).text
        facts = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        assert facts["NoNewPrivs"].strip() == "1"
        kept = int(facts["CapBnd"].strip(), 16)
        dangerous = {12, 13, 16, 17, 18, 19, 21, 22, 23, 24, 25, 27}  # net, sys and mknod
        assert not [bit for bit in dangerous if kept >> bit & 1]
        if box.facts["sandbox"] == "bubblewrap":
            assert int(facts["CapEff"].strip(), 16) == kept == 0

    async def test_limits_are_recorded(
        self, box: Sandbox, place: tuple[Sandboxes, Environment]
    ) -> None:
        assert box.facts["memory_mb"] == place[1].memory_mb
        assert box.facts["pids"] == place[1].pids
        assert box.facts["image_digest"]


async def test_a_box_starts_fresh(place: tuple[Sandboxes, Environment]) -> None:
    sandboxes, environment = place
    async with sandboxes.open(environment) as first:
        await first.write("left", b"behind")
    async with sandboxes.open(environment) as second:
        with pytest.raises(FileNotFoundError):
            await second.read("left")


async def test_what_a_cancelled_command_had_printed_is_told(box: Sandbox) -> None:
    told, own = list[bytes](), mark()
    with STOPPED.by(told.append):
        task = asyncio.create_task(sh(box, f"echo working on it; echo >{own}; sleep {own}"))
    async with asyncio.timeout(LONG):
        while not await there(box, own):  # a read is a question to the box, and takes its time
            pass
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled() and told == [b"working on it\n"]


async def there(box: Sandbox, path: str) -> bool:
    try:
        return bool(await box.read(path))
    except FileNotFoundError:
        return False
