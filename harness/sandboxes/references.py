"""The names of images: which registry, which repository, which version; and mirrors of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.errors import UsageError

HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Reference:
    """An image by name. With a digest the tag says nothing more."""

    host: str
    repository: str
    tag: str
    digest: str = ""

    @classmethod
    def parse(cls, name: str) -> Reference:
        """As an engine reads it: no host means Docker Hub, no tag `latest`."""
        rest, _, digest = name.partition("@")
        host, slash, path = rest.partition("/")
        if not slash or not ("." in host or ":" in host or host == "localhost"):
            host, path = HUB, rest
        if host in ("index.docker.io", "registry-1.docker.io"):
            host = HUB
        if host == HUB and "/" not in path:
            path = f"library/{path}"
        repository, colon, tag = path.rpartition(":")
        return cls(host, repository, tag, digest) if colon else cls(host, path, "latest", digest)

    @property
    def named(self) -> str:
        """By tag, in full."""
        return f"{self.host}/{self.repository}:{self.tag}"

    @property
    def pinned(self) -> str:
        """By digest where there is one, in full."""
        return f"{self.host}/{self.repository}@{self.digest}" if self.digest else self.named

    @property
    def key(self) -> str:
        """Of the name, for locks."""
        return hashlib.sha256(self.named.encode()).hexdigest()[:24]

    def at(self, digest: str) -> Reference:
        return replace(self, digest=digest)


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Where to pull from instead: `HOST[/PREFIX]` of Docker Hub, `ORIGIN=HOST[/PREFIX]` else."""

    places: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Mirrors:
        places: dict[str, str] = {}
        for one in filter(None, text.split(";")):
            origin, equals, place = one.partition("=")
            origin, place = (origin, place) if equals else (HUB, one)
            place = place.strip().rstrip("/")
            if not place or "://" in place or "@" in place:
                raise UsageError(
                    f"mirror {one!r}: give HOST or HOST/PREFIX for images of Docker Hub, "
                    "ORIGIN=HOST for those of another registry; several are parted by ;"
                )
            places[origin.strip()] = place
        return cls(places)

    def of(self, image: Reference) -> Reference:
        """The same image where it is to be pulled from; itself where nothing mirrors it."""
        place = self.places.get(image.host)
        if place is None:
            return image
        host, _, prefix = place.partition("/")
        path = f"{prefix}/{image.repository}" if prefix else image.repository
        return replace(image, host=host, repository=path)
