"""What a ledger promises, and how it says that it cannot."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.codec import encode
from harness.errors import UsageError
from harness.types import Attempt, Clocks, Ending, Faulted, Graded, TaskId, Usage, Verdict
from results.ledger import Ledger
from results.lines import Damaged


def attempt(repeat: int = 0) -> Attempt:
    return Attempt(TaskId("instance_é-1"), "c0ffee", repeat)


def graded(repeat: int = 0) -> Graded:
    usage = Usage(calls=1, fresh=2, usd=0.1)
    clocks = Clocks(total=4.0)
    return Graded(
        attempt(repeat), Verdict(True, "resolved"), Ending.SUBMITTED, usage, clocks, spent=usage
    )


def faulted(repeat: int = 0) -> Faulted:
    return Faulted(attempt(repeat), "model", "503: line one\nline two", Usage(), Clocks())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "ledger.jsonl"


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes, as though the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_was_appended_is_read_back_in_order(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.append(faulted())
        ledger.append(graded())
    assert list(Ledger(path).records()) == [faulted(), graded()]
    assert list(Ledger(path).keys()) == [(attempt(), "faulted"), (attempt(), "graded")]


def test_many_that_come_at_once_are_held_to_the_same(path: Path) -> None:
    first, second = graded(0), graded(1)
    with Ledger(path) as ledger:
        ledger.extend([first, second])
        with pytest.raises(ValueError, match="graded already"):
            ledger.extend([graded(2), first])
    assert [record.attempt.repeat for record in Ledger(path).records()] == [0, 1, 2]
    with pytest.raises(ValueError, match="not open for writing"):
        Ledger(path).extend([first])


def test_a_ledger_that_was_never_written_is_empty(path: Path) -> None:
    assert list(Ledger(path).records()) == []
    assert list(Ledger(path).keys()) == []


def test_readers_see_what_a_writer_has_appended_so_far(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.append(graded())
        assert list(Ledger(path).records()) == [graded()]


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_torn_tail_is_skipped_by_readers_and_cut_by_the_next_writer(path: Path, cut: int) -> None:
    with Ledger(path) as ledger:
        ledger.append(graded())
        ledger.append(faulted(1))
    path.write_bytes(path.read_bytes()[:-cut])
    assert list(Ledger(path).records()) == [graded()]
    with Ledger(path) as ledger:
        ledger.append(faulted(2))
    assert list(Ledger(path).records()) == [graded(), faulted(2)]


def test_a_file_that_is_one_torn_line_starts_anew(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\0\0\0{")
    with Ledger(path) as ledger:
        ledger.append(graded())
    assert list(Ledger(path).records()) == [graded()]


@pytest.mark.parametrize(
    "bad", [b'{"kind":"gra', b"[]", b"7", b"\0\0\0", b'{"attempt":{"task":"t"}}', b"", b"\xff"]
)
def test_damage_is_named_by_line_and_byte_and_nothing_is_overwritten(
    path: Path, bad: bytes
) -> None:
    path.parent.mkdir()
    good = encode(graded()) + b"\n"
    before = good + bad + b"\n" + encode(faulted(1)) + b"\nto"
    path.write_bytes(before)
    where = rf"ledger\.jsonl is damaged at line 2, byte {len(good)}: "
    with pytest.raises(Damaged, match=where):
        list(Ledger(path).records())
    with pytest.raises(Damaged, match=where):
        list(Ledger(path).keys())
    with pytest.raises(Damaged, match=where), Ledger(path):
        pass
    assert path.read_bytes() == before


def test_a_record_of_an_unknown_kind_is_damage(path: Path) -> None:
    path.parent.mkdir()
    raw = json.loads(encode(graded())) | {"kind": "guessed"}
    path.write_bytes(json.dumps(raw).encode() + b"\n")
    with pytest.raises(Damaged, match="guessed"):
        list(Ledger(path).keys())


def test_damage_is_told_in_one_line(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"kind":"graded","attempt":{}}\n')
    with pytest.raises(Damaged) as caught:
        list(Ledger(path).records())
    assert "\n" not in str(caught.value)


def test_a_second_writer_is_told_in_one_line_which_run_and_who(path: Path) -> None:
    holder = (
        "import sys; from pathlib import Path; from results.ledger import Ledger\n"
        "with Ledger(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    ) as other:
        assert other.stdout and other.stdin
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UsageError) as caught, Ledger(path):
            pass
        other.stdin.close()
    assert f"{path.parent} is being written by process {other.pid}" in str(caught.value)
    assert "\n" not in str(caught.value)
    with Ledger(path) as ledger:
        ledger.append(graded())


def test_what_was_acknowledged_outlives_a_killed_writer(path: Path) -> None:
    writer = (
        "import sys; from pathlib import Path; from results.ledger import Ledger\n"
        "from tests.unit.test_ledger import graded\n"
        "with Ledger(Path(sys.argv[1])) as ledger:\n"
        "    for repeat in range(100_000):\n"
        "        ledger.append(graded(repeat)); print(repeat, flush=True)"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", writer, str(path)], stdout=subprocess.PIPE, text=True, cwd=root
    ) as other:
        assert other.stdout
        acknowledged = [int(other.stdout.readline()) for _ in range(50)]
        other.kill()
        acknowledged += [int(line) for line in other.stdout if line.endswith("\n")]
    with Ledger(path) as ledger:
        kept = {key.repeat for key, _ in ledger.keys()}  # noqa: SIM118
    assert set(acknowledged) <= kept and len(kept) <= len(acknowledged) + 1


def test_one_process_cannot_enter_twice_either(path: Path) -> None:
    with Ledger(path), pytest.raises(UsageError, match="being written"), Ledger(path):
        pass


def test_nothing_is_appended_by_who_has_not_entered(path: Path) -> None:
    with pytest.raises(ValueError, match="enter the ledger"):
        Ledger(path).append(graded())
    with Ledger(path) as ledger:
        pass
    with pytest.raises(ValueError, match="enter the ledger"):
        ledger.append(graded())


def test_an_attempt_is_graded_once(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.append(graded())
        with pytest.raises(ValueError, match="graded already"):
            ledger.append(graded())
    with Ledger(path) as ledger, pytest.raises(ValueError, match="graded already"):
        ledger.append(graded())
    assert list(Ledger(path).records()) == [graded()]


def test_what_could_not_be_read_back_is_not_written(path: Path) -> None:
    unreadable = Faulted(attempt(), "model", "m", Usage(), Clocks(total=float("nan")))
    with Ledger(path) as ledger:
        with pytest.raises(ValueError):
            ledger.append(unreadable)
        ledger.append(graded())
    assert list(Ledger(path).records()) == [graded()]


@pytest.mark.parametrize("more", [0, 5, 100])
def test_a_full_disk_is_an_error_with_the_path_and_leaves_no_half_line(
    path: Path, more: int
) -> None:
    with Ledger(path) as ledger:
        ledger.append(graded())
        size = path.stat().st_size
        with room_for(size + more), pytest.raises(OSError) as caught:
            ledger.append(faulted(1))
        assert caught.value.filename == str(path)
        assert path.stat().st_size == size
        ledger.append(faulted(2))
    assert list(Ledger(path).records()) == [graded(), faulted(2)]


def test_a_long_ledger_is_counted_and_opened_quickly(path: Path) -> None:
    path.parent.mkdir()
    with path.open("wb") as stream:
        for repeat in range(36_550):
            stream.write(encode(graded(repeat)) + b"\n")
    started = time.process_time()
    assert sum(kind == "graded" for _, kind in Ledger(path).keys()) == 36_550  # noqa: SIM118
    assert time.process_time() - started < 10, "some 0.3 s where nothing else runs"
