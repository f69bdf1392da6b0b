"""Recipes: a folder with `Dockerfile` and `setup.sh`, from which a box is built."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.sandboxes.script import quote

HOME = "/environment"
"""Where a recipe's folder lies while it is built."""
_CA_PATH = f"{HOME}/ca.pem"
_CA_NAMES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_CA_MORE = ("npm_config_cafile",)
_PASSED = (
    "PIP_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "npm_config_registry",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)


@dataclass(frozen=True, slots=True)
class Registries:
    """How this machine reaches package registries, told on to what is built on it."""

    variables: Mapping[str, str]
    ca: bytes = b""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Registries:
        passed = {name: environ[name] for name in _PASSED if environ.get(name)}
        bundles = (Path(environ[name]) for name in _CA_NAMES if environ.get(name))
        bundle = next((path for path in bundles if path.is_file()), None)
        if bundle is None:
            return cls(passed)
        trusted = dict.fromkeys((*_CA_NAMES, *_CA_MORE), _CA_PATH)
        return cls({**passed, **trusted}, bundle.read_bytes())

    @property
    def script(self) -> bytes:
        """`registry.env`: lines for a shell to source."""
        lines = (b"export " + k.encode() + b"=" + quote(v) for k, v in self.variables.items())
        return b"".join(line + b"\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Recipe:
    folder: Path
    digest: str
    """Of every file's name, mode and bytes; not of the machine that builds it."""
    registries: Registries

    @classmethod
    def load(cls, folder: str, environ: Mapping[str, str] = os.environ) -> Recipe:
        path = Path(folder)
        if not (path / "setup.sh").is_file():
            raise UsageError(f"{folder} is no recipe: it has no setup.sh")
        sha = hashlib.sha256()
        for name, file in _files(path):
            runs = os.access(file, os.X_OK)
            data = file.read_bytes()
            sha.update(f"{name}\0{int(runs)}\0{len(data)}\0".encode() + data)
        return cls(path, sha.hexdigest(), Registries.of(environ))

    def extras(self) -> dict[str, bytes]:
        """The files that this machine adds: always `registry.env`, and `ca.pem` if it has one."""
        found = {"registry.env": self.registries.script}
        if self.registries.ca:
            found["ca.pem"] = self.registries.ca
        return found

    def context(self) -> io.BytesIO:
        """What a Docker engine builds from: a tar, the same bytes for the same content."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, file in _files(self.folder):
                _add(archive, name, file.read_bytes(), 0o755 if os.access(file, os.X_OK) else 0o644)
            for name, data in self.extras().items():
                _add(archive, name, data, 0o644)
        packed.seek(0)
        return packed


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix(), path
