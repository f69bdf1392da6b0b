"""Whom a warden kills, decided on a table."""

from __future__ import annotations

import os
import subprocess

from harness.sandboxes.processes import LIST, Hunt, Process, parse, parse_table, stirred

INIT, SHELL, WARDEN = 1, 10, 11


def process(pid: int, parent: int, born: int, session: int = 50, state: str = "S") -> Process:
    return Process(pid, state, parent, session, born)


BASE = [
    process(INIT, 0, 1, session=INIT),
    process(2, INIT, 2, session=INIT),  # init's own sleeper
    process(SHELL, 0, 10, session=SHELL),
    process(WARDEN, 0, 11, session=WARDEN),
]


def doomed(*more: Process, since: tuple[int, int] = (100, 0)) -> set[int]:
    table = [*BASE, *more]
    hunt = Hunt(SHELL, since, INIT, {SHELL, WARDEN})
    return hunt.narrowed(table).doomed(table)


def test_the_command_and_all_below_it_die() -> None:
    tree = [process(20, SHELL, 100), process(21, 20, 101), process(22, 21, 102)]
    assert doomed(*tree) == {20, 21, 22}


def test_an_orphan_born_since_the_command_began_dies_with_its_children() -> None:
    assert doomed(process(20, SHELL, 100), process(30, INIT, 101), process(31, 30, 102)) == {
        20,
        30,
        31,
    }


def test_what_an_earlier_command_left_behind_is_spared() -> None:
    earlier = [process(15, INIT, 60), process(25, 15, 110)]
    assert doomed(process(20, SHELL, 100), *earlier) == {20}


def test_within_one_tick_the_lower_number_was_first() -> None:
    same = [process(19, INIT, 100), process(20, SHELL, 100), process(21, INIT, 100)]
    assert doomed(*same, since=(98, 0)) == {20, 21}


def test_once_the_command_is_dead_its_orphans_are_still_known_by_their_birth() -> None:
    assert doomed(process(15, INIT, 60), process(30, INIT, 100), since=(100, 20)) == {30}


def test_the_dead_need_no_killing() -> None:
    assert doomed(process(20, SHELL, 100, state="Z"), process(21, 20, 101)) == {21}


def test_the_shells_and_inits_own_are_spared() -> None:
    assert doomed(process(3, INIT, 200, session=INIT)) == set()


def test_a_name_with_brackets_and_spaces_is_read() -> None:
    row = "7 (a) b (c) S 5 6 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0"
    assert parse(row) == Process(7, "S", 5, 4, 12345)
    assert parse("") is None


def test_a_plain_shell_lists_this_machine() -> None:
    done = subprocess.run(["sh"], input=LIST + b"\n", capture_output=True, check=True, timeout=60)
    listed = {p.pid: p for p in parse_table(done.stdout.decode(errors="replace"))}
    assert listed[os.getpid()].parent == os.getppid()


def test_a_table_during_which_somebody_was_born_says_so() -> None:
    rows = "20 (a) S 10\n21 (b) S 10\n"
    assert not stirred(f"40\n{rows}40\n")
    assert stirred(f"40\n{rows}41\n")
    assert stirred(rows), "who cannot tell must look again"


def test_the_shell_prints_a_table_and_what_was_born_meanwhile() -> None:
    printed = subprocess.run(["sh", "-c", LIST], capture_output=True, check=True).stdout.decode()
    first, *_, last = printed.splitlines()
    assert first.isdecimal() and last.isdecimal()


def test_the_unburied_are_ours_as_long_as_their_parent_is_the_shell_or_init() -> None:
    hunt = Hunt(SHELL, (100, 0), INIT, {SHELL, WARDEN})
    assert hunt.unburied([*BASE, process(20, SHELL, 100, state="Z")])
    assert hunt.unburied([*BASE, process(20, INIT, 100, state="Z")])
    assert not hunt.unburied([*BASE, process(15, INIT, 60), process(20, 15, 100, state="Z")])
