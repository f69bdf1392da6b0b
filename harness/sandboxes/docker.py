"""Boxes made by a Docker engine: control through its SDK, commands over one hijacked exec each."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import docker
from docker.constants import DEFAULT_UNIX_SOCKET
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.containers import Container
from docker.types import Mount
from docker.utils import kwargs_from_env

from harness.api import Sandbox
from harness.errors import Fault, UsageError, blame
from harness.sandboxes.box import Box, Door
from harness.sandboxes.docker_images import Image, Images
from harness.sandboxes.docker_pulls import pulls_of
from harness.sandboxes.docker_shelf import Shelf
from harness.sandboxes.docker_side import Side
from harness.sandboxes.docker_stock import Bounds, ImageStock
from harness.sandboxes.docker_views import Views
from harness.sandboxes.docker_wire import open_wire
from harness.sandboxes.doorway import PORT, forwarding
from harness.sandboxes.owner import Owner
from harness.sandboxes.shell import Listener, Wire
from harness.sandboxes.sizes import read as read_size
from harness.sandboxes.threads import in_thread, unhurried
from harness.types import Environment, Prepared

RUN_LABEL = "harness.run"
EXPIRES_LABEL = "harness.expires"
OWNER_LABEL = "harness.owner"

STROKE = "USR1"
KEEPER = """
exec 2>/dev/null
trap 'kill -9 -1' USR1
command -v sleep >/dev/null || while :; do read -r forever; done
read -r now rest </proc/uptime
end=${3:-$((${now%%.*} + $1))}
trap 'exec /bin/sh -c "$2" harness "$1" "$2" "$end"' EXIT
while read -r now rest </proc/uptime; left=$((end - ${now%%.*})); [ "$left" -gt 0 ]; do
    sleep "$left" &
    wait
done
trap - EXIT
"""
"""The first process of a box. It needs `sh` alone, buries orphans, cannot be killed from inside,
and ends by itself even where nobody is left to remove it. A shell that finds no room for `sleep`
ends (a fork bomb sees to that), and becomes its own successor. Takes its lifetime and its text.

On STROKE it kills whatever else is in the box, in one call and without a process more."""

_STROKES, _STROKE_SECONDS = 10, 3.0
"""How often a stroke is dealt, and how long those who were killed may take to go: one that meets a
shell which is being succeeded is not heard."""

_CAPABILITIES = [  # what package managers need, and no more
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETFCAP",
    "SETGID",
    "SETUID",
]


class Docker:
    """Containers: named before they are made, labelled, limited, and gone at the end."""

    def __init__(
        self,
        run_id: str = "adhoc",
        lifetime: int = 6 * 3600,
        *,
        disk: str = "",
        mirror: str = "",
        pulls: int = 3,
        platform: str = "",
    ) -> None:
        self._run_id = run_id
        self._lifetime = lifetime
        self._client = connect()
        self._engine: dict[str, Any] = self._client.version()
        self._cpus = int(self._client.info().get("NCPU") or 0)
        shelf = Shelf(self._client)
        self._pulls = pulls_of(shelf, mirror, platform, pulls)
        self._images = Images(self._client, self._pulls, shelf)
        bounds = Bounds(read_size(disk) if disk else None, pulls)
        self.supply = ImageStock(self._images, self._pulls, self._forget, bounds)
        self._unremoved: set[str] = set()
        self._views = Views(self._client, lambda free, image: self._opened(free, image, user="0"))

    async def probe(self) -> None:
        """Return if the engine answers, and the registry that failed last; else what is amiss."""
        await in_thread(ping, self._client)
        await in_thread(self._tidy)
        await self._pulls.probe()

    async def stock(self) -> list[str]:
        """The names of the images that the engine has."""
        return await in_thread(stock, self._client)

    def close(self) -> None:
        """Hang up on the engine."""
        self._tidy()
        self._pulls.registries.close()
        self._client.close()

    async def prepare(self, environment: Environment, /) -> Prepared:
        started = time.monotonic()
        image = await self._image(environment)
        return Prepared(image.digest, time.monotonic() - started)

    @asynccontextmanager
    async def open(self, environment: Environment, /) -> AsyncIterator[Sandbox]:
        image = await self._image(environment)
        async with self._opened(environment, image) as (box, _):
            yield box

    async def _image(self, environment: Environment) -> Image:
        image = await self.supply.ready(environment)
        return await self._views.ready(image, environment) if environment.base else image

    @asynccontextmanager
    async def _opened(
        self, environment: Environment, image: Image, user: str = ""
    ) -> AsyncIterator[tuple[Sandbox, str]]:
        """A box and its container's name; its commands are `user`'s, by default the image's."""
        name = _new_name()
        box: Box | None = None
        async with self._network(environment) as network:
            try:
                with blame("sandbox"):
                    container = await unhurried(
                        in_thread(self._start, environment, image, name, network)
                    )
                box = Box(self._door(container, environment, image, user))
                yield box, name
                await box.last_look()
            finally:
                if box is not None:
                    box.close()
                await unhurried(in_thread(self._remove, name))

    @asynccontextmanager
    async def _network(self, environment: Environment) -> AsyncIterator[str]:
        """What a box is connected with, in the engine's words: where it has a door, its side."""
        network = "bridge" if environment.network == "open" else "none"
        if not environment.door:
            yield network
            return
        side = Side(self._client, _new_name())
        try:
            with blame("sandbox"):
                await unhurried(in_thread(side.start, network, self._labels()))
            async with forwarding(side.port, environment.door):
                yield f"container:{side.name}"
        finally:
            await unhurried(in_thread(side.close))
            await unhurried(in_thread(self._remove, side.name))

    def _door(
        self, container: Container, environment: Environment, image: Image, user: str
    ) -> Door:
        async def connect(listener: Listener, /) -> Wire:
            with blame("sandbox"):
                hijacked = await in_thread(_exec_shell, self._client, container.id, user)
                return await open_wire(hijacked, listener)

        async def purge() -> None:
            with blame("sandbox"):
                await in_thread(strike, container)

        return Door(connect, purge, environment.workdir, self._facts(environment, image))

    def _facts(self, environment: Environment, image: Image) -> dict[str, Any]:
        return {
            "sandbox": "docker",
            "engine": str(self._engine.get("Version", "")),
            "image": image.name,
            "image_digest": image.digest,
            "platform": image.platform,
            "cpus": self._granted(environment.cpus),
            "memory_mb": environment.memory_mb,
            "pids": environment.pids,
            "network": environment.network,
            **({"door": PORT} if environment.door else {}),
            **({"certificate": image.certificate} if image.certificate else {}),
        }

    def _granted(self, cpus: float) -> float:
        """No engine gives more processors than it has; asking is an error."""
        return min(cpus, float(self._cpus)) if self._cpus else cpus

    def _start(self, environment: Environment, image: Image, name: str, network: str) -> Container:
        try:
            container = self._create(environment, image, name, network)
        except ImageNotFound as error:
            self._forget(image.id)
            why = f"image {image.name!r} is gone from the engine; the next try looks for it again"
            raise Fault("sandbox", why) from error
        container.start()
        return container

    def _forget(self, image_id: str) -> None:
        self._images.forget(image_id)
        self._views.forget(image_id)

    def _create(self, environment: Environment, image: Image, name: str, network: str) -> Container:
        return self._client.containers.create(
            image.id,
            ["-c", KEEPER, "harness", str(self._lifetime), KEEPER],
            name=name,
            entrypoint="/bin/sh",
            stdin_open=True,
            auto_remove=True,
            labels=self._labels(),
            network_mode=network,
            mounts=[
                Mount(place, source, type="bind", read_only=True)
                for source, place in environment.mounts.items()
            ],
            working_dir=environment.workdir,
            environment=dict(environment.variables),
            nano_cpus=int(self._granted(environment.cpus) * 1e9),
            mem_limit=f"{environment.memory_mb}m",
            memswap_limit=f"{environment.memory_mb}m",
            pids_limit=environment.pids,
            cap_drop=["ALL"],
            cap_add=_CAPABILITIES,
            security_opt=["no-new-privileges"],
            healthcheck={"test": ["NONE"]},
        )

    def _labels(self) -> dict[str, str]:
        return {
            RUN_LABEL: self._run_id,
            EXPIRES_LABEL: str(int(time.time()) + self._lifetime),
            OWNER_LABEL: str(Owner.me()),
        }

    def _remove(self, name: str) -> None:
        self._unremoved.add(name)
        self._tidy()

    def _tidy(self) -> None:
        """Remove what is due, now or at the next occasion if the engine does not answer.

        It is no fault of an attempt: what was measured in a box is none the worse for it, and a
        box that the engine brings back ends by itself within its lifetime.
        """
        for name in list(self._unremoved):
            try:
                remove_container(self._client, name)
            except (DockerException, OSError):
                return
            self._unremoved.discard(name)


def _new_name() -> str:
    """Given before a thing is made: a start that was cancelled can still be undone."""
    return f"harness-{uuid.uuid4().hex}"


def connect() -> docker.DockerClient:
    """A client of an engine that answers; UsageError where none does."""
    try:
        _knock()
        client = docker.from_env(timeout=600, max_pool_size=64)
    except (DockerException, OSError) as error:
        raise UsageError(_silence(error)) from error
    try:
        ping(client)
    except UsageError:
        client.close()
        raise
    return client


def ping(client: docker.DockerClient) -> None:
    try:
        client.ping()
    except (DockerException, OSError) as error:
        raise UsageError(_silence(error)) from error


def _knock() -> None:
    """See whether somebody is behind a local socket: the SDK would not close it where nobody is."""
    url = str(kwargs_from_env().get("base_url") or DEFAULT_UNIX_SOCKET)
    scheme, _, path = url.partition("://")
    if scheme.endswith("unix"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(30)
            probe.connect(path)


def stock(client: docker.DockerClient) -> list[str]:
    """Every tag, and what is tagged `latest` also without."""
    tags = [tag for image in client.api.images() for tag in image.get("RepoTags") or ()]
    return [*tags, *(tag.removesuffix(":latest") for tag in tags if tag.endswith(":latest"))]


def address(client: docker.DockerClient) -> str:
    return str(client.api.base_url).replace("http+docker://localhost", "the local socket")


def remove_container(client: docker.DockerClient, name: str) -> None:
    try:
        client.api.remove_container(name, force=True, v=True)
    except APIError as error:
        if error.status_code not in (404, 409):  # gone, or going
            raise


def leftovers(client: docker.DockerClient, run_id: str | None, *, all_: bool) -> list[str]:
    """Names of containers of the run; without one, of dead owners, or past their time, or all."""
    wanted = f"{RUN_LABEL}={run_id}" if run_id else RUN_LABEL
    found = client.containers.list(all=True, filters={"label": wanted}, ignore_removed=True)
    return [
        str(container.name) for container in found if all_ or run_id or _abandoned(container.labels)
    ]


def _abandoned(labels: Mapping[str, str]) -> bool:
    owner = Owner.parse(labels.get(OWNER_LABEL, ""))
    expires = labels.get(EXPIRES_LABEL, "")
    late = expires.isdecimal() and int(expires) < time.time()
    return late or (owner is not None and owner.dead)


def _silence(error: Exception) -> str:
    why = str(error).splitlines()[0][:200]
    return f"no Docker engine answers ({why}): start one, or use --sandbox bubblewrap"


def _exec_shell(client: docker.DockerClient, container: str | None, user: str) -> Any:
    """The socket of a new `sh` in a container."""
    try:
        made = client.api.exec_create(container, ["/bin/sh"], stdin=True, user=user)
        return client.api.exec_start(made["Id"], socket=True)
    except APIError as error:
        why = f"the box is gone, or starts no shell: {error.explanation}"
        raise Fault("sandbox", why) from error


def strike(container: Container) -> None:
    """End every process at one stroke, a fork bomb's too; the files stay, and the first process.

    The engine could restart the container, but on a busy machine it takes what it has just begun
    for a remnant of what it has ended, and kills it.
    """
    try:
        container.reload()
        before = _living(container)
        for _ in range(_STROKES):
            container.kill(signal=STROKE)
            end = time.monotonic() + _STROKE_SECONDS
            while time.monotonic() < end:
                after = _living(container)
                if len(after) <= 1 and not before & after:  # the first process's sleeper is new
                    return
                time.sleep(0.02)
    except APIError as error:
        raise Fault("sandbox", f"the box is gone: {error.explanation}") from error
    raise Fault("sandbox", "what is left in the box cannot be ended")


def _living(container: Container) -> set[str]:
    """Who lives in a box beside its first process; nobody that an engine without `ps` knows of."""
    try:
        rows = container.top(ps_args="-o pid,stat")["Processes"] or []
    except APIError:
        return set()
    first = str(container.attrs["State"]["Pid"])
    return {pid for pid, state, *_ in rows if pid != first and not state.startswith("Z")}
