"""In which order attempts come when the disk holds fewer images than they need.

Then planned order would pull every image once for each repeat. Instead images are taken in groups,
each as large as the disk allows, and a group's attempts come all together: each image is pulled
once. Inside a group the planned order stands, and what the plan put side by side (the conditions
of one task in one repeat) stays side by side, since it needs one image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.types import Attempt, TaskId

GROUP_SHARE = 0.75
"""Of the disk, for a group; the rest is for the first images of the next one."""
GUESS = 3_000_000_000
"""Bytes of an image, where nothing is known of any."""

Layers = Mapping[str, int]
"""The sizes of an image's layers, lowest first. The same key is the same layer on the same ones."""


@dataclass(frozen=True, slots=True)
class Visits:
    """The same attempts, and the groups of images that they visit one after the other."""

    attempts: list[Attempt]
    groups: list[list[str]]

    @property
    def reordered(self) -> bool:
        """Whether tasks come in the order of their images, not in the plan's random one."""
        return len(self.groups) > 1

    @property
    def says(self) -> str:
        """What the order does to interleaving; nothing where it is the plan's."""
        if not self.reordered:
            return ""
        return (
            "the images take more than the disk allows: attempts come in "
            f"{len(self.groups)} groups of images, so that each is pulled once. The conditions "
            "of a task stay side by side; its repeats come while its group lasts, not spread over "
            "the run"
        )


def visits(
    planned: Sequence[Attempt],
    image_of: Mapping[TaskId, str],
    layers: Mapping[str, Layers],
    disk: int,
) -> Visits:
    """`layers` by image; those of which nothing is known are taken to be as large as the others."""
    images = list(dict.fromkeys(image_of[attempt.task] for attempt in planned))
    whole = _guessed(images, layers)
    if _size(whole, images) <= disk:
        return Visits(list(planned), [images] if images else [])
    groups = _groups(_neighbours(images, whole), whole, round(GROUP_SHARE * disk))
    number = {image: at for at, group in enumerate(groups) for image in group}
    attempts = sorted(planned, key=lambda attempt: number[image_of[attempt.task]])
    return Visits(attempts, groups)


def _guessed(images: Iterable[str], layers: Mapping[str, Layers]) -> dict[str, Layers]:
    known = [sum(layers[image].values()) for image in images if image in layers]
    guess = sum(known) // len(known) if known else GUESS
    return {image: layers.get(image, {f"?{image}": guess}) for image in images}


def _neighbours(images: Sequence[str], whole: Mapping[str, Layers]) -> list[str]:
    """Images that share the most next to each other, else in the order of need.

    A layer's key stands for all below it too, so images are paths in a tree; this walks it.
    """
    first: dict[str, int] = {}
    for at, image in enumerate(images):
        for layer in whole[image]:
            first.setdefault(layer, at)
    place = {image: at for at, image in enumerate(images)}
    return sorted(images, key=lambda one: (*(first[layer] for layer in whole[one]), place[one]))


def _groups(images: Sequence[str], whole: Mapping[str, Layers], room: int) -> list[list[str]]:
    groups: list[list[str]] = [[]]
    held: dict[str, int] = {}
    for image in images:
        more = {**held, **whole[image]}
        if groups[-1] and sum(more.values()) > room:
            groups.append([])
            more = dict(whole[image])
        groups[-1].append(image)
        held = more
    return groups


def _size(whole: Mapping[str, Layers], images: Iterable[str]) -> int:
    return sum({layer: size for image in images for layer, size in whole[image].items()}.values())
