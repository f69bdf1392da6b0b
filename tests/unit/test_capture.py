"""A capture keeps a head and a tail, and finds the end wherever the stream was cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sandboxes.capture import Capture

pytestmark = pytest.mark.anyio
NONCE = "0123456789abcdef"


def fed(stream: bytes, cuts: list[int], keep: int) -> Capture:
    capture = Capture(NONCE, keep)
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        capture.feed(stream[start:end])
    return capture


@pytest.mark.parametrize("code", [0, 7, 255])
async def test_the_end_carries_the_exit_code(code: int) -> None:
    capture = fed(b"said" + f"{NONCE} {code}\n".encode(), [], 100)
    assert capture.ended.result() == code
    assert capture.result() == (b"said", 0)


@given(
    output=st.binary(max_size=300),
    cuts=st.lists(st.integers(0, 400), max_size=12),
    keep=st.integers(0, 400),
)
async def test_however_it_is_cut_the_head_and_tail_are_exact(
    output: bytes, cuts: list[int], keep: int
) -> None:
    capture = fed(output + NONCE.encode() + b" 3\n", cuts, keep)
    assert capture.ended.result() == 3
    kept, omitted = capture.result()
    if len(output) <= keep:
        assert (kept, omitted) == (output, 0)
        return
    head, tail = keep // 2, keep - keep // 2
    gap = b"\n[... %d bytes omitted ...]\n" % (len(output) - keep)
    assert omitted == len(output) - keep
    assert kept == output[:head] + gap + output[len(output) - tail :]


async def test_what_comes_after_the_end_is_nobodys() -> None:
    capture = fed(f"mine{NONCE} 0\nlate".encode(), [], 100)
    capture.feed(b"later")
    assert capture.result() == (b"mine", 0)


async def test_a_shell_that_dies_leaves_what_was_said() -> None:
    capture = fed(b"half a line and half a " + NONCE.encode()[:5], [], 100)
    capture.lose()
    assert capture.ended.result() is None
    assert capture.result() == (b"half a line and half a 01234", 0)


async def test_a_flood_is_held_in_little_memory() -> None:
    capture = Capture(NONCE, 1000)
    for _ in range(1000):
        capture.feed(b"x" * 65536)
    held = sum(map(len, capture._tail)) + len(capture._head)
    assert held < 1000 + 2 * 65536
