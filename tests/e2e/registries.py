"""A real registry on loopback, images put into it by hand, and a road to it that can go bad."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REQUIRED

START_SECONDS = 30.0
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_CONFIG = "application/vnd.docker.container.image.v1+json"


@contextmanager
def registry(folder: Path, *, users: Mapping[str, str] | None = None) -> Iterator[str]:
    """Debian's docker-registry, `host:port` on loopback; with `users`, to them alone."""
    binary = shutil.which("docker-registry")
    if binary is None:
        (pytest.fail if REQUIRED else pytest.skip)("no docker-registry on this machine")
    port = _free_port()
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "blobs")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    if users:
        (folder / "users").write_text("".join(f"{name}:{crypt}\n" for name, crypt in users.items()))
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "users")}}
    (folder / "registry.yml").write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            [binary, "serve", str(folder / "registry.yml")], stdout=log, stderr=log
        )
    try:
        _wait_for(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > give_up:
            raise TimeoutError("docker-registry does not listen")
        time.sleep(0.02)


@dataclass(frozen=True)
class Blob:
    """A layer, or an image's configuration, as a registry keeps it."""

    packed: bytes
    diff_id: str = ""

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.packed).hexdigest()}"


def layer(tarred: bytes) -> Blob:
    packed = gzip.compress(tarred, compresslevel=1, mtime=0)
    return Blob(packed, f"sha256:{hashlib.sha256(tarred).hexdigest()}")


def padding(name: str, size: int) -> Blob:
    """A layer of one file of so many bytes that no compression makes smaller, its own by name."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(f"pad/{name}")
        entry.size = size
        archive.addfile(entry, io.BytesIO(hashlib.shake_128(name.encode()).digest(size)))
    return layer(packed.getvalue())


def publish(
    host: str,
    name: str,
    layers: Sequence[Blob],
    *,
    architecture: str = "amd64",
    auth: Mapping[str, str] | None = None,
) -> str:
    """Put an image of these layers into a registry as `repository:tag`; return its digest."""
    repository, _, tag = name.partition(":")
    config = Blob(json.dumps(_configuration(layers, architecture)).encode())
    with _talking(host, auth) as talk:
        for blob in (*layers, config):
            if talk("HEAD", f"/v2/{repository}/blobs/{blob.digest}").status == 404:
                place = talk("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
                place = place.partition(host)[2] or place
                joint = "&" if "?" in place else "?"
                assert talk("PUT", f"{place}{joint}digest={blob.digest}", blob.packed).status == 201
        listed = [_listed(_LAYER, blob) for blob in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _listed(_CONFIG, config),
            "layers": listed,
        }
        body = json.dumps(manifest).encode()
        told = talk("PUT", f"/v2/{repository}/manifests/{tag}", body, **{"Content-Type": _MANIFEST})
        assert told.status == 201
        return str(told.headers["Docker-Content-Digest"])


def _listed(kind: str, blob: Blob) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(blob.packed), "digest": blob.digest}


def _configuration(layers: Sequence[Blob], architecture: str) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "WorkingDir": "/app"},
        "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob in layers]},
        "history": [{"created_by": f"layer {number}"} for number in range(len(layers))],
    }


@dataclass(frozen=True)
class _Told:
    status: int
    headers: Mapping[str, str]


@contextmanager
def _talking(host: str, auth: Mapping[str, str] | None) -> Iterator[Callable[..., _Told]]:
    connection = HTTPConnection(host, timeout=60)

    def talk(method: str, path: str, body: bytes | None = None, **headers: str) -> _Told:
        connection.request(method, path, body, {**(auth or {}), **headers})
        answer = connection.getresponse()
        answer.read()
        return _Told(answer.status, dict(answer.getheaders()))

    try:
        yield talk
    finally:
        connection.close()


@dataclass
class Road:
    """What is between a registry and those who ask it: tells what passes, and can go bad.

    Each rule in `trouble` takes one request that it fits, and is then used up.
    """

    host: str
    """Where it listens."""
    seen: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request, in order."""
    trouble: list[Trouble] = field(default_factory=list)
    closed: bool = False
    """Whether every request is answered 503."""
    bytes_per_second: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, words: str) -> list[str]:
        return [path for method, path in list(self.seen) if words in f"{method} {path}"]

    def next_trouble(self, method: str, path: str) -> Trouble | None:
        with self.lock:
            self.seen.append((method, path))
            if self.closed:
                return Trouble("", 503)
            for rule in self.trouble:
                if rule.words in f"{method} {path}":
                    self.trouble.remove(rule)
                    return rule
        return None


@dataclass(frozen=True, eq=False)
class Trouble:
    """What becomes of a request whose method and path hold these words."""

    words: str
    status: int = 0
    """Answer so; 0: cut the true answer in the middle."""
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def road(to: str) -> Iterator[Road]:
    """A road to the registry at `host:port`."""

    class Passing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _pass_on(self, made, to)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    class Listening(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            """Clients hang up on it as it does on them."""

    with Listening(("127.0.0.1", 0), Passing) as server:
        made = Road(f"127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


def _pass_on(asked: BaseHTTPRequestHandler, made: Road, to: str) -> None:
    trouble = made.next_trouble(asked.command, asked.path)
    if trouble and trouble.status:
        _refuse(asked, trouble)
        return
    connection = HTTPConnection(to, timeout=60)
    try:
        connection.putrequest(asked.command, asked.path, skip_host=True, skip_accept_encoding=True)
        for name, value in asked.headers.items():
            if name.lower() != "connection":
                connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        asked.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("server", "date", "connection", "transfer-encoding"):
                asked.send_header(name, value)
        asked.end_headers()
        if asked.command != "HEAD":
            _pour(asked, answer.read(), made, cut=trouble is not None)
    except (HTTPException, OSError):
        asked.close_connection = True
    finally:
        connection.close()


def _pour(asked: BaseHTTPRequestHandler, body: bytes, made: Road, *, cut: bool) -> None:
    if cut:
        asked.wfile.write(body[: len(body) // 2])
        asked.wfile.flush()
        with suppress(OSError):
            asked.connection.shutdown(socket.SHUT_RDWR)
        asked.close_connection = True
        return
    piece = len(body) or 1
    if made.bytes_per_second:
        piece = max(1, int(made.bytes_per_second / 20))
    for start in range(0, len(body), piece):
        asked.wfile.write(body[start : start + piece])
        if made.bytes_per_second:
            time.sleep(0.05)


def _refuse(asked: BaseHTTPRequestHandler, trouble: Trouble) -> None:
    body = json.dumps({"errors": [{"code": _CODES.get(trouble.status, "UNKNOWN")}]}).encode()
    asked.send_response(trouble.status)
    for name, value in {**trouble.headers, "Content-Type": "application/json"}.items():
        asked.send_header(name, value)
    asked.send_header("Content-Length", str(len(body)))
    asked.end_headers()
    if asked.command != "HEAD":
        asked.wfile.write(body)


_CODES = {429: "TOOMANYREQUESTS", 503: "UNAVAILABLE"}
