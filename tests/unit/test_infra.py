"""A log can point to the machine, and code under test can hardly make it."""

from __future__ import annotations

import pytest

from tasks.infra import suspect, trouble


@pytest.mark.parametrize(
    "line",
    [
        "tar: x: Cannot write: No space left on device",
        "bash: fork: retry: Resource temporarily unavailable",
        "OSError: [Errno 12] Cannot allocate memory",
    ],
)
def test_the_line_that_blames_the_machine_is_the_evidence(line: str) -> None:
    assert trouble(f"collecting\n  {line}\nbye".encode()) == line
    fault = suspect(line.encode())
    assert fault and fault.culprit == "sandbox" and line in fault.message


def test_an_ordinary_failure_is_nobodys_fault_but_the_submissions() -> None:
    assert trouble(b"ImportError: cannot import name 'x'\nexit 1", exit_code=1) is None
    assert suspect(b"", exit_code=1) is None


def test_a_missing_network_is_trouble_only_where_one_was_promised() -> None:
    log = b"npm ERR! getaddrinfo ENOTFOUND registry.example"
    assert trouble(log) is None
    assert trouble(log, network=True)


def test_a_runner_that_was_killed_points_to_memory() -> None:
    assert "137" in (trouble(b"", exit_code=137) or "")


def test_bytes_that_are_no_text_are_read_past() -> None:
    assert trouble(b"\xff\xfe\x00 No space left on device\n\xff")
