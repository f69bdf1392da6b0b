"""The first process of a box that no engine keeps: a program of its own, with nothing but Python.

It starts a `sh` whenever it is sent a pair of pipes, buries orphans, kills everybody when told to,
and when its owner is gone. It is run from its text (`python -c`), so that a box need not see this
file, and it imports nothing of the project.

With a PORT it listens there, on the box's loopback, and hands the socket out to its owner.

usage: python -I -S -c TEXT CONTROL-FD RLIMITS [PORT]
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36
SHELLS: set[int] = set()
"""Those we started, and nobody else's orphans."""


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    limits = [tuple(map(int, limit.split("="))) for limit in sys.argv[2].split(",") if limit]
    os.umask(0o022)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # nobody in the box may trace us
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    woken, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for unwanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(unwanted, lambda *_: None)
    hello(control, sys.argv[3:])
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    watch = select.poll()  # `select` itself knows no descriptor above 1,023, and ours may be any
    for fd in (control.fileno(), woken):
        watch.register(fd, select.POLLIN)
    while serve(control, woken, limits, {fd for fd, _ in watch.poll()}):
        pass
    purge(control)


def hello(control: socket.socket, wanted: list[str]) -> None:
    ports = [socket.create_server(("127.0.0.1", int(port))) for port in wanted]
    socket.send_fds(control, [b"ready"], [port.fileno() for port in ports])
    for port in ports:
        port.close()


def serve(
    control: socket.socket, woken: int, limits: list[tuple[int, ...]], ready: set[int]
) -> bool:
    """Do what is asked or due; False once the owner is gone."""
    if woken in ready:
        with suppress(BlockingIOError):
            os.read(woken, 4096)
        bury(control)
    if control.fileno() in ready:
        try:
            order, fds, _, _ = socket.recv_fds(control, 256, 2)
        except OSError:
            return False
        if not order:
            return False
        if order == b"purge":
            purge(control)
            tell(control, b"purged")
        else:
            pid = start(fds, limits)
            tell(control, b"started %b %d" % (order, pid))
            for fd in fds:
                os.close(fd)
    return True


def start(fds: list[int], limits: list[tuple[int, ...]]) -> int:
    try:
        pid = os.fork()
    except OSError:
        return 0
    if pid:
        SHELLS.add(pid)
        return pid
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            with suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)
        os.dup2(fds[0], 0)
        os.dup2(fds[1], 1)
        os.dup2(fds[1], 2)
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        with suppress(OSError):  # where memory runs out, a command goes before its keeper
            Path("/proc/self/oom_score_adj").write_text("500")
        for kind, value in limits:
            with suppress(OSError, ValueError):
                resource.setrlimit(kind, (value, value))
        os.execv("/bin/sh", ["/bin/sh"])
    finally:
        os._exit(127)


def bury(control: socket.socket) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            mourn(control, pid)


def mourn(control: socket.socket, pid: int) -> None:
    """Only the shells that we started are news; orphans may be thousands."""
    if pid in SHELLS:
        SHELLS.discard(pid)
        tell(control, b"ended %d" % pid)


def tell(control: socket.socket, message: bytes) -> None:
    with suppress(OSError):
        control.send(message)


def purge(control: socket.socket) -> None:
    """Kill everybody below us, and return once they are dead and buried."""
    while True:
        for pid in doomed():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, _ = os.waitpid(-1, 0)
        except ChildProcessError:
            return
        mourn(control, pid)
        bury(control)


def doomed() -> set[int]:
    """Who has a process table of one's own can do it at one stroke."""
    return {-1} if os.getpid() == 1 else descendants(os.getpid())


def descendants(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                row = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                parents[int(entry.name)] = int(row[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {root}


if __name__ == "__main__":
    main()
