"""What a log says when the machine, and not the code under test, was at fault."""

from __future__ import annotations

import re

from harness.errors import Fault

_MACHINE = (
    r"No space left on device|Disk quota exceeded|ENOSPC"
    r"|Cannot allocate memory|fork: (?:retry: )?Resource temporarily unavailable"
    r"|Cannot connect to the Docker daemon|OCI runtime exec failed|Input/output error"
)
_NETWORK = (
    r"Temporary failure in name resolution|Could not resolve host|EAI_AGAIN|getaddrinfo ENOTFOUND"
    r"|Network is unreachable|TLS handshake timeout|ECONNRESET|502 Bad Gateway"
)
KILLED = 137
"""The exit code after SIGKILL, which is how the kernel ends a process for want of memory."""


def trouble(log: bytes, *, exit_code: int | None = None, network: bool = False) -> str | None:
    """The line of a log that points to the machine, or None.

    To be asked only where *no* result at all could be read. Everything in a log may have been
    printed by the code under test, so wherever there are results this would be a way to turn a
    zero into no measurement. `network` says that the task is allowed one and relies on it.
    """
    pattern = f"{_MACHINE}|{_NETWORK}" if network else _MACHINE
    text = log.decode(errors="replace")
    if found := re.search(rf"^.*(?:{pattern}).*$", text, re.MULTILINE):
        return found[0].strip()[:300]
    if exit_code == KILLED:
        return f"the runner was killed (exit {KILLED}): out of memory?"
    return None


def suspect(log: bytes, *, exit_code: int | None = None, network: bool = False) -> Fault | None:
    """The fault to raise where nothing could be read and the log points to the machine."""
    line = trouble(log, exit_code=exit_code, network=network)
    return (
        Fault("sandbox", f"no test reported a result, and the log says: {line}") if line else None
    )
