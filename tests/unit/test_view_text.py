"""Text that anyone wrote, and patches, as the viewer shows them."""

from __future__ import annotations

from results.view.diff import files
from results.view.visible import bare, decoded, one_line, visible


def test_what_has_no_glyph_or_turns_direction_is_spelt_out() -> None:
    assert visible("a\0b") == "a\u2400b"
    assert visible("\u202egnp.exe") == "⟨U+202E⟩gnp.exe"
    assert visible("\ud800") == "⟨U+D800⟩"
    assert visible("zero\u200bwidth\x7f") == "zero⟨U+200B⟩width\u2421"
    assert visible("naïve 日本 ✓\r\n\tend") == "naïve 日本 ✓\n\tend"


def test_bytes_that_are_no_text_are_shown_as_bytes() -> None:
    assert visible(decoded(b"\xff\xfeok")) == "⟨FF⟩⟨FE⟩ok"


def test_codes_for_terminals_are_left_out_of_outputs_and_seen_in_commands() -> None:
    coloured = "\x1b[1;31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x9b2J"
    assert bare(coloured) == "red link"
    assert "\x1b" not in visible(coloured) and "␛[1;31m" in visible(coloured)
    assert bare("cut off \x1b") == "cut off ␛"


def test_a_line_is_short_however_long_the_text() -> None:
    assert one_line("a\n b") == "a b"
    assert len(one_line("x" * 10**6)) == 160


def test_a_patch_is_read_by_the_counts_of_its_hunks() -> None:
    text = (
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@ f\n-- old\n+++ new\n same\n"
        "diff --git a/bin b/bin\nnew file mode 100644\nBinary files /dev/null and b/bin differ\n"
    )
    first, second = files(text)
    assert (first.path, first.added, first.removed) == ("x", 1, 1)
    assert [(line.kind, line.text, line.old, line.new) for line in first.lines[1:]] == [
        ("-", "- old", 1, 0),
        ("+", "++ new", 0, 1),
        (" ", "same", 2, 2),
    ]
    assert second.path == "bin" and len(second.remarks) == 2


def test_in_a_line_that_was_changed_the_change_is_marked() -> None:
    text = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-call(one, two)\n+call(1, two)\n"
    lines = files(text)[0].lines
    assert [line.text[line.begin : line.end] for line in lines[1:]] == ["one", "1"]


def test_a_hunk_that_ends_early_and_no_patch_at_all_are_shown_as_they_are() -> None:
    assert [line.kind for line in files("@@ -1,9 +1,9 @@\n a")[0].lines] == ["@", " "]
    assert files("what is this?")[0].remarks == ["what is this?"]
    assert files("") == []
