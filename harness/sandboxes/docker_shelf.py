"""What we have put on an engine: images that we pulled, and views of images.

The engine itself remembers: what we pull gets a second name, `harness-pulled:<name>.<digest>`. An
image without it is somebody else's, and stays. Sizes are those of layers, each counted once, and
not at all where an image that is not ours holds it as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound

from harness.sandboxes.locks import unleased
from harness.sandboxes.references import Reference
from harness.sandboxes.registries import chain

PULLED = "harness-pulled"
VIEWS = "harness-agent"
VIEW_OF_LABEL = "harness.view-of"
"""The id of the image that a view is of."""


def mark(image: Reference, digest: str) -> str:
    """The name by which we know again what we pulled."""
    return f"{PULLED}:{image.key}.{digest.rpartition(':')[2][:12]}"


def leased(key: str) -> str:
    """The lock that whoever uses an image holds; the key is its name's."""
    return f"image-{key}"


@dataclass(frozen=True, slots=True)
class Found:
    """An image that is on the engine."""

    id: str
    digest: str
    """The registry's if there is one, else its own id."""
    platform: str
    local: bool
    """No registry knows it."""


@dataclass(frozen=True, slots=True)
class Item:
    """An image that we pulled, with the views of it; or views of an image that is not ours."""

    id: str
    """Of the image that the views are of, ours or not."""
    marks: tuple[str, ...]
    """None: we did not pull it."""
    names: tuple[str, ...]
    """By tag, but for the marks and for what others have named it."""
    digests: tuple[str, ...]
    """By digest, where nobody else has a name for it in the same repository."""
    views: Mapping[str, str]
    """The names of its views, and their ids."""
    keys: frozenset[str]
    """Of every name by which somebody may be using it."""
    layers: frozenset[str]

    @property
    def name(self) -> str:
        """One that says something to a person, if there is one."""
        return next(iter((*self.names, *self.digests, *self.views, *self.marks)), self.id)


@dataclass(frozen=True, slots=True)
class Survey:
    """What of an engine's images is ours, and how much room it takes."""

    items: tuple[Item, ...]
    sizes: Mapping[str, int]
    """By layer, in bytes, of every image on the engine."""
    ours: frozenset[str]
    """Layers that are on the engine because of us alone."""

    @property
    def used(self) -> int:
        return sum(self.sizes[layer] for layer in self.ours)

    def freed_by(self, item: Item) -> int:
        """Bytes that go with an item: what nothing else of ours shares."""
        others: set[str] = set()
        for other in self.items:
            if other is not item:
                others |= other.layers
        return sum(self.sizes[layer] for layer in (item.layers & self.ours) - others)


@dataclass(slots=True)
class Shelf:
    """An engine's images, looked at anew whenever they are asked for. Blocking calls."""

    client: docker.DockerClient
    _layers: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of images by id, which never change: their layers' sizes."""

    def survey(self, minded: frozenset[str] | None = frozenset()) -> Survey:
        """With the views of images that we did not pull, where their name's key is `minded`.

        None: all views.
        """
        listed = {str(one["Id"]): one for one in self.client.api.images()}
        views: dict[str, dict[str, str]] = {}  # of each image, by name
        for id_, one in listed.items():
            for name in one.get("RepoTags") or []:
                if name.startswith(f"{VIEWS}:"):
                    views.setdefault(_parent(one), {})[name] = id_
        marked = {id_ for id_, one in listed.items() if _marks(one)}
        found = [self._item(id_, listed, views.get(id_, {})) for id_ in {*marked, *views}]
        items = tuple(i for i in found if minded is None or i.marks or i.keys & minded)
        made = {id_ for named in views.values() for id_ in named.values()}
        alone = {id_ for id_ in marked if not _named_by_others(listed[id_])}
        foreign = self._held(set(listed) - made - alone)
        ours = {layer for item in items for layer in item.layers}
        sizes = {layer: size for id_ in listed for layer, size in self.layers(id_).items()}
        return Survey(items, sizes, frozenset(ours - foreign))

    def find(self, image: Reference, digest: str = "") -> str:
        """The id of what we pulled by that name, of that digest if one is given; empty: nothing."""
        prefix = f"{PULLED}:{image.key}."
        wanted = mark(image, digest) if digest else prefix
        for one in self.client.api.images(name=PULLED):
            if any(name.startswith(wanted) for name in one.get("RepoTags") or []):
                return str(one["Id"])
        return ""

    def look(self, image: Reference, digest: str = "", spelt: str = "") -> Found | None:
        """What the engine has by that name, or has from us; of that digest, if one is given."""
        for name in (spelt or image.named, image.at(digest).pinned, self.find(image, digest)):
            if name and (found := self.looked_at(name, digest)):
                return found
        return None

    def looked_at(self, name: str, digest: str = "") -> Found | None:
        try:
            attrs = self.client.images.get(name).attrs
        except ImageNotFound:
            return None
        known = [one.partition("@")[2] for one in attrs.get("RepoDigests") or []]
        identity = str(attrs["Id"])
        if digest and digest not in (*known, identity):
            return None
        platform = f"{attrs.get('Os') or 'linux'}/{attrs.get('Architecture') or 'unknown'}"
        return Found(identity, digest or next(iter(known), identity), platform, not known)

    def in_use(self) -> frozenset[str]:
        """The ids of images that some container is made of, whoever's, running or not."""
        return frozenset(str(one["ImageID"]) for one in self.client.api.containers(all=True))

    def remove(self, item: Item) -> bool:
        """Take an item off the engine, unless somebody uses it: whether it is gone.

        The mark goes last: what is left by a removal that was cut short is still known as ours.
        """
        with unleased(map(leased, item.keys)) as free:
            held = {*item.views.values(), *([item.id] if item.marks else [])}
            if not free or self.in_use() & held:
                return False
            return all(self._untag(name) for name in _in_order(item))

    def _untag(self, name: str) -> bool:
        try:
            self.client.api.remove_image(name)
        except (ImageNotFound, NotFound):
            return True
        except APIError as error:
            if error.status_code == 409:  # a container was faster
                return False
            raise
        return True

    def _item(self, id_: str, listed: Mapping[str, Any], views: Mapping[str, str]) -> Item:
        one = listed.get(id_, {})
        marks = _marks(one)
        held = {id_, *views.values()} if marks and not _named_by_others(one) else {*views.values()}
        others = {Reference.parse(name).repository for name in _named_by_others(one)}
        digests = [d for d in one.get("RepoDigests") or [] if "<none>" not in d]
        return Item(
            id_,
            marks,
            tuple(_names(one)) if marks else (),
            tuple(d for d in digests if marks and Reference.parse(d).repository not in others),
            views,
            frozenset({*map(_key, marks), *(Reference.parse(name).key for name in _tags(one))}),
            frozenset(self._held(held)),
        )

    def _held(self, ids: Iterable[str]) -> set[str]:
        return {layer for id_ in ids for layer in self.layers(id_)}

    def layers(self, id_: str) -> dict[str, int]:
        if id_ not in self._layers:
            found: dict[str, int] = {}
            with suppress(ImageNotFound, NotFound):  # it went while we looked
                found = _measured(self.client, id_)
            self._layers[id_] = found
        return self._layers[id_]


def _measured(client: docker.DockerClient, id_: str) -> dict[str, int]:
    """The layers of an image and their sizes; ImageNotFound.

    An engine lists sizes by instruction, and those that made no layer have none: they are told
    apart by that alone, so a layer that is empty may change places with one that is not.
    """
    found = client.images.get(id_)
    keys = chain(list((found.attrs.get("RootFS") or {}).get("Layers") or []))
    steps = [int(one["Size"]) for one in reversed(found.history())]
    sizes = steps if len(steps) == len(keys) else [size for size in steps if size]
    sizes = [*sizes, *([0] * len(keys))][: len(keys)]
    return dict(zip(keys, sizes, strict=True))


def _in_order(item: Item) -> Iterator[str]:
    """Views before what they are made of, marks after all else."""
    yield from item.views
    yield from item.names
    yield from item.digests
    yield from item.marks


def _parent(view: Mapping[str, Any]) -> str:
    return str((view.get("Labels") or {}).get(VIEW_OF_LABEL) or view.get("ParentId") or "")


def _marks(one: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(n for n in one.get("RepoTags") or [] if n.startswith(f"{PULLED}:"))


def _key(marked: str) -> str:
    return marked.partition(":")[2].partition(".")[0]


def _names(one: Mapping[str, Any]) -> list[str]:
    keys = set(map(_key, _marks(one)))
    return [name for name in _tags(one) if Reference.parse(name).key in keys]


def _named_by_others(one: Mapping[str, Any]) -> list[str]:
    ours = {*_marks(one), *_names(one)}
    return [name for name in _tags(one) if name not in ours]


def _tags(one: Mapping[str, Any]) -> list[str]:
    return [name for name in one.get("RepoTags") or [] if name != "<none>:<none>"]
