"""The side container: it holds the network that a box shares, and hands us the loopback's port.

What makes the socket is thus never in the box, where a command could meet it or end it. The side's
image is empty but for links: the program is this machine's own Python, mounted read-only. It makes
the socket that listens on the box's loopback, gives it to us, and ends when we do.
"""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound
from docker.types import Mount

from harness.errors import Fault
from harness.sandboxes.bubblewrap_root import interpreter, system_folders
from harness.sandboxes.doorway import PORT
from harness.sandboxes.local import python
from harness.sandboxes.locks import file_lock
from harness.sandboxes.trees import private_folder, remove_tree

REPOSITORY = "harness-side"
START_SECONDS = 60.0
_POLL_SECONDS = 0.5
_MEMORY_MB = 128
_SOCKET = "/handover"
_HOLDER = """
import socket, sys
owner = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
owner.connect(sys.argv[1])
with socket.create_server(("127.0.0.1", int(sys.argv[2]))) as port:
    socket.send_fds(owner, [b"port"], [port.fileno()])
owner.recv(1)
"""


class Side:
    """One side container. `start` and `close` block; what was begun is undone by `close`."""

    def __init__(self, client: docker.DockerClient, name: str) -> None:
        self.name = name
        self.port: socket.socket | None = None
        self._client = client
        self._folder = private_folder()
        self._owner: socket.socket | None = None

    def start(self, network: str, labels: Mapping[str, str]) -> None:
        """Fault, in one line, where an engine cannot run our own Python beside its boxes."""
        place = self._folder / "handover"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as waiting:
            waiting.bind(str(place))
            place.chmod(0o666)  # the folder is private; an engine may give its root another number
            waiting.listen(1)
            waiting.settimeout(_POLL_SECONDS)
            try:
                self._create(place, network, labels).start()
            except APIError as error:
                raise Fault("sandbox", _trouble(str(error.explanation or error))) from error
            self._owner = self._accepted(waiting)
        self._owner.settimeout(START_SECONDS)
        said, fds, _, _ = socket.recv_fds(self._owner, 16, 1)
        if not fds:
            raise Fault("sandbox", _trouble(f"it hands out no port {PORT}: {said!r}"))
        self.port = socket.socket(fileno=fds[0])

    def close(self) -> None:
        for each in (self.port, self._owner):
            if each:
                each.close()
        remove_tree(self._folder)

    def _accepted(self, waiting: socket.socket) -> socket.socket:
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up:
            try:
                return waiting.accept()[0]
            except TimeoutError:
                if not self._lives():
                    break
        raise Fault("sandbox", _trouble("its Python does not start"))

    def _lives(self) -> bool:
        try:
            return str(self._client.containers.get(self.name).status) in ("created", "running")
        except APIError:
            return False

    def _create(self, place: Path, network: str, labels: Mapping[str, str]) -> Any:
        return self._client.containers.create(
            _image(self._client),
            ["-I", "-S", "-c", _HOLDER, _SOCKET, str(PORT)],
            name=self.name,
            entrypoint=str(python()),
            auto_remove=True,
            labels=dict(labels),
            network_mode=network,
            mounts=[*_programs(), Mount(_SOCKET, str(place), type="bind")],
            mem_limit=f"{_MEMORY_MB}m",
            pids_limit=16,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges", "label=disable"],
        )


def _trouble(why: str) -> str:
    return (
        f"the side container of a box with a door does not run ({' '.join(why.split())}): "
        "it needs an engine on this same Linux machine; or use --sandbox bubblewrap"
    )


def _programs() -> list[Mount]:
    folders = [path for path, link in system_folders() if not link]
    folders += [path for path in interpreter() if path not in folders]
    return [Mount(path, path, type="bind", read_only=True) for path in folders]


def _image(client: docker.DockerClient) -> str:
    """An image of nothing but the links among this machine's top folders."""
    links = [(path, link) for path, link in system_folders() if link]
    name = f"{REPOSITORY}:{hashlib.sha256(repr(links).encode()).hexdigest()[:12]}"
    with file_lock(name.replace(":", "-")):
        try:
            client.images.get(name)
        except ImageNotFound:
            repository, _, tag = name.partition(":")
            client.api.import_image_from_data(_packed(links), repository=repository, tag=tag)
    return name


def _packed(links: list[tuple[str, str]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, target in links:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
        for folder in ("usr", "proc", "dev"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
    return packed.getvalue()
