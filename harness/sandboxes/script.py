"""The text that a plain `sh` is sent: quoting, and the frame around each command.

Everything here must mean the same to dash, busybox ash and bash, and need no program but them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNPRINTABLE = re.compile(rb"[^ !#-$&\(-\[\]-~\n]")
_ESCAPES = {bytes([byte]): b"\\%03o" % byte for byte in range(256)} | {b"%": b"%%"}


def quote(text: str) -> bytes:
    """One word of shell that means `text`, byte for byte."""
    raw = os.fsencode(text)
    if b"\0" in raw:
        raise ValueError("a command, its variables and paths cannot hold a NUL byte")
    return b"'" + raw.replace(b"'", b"'\\''") + b"'"


def printf(data: bytes) -> bytes:
    """A builtin that prints exactly these bytes: no program, no temporary file."""
    text = _UNPRINTABLE.sub(lambda found: _ESCAPES[found[0]], data)
    if text.startswith(b"-"):  # or it would be an option
        text = _ESCAPES[b"-"] + text[1:]
    return b"printf '" + text + b"'"


def command(argv: Sequence[str], workdir: str, env: Mapping[str, str]) -> bytes:
    """Become `argv` in `workdir`. 127: there is no such program; 126: it cannot be run."""
    if not argv:
        raise ValueError("a command needs at least a program to run")
    lines = [b"cd " + quote(workdir) + b" || exit 126"]
    for name, value in env.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a name that a shell can export")
        lines.append(b"export " + name.encode() + b"=" + quote(value))
    return b"\n".join([*lines, b"exec " + b" ".join(map(quote, argv))])


def framed(
    body: bytes, nonce: str, *, stdin: bytes = b"", out: bytes = b"/proc/self/fd/1"
) -> bytes:
    """Run `body` in a subshell in the foreground, then print the nonce and its exit code.

    In the foreground, because the background ignores SIGINT. `out` is opened anew for each command:
    one that leaves its output non-blocking, as many runtimes do, spoils it for nobody else.
    """
    feed, source = (printf(stdin) + b" | ", b"") if stdin else (b"", b" </dev/null")
    run = feed + b"(" + body + b"\n)" + source + (b" >" + out if out else b"") + b" 2>&1\n"
    # A full non-blocking pipe makes printf fail: try again, or nobody learns that we are done.
    status = b"harness_status=$?\nuntil printf '%s %%d\\n' \"$harness_status\"; do :; done\n"
    return run + status % nonce.encode()
