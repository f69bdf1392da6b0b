"""What registries say of images before anything is pulled: digests, layers, limits. [httpx]

Asking for a digest costs none of the pulls that a registry allows; reading a manifest does. So what
is named by its digest is read once on a machine, and kept.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from harness.errors import Fault
from harness.sandboxes.references import HUB, Reference

_INDEX = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFEST = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT = {"Accept": ", ".join((*_INDEX, *_MANIFEST))}
_TRIES = 3
_SECONDS = 30.0
_AT_ONCE = 8

Credentials = Mapping[str, str]
"""As an engine's client keeps them: `username` and `password`, or `identitytoken`."""


class Refused(Fault):
    """A registry did not give what it was asked for."""

    def __init__(self, message: str, status: int = 0, wait: float | None = None) -> None:
        super().__init__("sandbox", message)
        self.status = status
        """0: it did not answer."""
        self.wait = wait
        """Seconds until it will answer again, where it said so."""


@dataclass(frozen=True, slots=True)
class Layer:
    key: str
    """Of the layer on top of those below it, as engines count what is shared."""
    packed: int
    """Bytes to download."""


@dataclass(frozen=True, slots=True)
class Described:
    """An image as its registry describes it, for one platform."""

    digest: str
    platform: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many pulls a registry allows in so many seconds, and how many are left."""

    limit: int
    left: int
    seconds: int


class Registries:
    """Asks any number of registries, with the credentials of the engine's client.

    Blocking calls, from any thread.
    """

    def __init__(
        self,
        credentials: Callable[[str], Credentials | None],
        platform: str,
        *,
        plain: frozenset[str] = frozenset(),
        cache: Path | None = None,
    ) -> None:
        self._credentials = credentials
        self.platform = platform
        self._plain = plain
        self._cache = cache or _cache_folder()
        self._clients: dict[bool, httpx.Client] = {}
        self._tokens: dict[tuple[str, str], str] = {}
        self._seats = threading.Semaphore(_AT_ONCE)
        self.allowances: dict[str, Allowance] = {}
        """By host, as the last answer told it."""

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def digest(self, image: Reference) -> str:
        """What the name stands for now. Refused, if the registry does not say."""
        if image.digest:
            return image.digest
        told = self._ask("HEAD", image, f"manifests/{image.tag}")
        if digest := told.headers.get("docker-content-digest", ""):
            return str(digest)
        return _sha256((self._ask("GET", image, f"manifests/{image.tag}")).content)

    def describe(self, image: Reference) -> Described:
        """The layers of an image. Refused, if the registry does not say."""
        digest = self.digest(image)
        manifest = self._content(image, "manifests", digest)
        if "manifests" in manifest:
            manifest = self._content(image, "manifests", self._for_us(image, manifest))
        if "config" not in manifest:
            raise Refused(f"{image.named}: its manifest is of a kind that nobody makes any more")
        config = self._content(image, "blobs", manifest["config"]["digest"])
        keys = chain(config["rootfs"]["diff_ids"])
        packed = [int(layer["size"]) for layer in manifest["layers"]]
        platform = f"{config.get('os', 'linux')}/{config.get('architecture', 'unknown')}"
        return Described(digest, platform, tuple(map(Layer, keys, packed)))

    def _for_us(self, image: Reference, index: Mapping[str, Any]) -> str:
        system, _, machine = self.platform.partition("/")
        offered = [(one.get("platform") or {}, one["digest"]) for one in index["manifests"]]
        for platform, digest in offered:
            if (platform.get("os"), platform.get("architecture")) == (system, machine):
                return str(digest)
        known = sorted({f"{p.get('os')}/{p.get('architecture')}" for p, _ in offered})
        raise Refused(f"{image.named} is not for {self.platform}: it is for {', '.join(known)}")

    def rate(self, image: Reference, seconds: float = 3.0) -> float:
        """Bytes per second, measured on the image's largest layer for at most so long."""
        described = self.digest(image)
        manifest = self._content(image, "manifests", described)
        if "manifests" in manifest:
            manifest = self._content(image, "manifests", self._for_us(image, manifest))
        largest = max(manifest["layers"], key=lambda layer: int(layer["size"]))
        client, url = self._client(image.host), self._url(image, f"blobs/{largest['digest']}")
        self._ask("HEAD", image, f"blobs/{largest['digest']}")  # for the token
        started, taken = time.monotonic(), 0
        with client.stream("GET", url, headers=self._bearer(image)) as body:
            if body.status_code != httpx.codes.OK:
                raise Refused(f"{image.host} answers {body.status_code}", body.status_code)
            for piece in body.iter_raw():
                taken += len(piece)
                if time.monotonic() - started > seconds:
                    break
        return taken / max(time.monotonic() - started, 1e-3)

    def _content(self, image: Reference, kind: str, digest: str) -> Any:
        kept = self._cache / digest.replace(":", "-")
        if kept.is_file() and _sha256(kept.read_bytes()) == digest:
            return json.loads(kept.read_bytes())
        told = (self._ask("GET", image, f"{kind}/{digest}")).content
        if _sha256(told) != digest:
            raise Refused(f"{image.host} answers with something else than {digest}")
        _keep(kept, told)
        return json.loads(told)

    def _ask(self, method: str, image: Reference, what: str) -> httpx.Response:
        for remaining in range(_TRIES - 1, -1, -1):
            try:
                return self._once(method, image, what)
            except Refused as refused:
                if not remaining or 0 < refused.status < 500:
                    raise
            time.sleep(0.3)
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, image: Reference, what: str) -> httpx.Response:
        client, url = self._client(image.host), self._url(image, what)
        try:
            with self._seats:
                told = client.request(method, url, headers=self._bearer(image))
                if told.status_code == httpx.codes.UNAUTHORIZED:
                    self._log_in(client, image, told.headers.get("www-authenticate", ""))
                    told = client.request(method, url, headers=self._bearer(image))
        except httpx.HTTPError as error:
            why = f"{type(error).__name__}: {error}".splitlines()[0]
            raise Refused(f"the registry {image.host} does not answer ({why})") from error
        self._note_allowance(image.host, told.headers)
        if told.is_success:
            return told
        raise Refused(
            f"{image.host} answers {told.status_code} for {image.repository}"
            f"{_HINTS.get(told.status_code, '')}",
            told.status_code,
            retry_after(told.headers),
        )

    def _log_in(self, client: httpx.Client, image: Reference, challenge: str) -> None:
        kind, _, rest = challenge.partition(" ")
        known = self._credentials(image.host) or {}
        user = httpx.BasicAuth(known["username"], known["password"]) if _named(known) else None
        if kind.lower() == "basic" and user:
            flow = user.auth_flow(httpx.Request("GET", "http://x/"))
            word = next(flow).headers["authorization"]
        elif kind.lower() == "bearer":
            asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
            word = f"Bearer {_token(client, asked, known, user)}"
        else:
            return
        self._tokens[image.host, image.repository] = word

    def _bearer(self, image: Reference) -> dict[str, str]:
        word = self._tokens.get((image.host, image.repository))
        return {**_ACCEPT, **({"Authorization": word} if word else {})}

    def _client(self, host: str) -> httpx.Client:
        near = loopback(host)
        if near not in self._clients:
            # No proxy stands between us and this machine.
            self._clients[near] = httpx.Client(
                timeout=_SECONDS, follow_redirects=True, trust_env=not near
            )
        return self._clients[near]

    def _url(self, image: Reference, what: str) -> str:
        scheme = "http" if loopback(image.host) or image.host in self._plain else "https"
        host = "registry-1.docker.io" if image.host == HUB else image.host
        return f"{scheme}://{host}/v2/{image.repository}/{what}"

    def _note_allowance(self, host: str, headers: httpx.Headers) -> None:
        limit = re.match(r"(\d+)(?:;w=(\d+))?", headers.get("ratelimit-limit", ""))
        left = re.match(r"(\d+)", headers.get("ratelimit-remaining", ""))
        if limit and left:
            window = int(limit[2] or 6 * 3600)
            self.allowances[host] = Allowance(int(limit[1]), int(left[1]), window)


_HINTS = {
    401: ": docker login",
    403: ": docker login, with an account that may read it",
    404: ": no such image, or docker login",
    429: ": it allows no more pulls for now",
}


def _token(
    client: httpx.Client,
    asked: Mapping[str, str],
    known: Credentials,
    user: httpx.BasicAuth | None,
) -> str:
    """What a registry's own token server gives for credentials, or to anybody."""
    realm = asked.get("realm", "")
    query = {k: asked[k] for k in ("service", "scope") if k in asked}
    if refresh := known.get("identitytoken"):
        form = {**query, "grant_type": "refresh_token", "refresh_token": refresh}
        told = client.post(realm, data={**form, "client_id": "harness"})
    elif user:
        told = client.get(realm, params=query, auth=user)
    else:
        told = client.get(realm, params=query)
    if not told.is_success:
        raise Refused(f"{realm} gives no token ({told.status_code}): docker login", 401)
    given = told.json()
    return str(given.get("token") or given.get("access_token") or "")


def _named(known: Credentials) -> bool:
    return bool(known.get("username")) and "password" in known


def chain(diff_ids: list[str]) -> list[str]:
    """The key of each layer on top of those below it, as engines make it."""
    keys: list[str] = []
    for own in diff_ids:
        keys.append(_sha256(f"{keys[-1]} {own}".encode()) if keys else own)
    return keys


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait, as a number or a date; None where it does not."""
    if (moment := headers.get("x-retry-after", "")).isdecimal():
        return max(0.0, int(moment) - time.time())
    said = headers.get("retry-after", "")
    if said.isdecimal():
        return float(said)
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return None


def loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _keep(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.{os.getpid()}")
    made.write_bytes(data)
    made.replace(path)


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "harness" / "manifests"
