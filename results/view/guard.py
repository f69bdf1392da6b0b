"""What stands before every page: only reading, only asked for by this machine, nothing that runs.

Pages show what models and programs wrote. Whatever of it slipped through as markup would find no
script that may run, nothing it may load and nowhere to send what it read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types page"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Guard:
    """An ASGI application that lets through what may be asked of `inner`."""

    def __init__(self, inner: App) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        if refusal := _refusal(scope):
            await _refuse(send, *refusal)
            return

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message["headers"] if pair[0].lower() not in _NAMES]
                message["headers"] = [*kept, *HEADERS]
            await send(message)

        await self._inner(scope, receive, guarded)


_NAMES = frozenset(name for name, _ in HEADERS)


def _refusal(scope: Scope) -> tuple[int, str] | None:
    """Why a request is not served. A page of elsewhere that names this address as its own host
    (DNS rebinding) says so in the Host header."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    host = hosts[0].lower() if len(hosts) == 1 else ""
    name, colon, port = host.rpartition(":")
    bare = name if colon and port.isdecimal() else host
    if bare not in HOSTS:
        return 421, "open this page as http://127.0.0.1 or http://localhost, with its port"
    if scope["method"] not in ("GET", "HEAD"):
        return 405, "this only shows; nothing can be changed here"
    return None


async def _refuse(send: Send, status: int, why: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS]
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{why}\n".encode()})
