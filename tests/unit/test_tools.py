"""What the tools do to files and say to the model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from harness.api import Sandbox
from harness.sandboxes.host import Host
from harness.types import Environment
from scaffolds.factors.output import Cut, Uncut, choose_output
from scaffolds.tools import edits
from scaffolds.tools.bash import MOST_BYTES, Shell
from scaffolds.tools.editor import Editor
from scaffolds.tools.edits import Refused, decode, encode, insert_after, replace_once

pytestmark = pytest.mark.anyio

WORKDIR = "/repo"


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    async with Host().open(Environment("", WORKDIR)) as sandbox:
        yield sandbox


def shell(box: Sandbox, cut: Cut | None = None, seconds: float = 60) -> Shell:
    return Shell(box, cut or Uncut(), seconds)


async def ask(editor: Editor, command: str, path: str, **more: Any) -> str:
    return await editor.run({"command": command, "path": path, **more})


@pytest.fixture
def editor(box: Sandbox) -> Editor:
    return Editor(box, Uncut(), WORKDIR)


async def test_bash_answers_with_the_output_alone_when_all_went_well(box: Sandbox) -> None:
    assert await shell(box).run({"command": "echo one; echo two >&2"}) == "one\ntwo"


async def test_bash_says_the_exit_code_when_it_is_not_0_or_nothing_was_printed(
    box: Sandbox,
) -> None:
    assert await shell(box).run({"command": "echo no; exit 3"}) == "no\n[exit code 3]"
    assert await shell(box).run({"command": "true"}) == "[exit code 0]"


async def test_every_command_starts_in_a_fresh_shell_at_the_working_directory(
    box: Sandbox,
) -> None:
    hands = shell(box)
    before = await hands.run({"command": "pwd"})
    await hands.run({"command": "cd /; export A=1"})
    assert await hands.run({"command": "pwd; echo $A"}) == before


async def test_a_command_over_its_deadline_is_reported_with_what_it_printed(box: Sandbox) -> None:
    told = await shell(box, seconds=2).run({"command": "echo before; exec sleep 600"})
    assert told == "before\n[killed after 2 s]"


async def test_what_a_terminal_would_swallow_never_reaches_the_model(box: Sandbox) -> None:
    command = r"printf '\033[31mred\033[0m \033]0;title\007a\000b \377'"
    assert await shell(box).run({"command": command}) == "red ab \ufffd"


async def test_the_exit_code_survives_the_cut_of_the_output(box: Sandbox) -> None:
    told = await shell(box, choose_output("tail:4")).run({"command": "echo 123456789; exit 2"})
    assert told == "[... 5 characters left out ...]\n6789\n[exit code 2]"


async def test_a_command_too_long_for_the_kernel_is_an_answer_and_not_a_crash(
    box: Sandbox,
) -> None:
    told = await shell(box).run({"command": "echo " + "x" * MOST_BYTES})
    assert told.startswith("[not run:")


async def test_a_missing_program_is_not_taken_for_a_missing_bash(box: Sandbox) -> None:
    hands = shell(box)
    assert "[exit code 127]" in await hands.run({"command": "no-such-program"})
    assert await hands.run({"command": "[[ a == a ]] && echo bash"}) == "bash"


async def test_a_box_without_bash_is_served_by_sh(tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    async with Host().open(Environment("", WORKDIR, variables={"PATH": str(tmp_path)})) as bare:
        assert (await bare.exec(["bash", "-c", ":"], kill_after=60)).exit_code == 127
        hands = shell(bare)
        assert await hands.run({"command": "echo hello"}) == "hello"
        assert "[exit code 127]" in await hands.run({"command": "no-such-program"})


async def test_a_file_is_shown_with_numbers_and_in_part_where_asked(
    box: Sandbox, editor: Editor
) -> None:
    await box.write("a.txt", b"one\ntwo\nthree\n")
    assert await ask(editor, "view", "a.txt") == (
        "./a.txt: 3 lines\n     1\tone\n     2\ttwo\n     3\tthree"
    )
    part = await ask(editor, "view", f"{WORKDIR}/a.txt", start=2, end=-1)
    assert part.splitlines()[1:] == ["     2\ttwo", "     3\tthree"]
    assert "the file has 3 lines" in await ask(editor, "view", "a.txt", start=9)


async def test_a_folder_is_shown_two_levels_deep(box: Sandbox, editor: Editor) -> None:
    await box.write("src/deep/er.py", b"")
    await box.write("src/a b.py", b"")
    await box.write(".git/HEAD", b"")
    told = await ask(editor, "view", ".")
    assert told.splitlines()[1:] == ["src/", "src/a b.py", "src/deep/"]


async def test_an_edit_answers_with_the_lines_around_it(box: Sandbox, editor: Editor) -> None:
    await box.write("a.py", b"".join(b"line %d\n" % n for n in range(1, 30)))
    told = await ask(editor, "replace", "a.py", old="line 15\n", new="new\nnewer\n")
    assert "    15\tnew\n    16\tnewer\n    17\tline 16" in told
    assert "line 5\n" not in told


async def test_mistakes_with_files_are_answers_and_never_crashes(
    box: Sandbox, editor: Editor
) -> None:
    await box.write("folder/file", b"text")
    await box.write("binary", b"\x7fELF\0\0")
    await box.write("huge", b"x" * ((1 << 20) + 1))
    assert "no such file" in await ask(editor, "view", "gone")
    assert "it is a folder" in await ask(editor, "create", "folder", text="x")
    assert "not a text file" in await ask(editor, "view", "binary")
    assert "larger than" in await ask(editor, "view", "huge")
    assert "needs the argument old" in await ask(editor, "replace", "folder/file", new="x")
    assert (await ask(editor, "create", "folder/file/below", text="x")).startswith("[create")
    assert "too long" in await ask(editor, "view", "n" * 300)
    assert "empty" in await ask(editor, "view", " ")
    assert await box.read("folder/file") == b"text"


async def test_undo_goes_back_change_by_change_to_before_the_file_was(
    box: Sandbox, editor: Editor
) -> None:
    await ask(editor, "create", "new.txt", text="one\n")
    await ask(editor, "insert", "new.txt", line=1, text="two")
    assert await box.read("new.txt") == b"one\ntwo\n"
    # However the path is spelled, it is the same file.
    await ask(editor, "undo", f"{WORKDIR}/./new.txt")
    assert await box.read("new.txt") == b"one\n"
    assert "is gone again" in await ask(editor, "undo", "new.txt")
    with pytest.raises(FileNotFoundError):
        await box.read("new.txt")
    assert "no change" in await ask(editor, "undo", "new.txt")


async def test_undo_keeps_its_hands_off_a_file_that_was_changed_since(
    box: Sandbox, editor: Editor
) -> None:
    await ask(editor, "create", "a.txt", text="one\n")
    await box.write("a.txt", b"by someone else\n")
    assert "changed by something else" in await ask(editor, "undo", "a.txt")
    assert await box.read("a.txt") == b"by someone else\n"


async def test_a_path_that_looks_like_an_option_is_a_path(box: Sandbox, editor: Editor) -> None:
    await ask(editor, "create", "-rf", text="x\n")
    await ask(editor, "undo", "-rf")
    await box.write("-/inner", b"")
    assert "inner" in await ask(editor, "view", "-")


async def test_executable_files_stay_executable(box: Sandbox, editor: Editor) -> None:
    await box.write("run.sh", b"#!/bin/sh\necho one\n")
    await box.exec(["chmod", "755", "run.sh"], kill_after=60)
    await ask(editor, "replace", "run.sh", old="one", new="two")
    assert (await box.exec(["./run.sh"], kill_after=60)).text == "two\n"


def replaced(data: bytes, old: str, new: str) -> bytes:
    return encode(replace_once(decode(data), old, new).text)


def inserted(data: bytes, line: int, text: str) -> bytes:
    return encode(insert_after(decode(data), line, text).text)


@pytest.mark.parametrize(
    ("data", "old", "new", "after"),
    [
        (b"a\r\nb\r\nc", "a\nb", "x\ny", b"x\r\ny\r\nc"),
        (b"a\r\nb\r\n", "b", "b\nc", b"a\r\nb\r\nc\r\n"),
        (b"a\r\nb\r\n", "\nb", "\nc", b"a\r\nc\r\n"),
        (b"\xef\xbb\xbfa\n", "a", "b", b"\xef\xbb\xbfb\n"),
        (b"caf\xe9\nb", "b", "caf\u00e9", b"caf\xe9\ncaf\xc3\xa9"),
        (b"a\x0cb\xe2\x80\xa8c\n", "c", "d", b"a\x0cb\xe2\x80\xa8d\n"),
        (b"a\nb\r\nc\n", "a\n", "x\n", b"x\nb\r\nc\n"),
        (b"only", "only", "", b""),
    ],
)
def test_replacing_leaves_every_other_byte_alone(
    data: bytes, old: str, new: str, after: bytes
) -> None:
    assert replaced(data, old, new) == after


@pytest.mark.parametrize(
    ("data", "line", "text", "after"),
    [
        (b"a\nb\n", 0, "x", b"x\na\nb\n"),
        (b"a\nb\n", 1, "x\ny\n", b"a\nx\ny\nb\n"),
        (b"a\nb", 2, "x", b"a\nb\nx"),
        (b"a\r\nb\r\n", 1, "x", b"a\r\nx\r\nb\r\n"),
        (b"\xef\xbb\xbfa\n", 0, "x", b"\xef\xbb\xbfx\na\n"),
        (b"", 0, "x", b"x\n"),
        (b"a\x0cb\nc\n", 1, "x", b"a\x0cb\nx\nc\n"),
    ],
)
def test_inserting_adds_whole_lines_with_the_files_own_ends(
    data: bytes, line: int, text: str, after: bytes
) -> None:
    assert inserted(data, line, text) == after


def test_an_ambiguous_replacement_names_every_place() -> None:
    with pytest.raises(Refused, match="occurs 3 times, at lines 1, 3, 4"):
        replace_once("x\ny\nx\nx\n", "x", "z")
    with pytest.raises(Refused, match="occurs 2 times"):
        replace_once("aaa", "aa", "b")


def test_a_replacement_that_fails_for_its_indentation_says_so() -> None:
    with pytest.raises(Refused, match=r"line 2 differs from it in indentation"):
        replace_once("def f():\n\treturn 1\n", "    return 1", "    return 2")


@pytest.mark.parametrize(("old", "new"), [("", "x"), ("a", "a"), ("b", "c")])
def test_a_replacement_that_changes_nothing_is_refused(old: str, new: str) -> None:
    with pytest.raises(Refused):
        replace_once("a", old, new)


@pytest.mark.parametrize("line", [-1, 3])
def test_a_line_that_is_not_there_is_refused(line: int) -> None:
    with pytest.raises(Refused, match="from 0 to 2"):
        insert_after("a\nb\n", line, "x")


def test_bytes_that_are_no_text_are_shown_in_a_way_that_can_be_sent() -> None:
    shown = edits.numbered(decode(b"\xef\xbb\xbfcaf\xe9\r\n"), 1, 1)
    assert shown == "     1\tcaf\ufffd"
    shown.encode()
