"""The output of one command: bounded in memory, and watched for its end."""

from __future__ import annotations

import asyncio
from collections import deque


class Capture:
    """Hold the head and the tail of a stream until the line that ends it.

    That line is a random nonce and an exit code. It may come in pieces, and right behind output
    that does not end in a newline.
    """

    def __init__(self, nonce: str, keep: int) -> None:
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        """The exit code, or None where the shell died first."""
        self._mark = nonce.encode() + b" "
        self._carry = b""
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._in_tail = 0
        self._most_head = max(0, keep) // 2
        self._most_tail = max(0, keep) - self._most_head
        self._total = 0

    def feed(self, data: bytes) -> None:
        if self.ended.done():
            return
        window = self._carry + data
        at = window.find(self._mark)
        if at < 0:
            safe = max(0, len(window) - len(self._mark) + 1)
            self._store(window[:safe])
            self._carry = window[safe:]
            return
        self._store(window[:at])
        self._carry = window[at:]
        code, newline, _ = self._carry[len(self._mark) :].partition(b"\n")
        if newline:
            self._carry = b""
            self.ended.set_result(int(code))

    def lose(self) -> None:
        """The shell is gone: there will be no more."""
        if not self.ended.done():
            self._store(self._carry)
            self._carry = b""
            self.ended.set_result(None)

    def result(self) -> tuple[bytes, int]:
        """What was kept, and how many bytes were not."""
        tail = b"".join(self._tail)
        tail = tail[max(0, len(tail) - self._most_tail) :]
        omitted = self._total - len(self._head) - len(tail)
        gap = b"\n[... %d bytes omitted ...]\n" % omitted if omitted else b""
        return bytes(self._head) + gap + tail, omitted

    def _store(self, data: bytes) -> None:
        self._total += len(data)
        room = self._most_head - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail.append(data)
        self._in_tail += len(data)
        while self._in_tail - len(self._tail[0]) >= self._most_tail:
            self._in_tail -= len(self._tail.popleft())
            if not self._tail:
                break
