"""The text for a shell means the same to every shell that is here."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.sandboxes.script import command, framed, printf, quote

SHELLS = [
    argv
    for argv in (["dash"], ["bash", "--posix"], ["busybox", "sh"], ["mksh"])
    if shutil.which(argv[0])
] or [["sh"]]
NONCE = "feedbeef"


def run(shell: list[str], text: bytes) -> bytes:
    done = subprocess.run(shell, input=text, capture_output=True, check=False, timeout=60)
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS, ids=lambda argv: argv[0])
def test_a_word_is_quoted_byte_for_byte(shell: list[str]) -> None:
    word = os.fsdecode(bytes(range(1, 256)))
    body = command(["printf", "%s", word], "/", {})
    out = run(shell, framed(body, NONCE))
    assert out == bytes(range(1, 256)) + b"feedbeef 0\n"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda argv: argv[0])
@settings(deadline=None, max_examples=15)
@given(data=st.binary(max_size=500))
@example(data=b"-n")
@example(data=b"--")
@example(data=b"%s\\101'\"`$(id)!")
@example(data=bytes(range(256)))
def test_printf_prints_any_bytes(shell: list[str], data: bytes) -> None:
    assert run(shell, printf(data) + b"\n") == data


@pytest.mark.parametrize("shell", SHELLS, ids=lambda argv: argv[0])
def test_stdin_is_piped_and_the_exit_code_is_the_commands(shell: list[str]) -> None:
    body = command(["sh", "-c", "cat; exit 9"], "/", {})
    out = run(shell, framed(body, NONCE, stdin=b"\0%s\\'\n\xff"))
    assert out == b"\0%s\\'\n\xfffeedbeef 9\n"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda argv: argv[0])
def test_a_folder_that_is_gone_is_reported_as_126(shell: list[str]) -> None:
    out = run(shell, framed(command(["true"], "/no/such/folder", {}), NONCE))
    assert out.endswith(b"feedbeef 126\n")


@pytest.mark.parametrize("shell", SHELLS, ids=lambda argv: argv[0])
def test_one_command_after_the_other(shell: list[str]) -> None:
    first = framed(command(["sh", "-c", "exit 4"], "/", {"A": "it's"}), NONCE)
    second = framed(command(["sh", "-c", 'echo "[$A]"'], "/", {}), NONCE)
    assert run(shell, first + second) == b"feedbeef 4\n[]\nfeedbeef 0\n"


def test_nothing_can_hold_a_nul() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")


def test_an_empty_command_is_refused() -> None:
    with pytest.raises(ValueError, match="at least a program"):
        command([], "/", {})
