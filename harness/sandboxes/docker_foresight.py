"""What images will take, read from the engine and from registries, before any is pulled."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.sandboxes.docker_pulls import Pulls
from harness.sandboxes.docker_shelf import Shelf
from harness.sandboxes.prospects import UNPACKED, Prospect, Rate, Wanted
from harness.sandboxes.references import Reference
from harness.sandboxes.registries import Refused

_AT_ONCE = 8
_ENOUGH = 1_000_000
"""Bytes of download from which what layers take on disk is learnt."""
_SHARE = 4
"""One in so many of the pulls that a registry has left may go into reading manifests."""


@dataclass(slots=True)
class Foresight:
    """Blocking calls. Asks a registry that failed once no more."""

    pulls: Pulls
    shelf: Shelf
    silent: dict[str, str] = field(default_factory=dict)
    """Hosts that are asked no more, and why."""
    read: dict[str, int] = field(default_factory=dict)
    """Manifests read, by host."""

    def prospect(self, names: Sequence[str], pinned: dict[str, str], *, timed: bool) -> Prospect:
        """`pinned`: digests by name, of the images that a run is bound to."""
        survey = self.shelf.survey()
        wanted = [self._here(name, pinned.get(name, "")) for name in names]
        absent = [one for one in wanted if not one.here]
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            # The first alone: what a registry allows is known once it has answered.
            told = [self._described(one) for one in absent[:1]]
            told += threads.map(self._described, absent[1:])
        factor, measured = unpacked([one.packed for one in told], survey.sizes)
        known = {one.name: _sized(one, survey.sizes, factor) for one in told}
        rate, why = self._rate(told) if timed else (None, "not asked for")
        return Prospect(
            images=tuple(known.get(one.name, one) for one in wanted),
            present=frozenset(survey.sizes),
            used=survey.used,
            free=self._free(),
            platform=self.pulls.registries.platform,
            unpacked=factor,
            measured=measured,
            allowances=dict(self.pulls.registries.allowances),
            rate=rate,
            why_no_rate=why,
        )

    def _here(self, name: str, digest: str) -> Wanted:
        wanted = Reference.parse(name)
        found = self.shelf.look(wanted, digest or wanted.digest)
        if found is None:
            return Wanted(name, digest=digest or wanted.digest)
        sizes = self.shelf.layers(found.id)
        return Wanted(name, True, found.digest, found.platform, layers=sizes)

    def _described(self, one: Wanted) -> Wanted:
        place = self._place(one)
        if why := self.silent.get(place.host) or self._spent(place.host):
            return replace(one, why_unknown=why)
        try:
            described = self.pulls.registries.describe(place)
        except Refused as refused:
            if refused.status != 404:
                self.silent[place.host] = refused.message
            return replace(one, why_unknown=refused.message)
        self.read[place.host] = self.read.get(place.host, 0) + 1
        packed = {layer.key: layer.packed for layer in described.layers}
        return replace(one, digest=described.digest, platform=described.platform, packed=packed)

    def _place(self, one: Wanted) -> Reference:
        return self.pulls.mirrors.of(Reference.parse(one.name).at(one.digest))

    def _spent(self, host: str) -> str:
        """Why no more manifests are read there: reading one counts as a pull."""
        allowed = self.pulls.registries.allowances.get(host)
        if allowed is None or self.read.get(host, 0) < max(1, allowed.left // _SHARE):
            return ""
        return (
            f"{host} has {allowed.left} pulls left, and reading a manifest costs one: "
            f"{self.read.get(host, 0)} were read"
        )

    def _rate(self, told: Sequence[Wanted]) -> tuple[Rate | None, str]:
        known = [one for one in told if one.packed]
        if not known:
            return None, "nothing to pull" if not told else told[0].why_unknown
        largest = self._place(max(known, key=lambda one: max(one.packed.values())))
        try:
            return Rate(largest.host, self.pulls.registries.rate(largest)), ""
        except Refused as refused:
            return None, refused.message

    def _free(self) -> int | None:
        client = self.shelf.client
        folder = Path(str(client.info().get("DockerRootDir") or "/nowhere"))
        if not str(client.api.base_url).startswith("http+docker") or not folder.is_dir():
            return None
        return shutil.disk_usage(folder).free


def unpacked(images: Iterable[Mapping[str, int]], sizes: Mapping[str, int]) -> tuple[float, bool]:
    """Bytes on disk for each of download, and whether layers that are here have told.

    `images`: the downloads of layers, by image.
    """
    both = {k: packed for one in images for k, packed in one.items() if sizes.get(k)}
    if sum(both.values()) < _ENOUGH:
        return UNPACKED, False
    return sum(sizes[layer] for layer in both) / sum(both.values()), True


def _sized(one: Wanted, sizes: Mapping[str, int], factor: float) -> Wanted:
    layers = {k: sizes.get(k, round(packed * factor)) for k, packed in one.packed.items()}
    return replace(one, layers=layers)
