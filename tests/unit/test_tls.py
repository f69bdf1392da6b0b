"""Calls to an endpoint behind TLS: of an authority of one's own, and of one that proves nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from harness.errors import Fault, UsageError
from harness.models.connection import connect
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint, preflight
from harness.types import Message, Reply, Request

pytestmark = pytest.mark.anyio
BODY = b'{"model": "m", "choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


@asynccontextmanager
async def serving(authority: trustme.CA, name: str) -> AsyncIterator[Endpoint]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER % (len(BODY), BODY))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        yield Endpoint(f"https://localhost:{port}/v1", "sk-secret")


async def ask(endpoint: Endpoint) -> Reply:
    connection = connect("m", endpoint, Knobs(attempts=2, first_pause=0.01))
    try:
        return await connection.complete(Request((Message("user", "hi"),)))
    finally:
        await connection.close()


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """Trusted by way of the variable that OpenSSL, requests and httpx know."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


async def test_an_authority_of_ones_own_is_trusted(authority: trustme.CA) -> None:
    async with serving(authority, "localhost") as endpoint:
        assert (await ask(endpoint)).message.content == "hello"


@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_a_certificate_that_proves_nothing_is_refused_in_words(
    authority: trustme.CA, wrong: str
) -> None:
    other = trustme.CA() if wrong == "authority" else authority
    async with serving(other, "elsewhere" if wrong == "name" else "localhost") as endpoint:
        with pytest.raises(Fault, match="certificate verify failed"):
            await ask(endpoint)
        with pytest.raises(UsageError, match=r"certificate verify failed.*set SSL_CERT_FILE"):
            await preflight(endpoint)
