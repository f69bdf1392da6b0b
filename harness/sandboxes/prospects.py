"""What the images of a study will take, as far as it can be known before any is pulled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from harness.sandboxes.registries import Allowance

UNPACKED = 2.5
"""Bytes on disk for each byte of a layer's download, where no layer here tells."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One image that is needed."""

    name: str
    here: bool = False
    digest: str = ""
    platform: str = ""
    packed: Mapping[str, int] = field(default_factory=dict)
    """Bytes of download, by layer, lowest first; of an image that is here, unknown."""
    layers: Mapping[str, int] = field(default_factory=dict)
    """Bytes on disk, by layer; of an image that is not here, an estimate."""
    why_unknown: str = ""
    """Why nothing is known of its layers; empty: they are known."""

    @property
    def size(self) -> int:
        """About as much as it takes on disk."""
        return sum(self.layers.values())

    @property
    def least(self) -> int:
        """What it takes at the least: no layer is smaller than its download."""
        return self.size if self.here else sum(self.packed.values())


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a registry sends."""

    host: str
    bytes_per_second: float


@dataclass(frozen=True, slots=True)
class Prospect:
    images: tuple[Wanted, ...]
    present: frozenset[str]
    """Layers that are on the engine."""
    used: int
    """Bytes on the engine because of us."""
    free: int | None
    """Bytes free where the engine keeps its images; None: it is not on this machine."""
    platform: str
    """The engine's."""
    unpacked: float = UNPACKED
    """Bytes on disk for each byte of download."""
    measured: bool = False
    """Whether that was measured on layers that are here."""
    allowances: Mapping[str, Allowance] = field(default_factory=dict)
    """By registry."""
    rate: Rate | None = None
    why_no_rate: str = ""

    @property
    def missing(self) -> list[Wanted]:
        return [one for one in self.images if not one.here]

    @property
    def unknown(self) -> list[Wanted]:
        return [one for one in self.images if one.why_unknown]

    @property
    def download(self) -> int:
        """Bytes, each layer once, of images whose layers are known and that are not here."""
        layers = _union(one.packed for one in self.missing)
        return sum(size for layer, size in layers.items() if layer not in self.present)

    @property
    def new(self) -> int:
        """Bytes on disk that are not there yet, of images whose layers are known."""
        layers = _union(one.layers for one in self.missing)
        return sum(size for layer, size in layers.items() if layer not in self.present)

    @property
    def shared(self) -> float | None:
        """The part of the known images' bytes that is counted once instead of again."""
        apart = sum(one.size for one in self.images)
        if not apart:
            return None
        return 1 - sum(_union(one.layers for one in self.images).values()) / apart

    @property
    def largest(self) -> Wanted | None:
        return max(self.images, key=lambda one: one.size, default=None)

    @property
    def foreign(self) -> list[Wanted]:
        """Images for another kind of processor than the engine's."""
        return [one for one in self.images if one.platform and one.platform != self.platform]


def _union(images: Iterable[Mapping[str, int]]) -> dict[str, int]:
    return {layer: size for one in images for layer, size in one.items()}


@runtime_checkable
class Foreseeing(Protocol):
    """A supply that can say what images will take, and mind it."""

    async def foresee(self, names: Sequence[str], /, *, timed: bool = False) -> Prospect:
        """Ask registries and the engine; what they do not tell is unknown, with the reason."""
        ...

    @property
    def disk(self) -> int | None:
        """The budget, in bytes."""
        ...
