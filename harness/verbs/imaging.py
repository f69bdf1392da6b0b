"""`images`: what a study's images will take, before anything is pulled; and their pulling."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from harness.api import Closing, Sandboxes, Supplied
from harness.errors import Fault, UsageError
from harness.experiment import Experiment
from harness.progress import steps
from harness.registry import build
from harness.sandboxes import SANDBOXES
from harness.sandboxes.prospects import Foreseeing, Prospect, Wanted
from harness.sandboxes.sizes import spoken
from harness.types import Environment, Part, Task
from harness.verbs.assemble import recipes
from harness.verbs.loading import load, tell
from harness.verbs.supply import refuse_what_never_fits
from harness.visits import visits


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is said of a study's images."""

    prospect: Prospect
    disk: int | None
    recipes: int
    """Environments that are built here, of which nothing is known ahead."""
    groups: int
    """Rounds in which images are pulled, where the disk holds fewer than there are."""

    @property
    def to_download(self) -> float | None:
        """Bytes, with those of images of which nothing is known taken to be like the others'."""
        return self._scaled(self.prospect.download)

    @property
    def to_add(self) -> float | None:
        """Bytes on disk, as above."""
        return self._scaled(self.prospect.new)

    def _scaled(self, known: int) -> float | None:
        unknown, missing = len(self.prospect.unknown), len(self.prospect.missing)
        if unknown == missing:
            return None if missing else 0
        return known * missing / (missing - unknown)

    @property
    def seconds(self) -> float | None:
        """For the download alone, at the rate that was measured."""
        rate, size = self.prospect.rate, self.to_download
        if size == 0:
            return 0
        return size / rate.bytes_per_second if rate and size is not None else None

    @property
    def limited_seconds(self) -> float:
        """At the least, by what the strictest registry allows."""
        missing, waits = len(self.prospect.missing), [0.0]
        for allowed in self.prospect.allowances.values():
            windows = ceil(max(0, missing - allowed.left) / max(1, allowed.limit))
            waits.append(windows * allowed.seconds)
        return max(waits)

    @property
    def fits(self) -> bool | None:
        """Whether all images fit at once; None: that cannot be told."""
        size, found = self.to_add, self.prospect
        if size is None:
            return None
        if self.disk is not None and found.used + size > self.disk:
            return False
        return None if found.free is None else size <= found.free


def forecast(experiment: Experiment, *, pull: bool, as_json: bool) -> int:
    """Print what the images of an experiment's tasks take; with `pull`, pull them. An exit code."""
    tasks = list(load(experiment).tasks.values())
    sandboxes = _boxes(experiment.sandbox)

    async def work() -> int:
        told = await _foreseen(sandboxes, experiment, tasks)
        print(json.dumps(_plain(told), indent=1) if as_json else _text(told))
        refuse_what_never_fits(told.prospect, told.disk)
        return await _pull(sandboxes, told, tasks, quiet=as_json) if pull else 0

    try:
        return asyncio.run(work())
    finally:
        if isinstance(sandboxes, Closing):
            sandboxes.close()


def _boxes(part: Part) -> Sandboxes:
    """Where images would be pulled to; never by `auto` to where there are none."""
    built: Sandboxes = build(
        "sandbox", Part("docker", part.knobs) if part.name == "auto" else part, SANDBOXES
    )
    return built


async def _foreseen(
    sandboxes: Sandboxes, experiment: Experiment, tasks: Sequence[Task]
) -> Forecast:
    supply = sandboxes.supply if isinstance(sandboxes, Supplied) else None
    if not isinstance(supply, Foreseeing):
        raise UsageError(
            f"boxes by {experiment.sandbox.name} need no images; --sandbox docker does"
        )
    image_of = {t.id: t.brief.environment.image for t in tasks if t.brief.environment.image}
    found = await supply.foresee(list(dict.fromkeys(image_of.values())), timed=True)
    rounds = 1
    if supply.disk is not None:
        layers = {one.name: one.layers for one in found.images if not one.why_unknown}
        planned = experiment.plan(list(image_of))
        rounds = max(1, len(visits(planned, image_of, layers, supply.disk).groups))
    return Forecast(found, supply.disk, len(recipes(tasks)), rounds)


async def _pull(sandboxes: Sandboxes, told: Forecast, tasks: Sequence[Task], *, quiet: bool) -> int:
    """Pull what is missing, a few at a time; 3 if some could not be had."""
    if told.groups > 1:
        raise UsageError(
            "--pull: the images do not fit in --disk together; a run pulls them as it goes"
        )
    failed: list[str] = []
    environments = (task.brief.environment.untouched for task in tasks)
    named = list({e.image: e for e in environments if e.image}.values())
    with steps(len(named), "images", quiet=quiet) as shown:

        async def one(environment: Environment) -> None:
            with shown.on(environment.image):
                try:
                    await sandboxes.prepare(environment)
                except Fault as fault:
                    failed.append(environment.image)
                    tell(fault.message)

        async with asyncio.TaskGroup() as group:
            for environment in named:
                group.create_task(one(environment))
    return 3 if failed else 0


def _plain(told: Forecast) -> dict[str, Any]:
    """For a machine: what cannot be known is null, and `why` says why."""
    found = told.prospect
    unknown = found.unknown[0].why_unknown if found.unknown else ""
    rate = found.rate
    why = {
        "download_bytes": unknown if told.to_download is None else "",
        "disk_bytes": unknown if told.to_add is None else "",
        "download_seconds": (unknown or found.why_no_rate) if told.seconds is None else "",
        "free_bytes": _NO_FREE if found.free is None else "",
        "fits": (unknown or _NO_FREE) if told.fits is None else "",
        "shared": "nothing is known of any image" if found.shared is None else "",
    }
    return {
        "images": len(found.images),
        "here": len(found.images) - len(found.missing),
        "to_pull": len(found.missing),
        "unknown": len(found.unknown),
        "why_unknown": unknown or None,
        "recipes": told.recipes,
        "download_bytes": told.to_download and round(told.to_download),
        "disk_bytes": told.to_add and round(told.to_add),
        "disk_per_download": {"ratio": round(found.unpacked, 3), "measured": found.measured},
        "shared": found.shared,
        "download_seconds": told.seconds,
        "bytes_per_second": {rate.host: round(rate.bytes_per_second)} if rate else None,
        "allowances": {host: asdict(allowed) for host, allowed in found.allowances.items()},
        "limited_seconds": told.limited_seconds,
        "used_bytes": found.used,
        "free_bytes": found.free,
        "disk": told.disk,
        "fits": told.fits,
        "groups": told.groups,
        "platform": found.platform,
        "of_another_platform": [one.name for one in found.foreign],
        "why": {key: reason for key, reason in why.items() if reason},
        "list": [_one(image) for image in found.images],
    }


_NO_FREE = "the engine is not on this machine"


def _one(image: Wanted) -> dict[str, Any]:
    known = not image.why_unknown
    return {
        "name": image.name,
        "here": image.here,
        "digest": image.digest or None,
        "platform": image.platform or None,
        "download_bytes": sum(image.packed.values()) if known and not image.here else None,
        "disk_bytes": image.size if known else None,
        "why_unknown": image.why_unknown or None,
    }


def _text(told: Forecast) -> str:
    return "\n".join(filter(None, [*_amounts(told), *_times(told), *_room(told), *_remarks(told)]))


def _amounts(told: Forecast) -> list[str]:
    found = told.prospect
    here, missing = len(found.images) - len(found.missing), len(found.missing)
    shared = (
        "" if found.shared is None else f"; {found.shared:.0%} of their bytes are shared layers"
    )
    lines = [f"images     {len(found.images)}: {here} are here, {missing} to pull{shared}"]
    if told.recipes:
        lines.append(f"           and {told.recipes} environments that are built here")
    if told.to_download is None:
        return [*lines, f"to pull    unknown: {found.unknown[0].why_unknown}"]
    assert told.to_add is not None
    how = "measured" if found.measured else "assumed"
    lines.append(
        f"to pull    {spoken(told.to_download)}, about {spoken(told.to_add)} on disk "
        f"({found.unpacked:.2g} bytes for each of download, {how}; views come on top)"
    )
    if found.unknown:
        why = found.unknown[0].why_unknown
        lines.append(f"           of which {len(found.unknown)} images are guessed: {why}")
    return lines


def _times(told: Forecast) -> list[str]:
    found, lines = told.prospect, list[str]()
    if told.seconds and found.rate:
        speed = spoken(found.rate.bytes_per_second)
        lines.append(
            f"time       {_span(told.seconds)} of download, at {speed}/s from {found.rate.host}"
        )
    elif told.seconds is None:
        why = found.unknown[0].why_unknown if told.to_download is None else found.why_no_rate
        lines.append(f"time       unknown: {why}")
    for host, allowed in found.allowances.items():
        window = _span(allowed.seconds)
        lines.append(
            f"limit      {host}: {allowed.left} of {allowed.limit} pulls left, per {window}"
        )
    if told.limited_seconds:
        lines.append(f"           which makes it at least {_span(told.limited_seconds)}")
    return lines


def _room(told: Forecast) -> list[str]:
    found = told.prospect
    free = _NO_FREE if found.free is None else f"{spoken(found.free)} free"
    disk = "" if told.disk is None else f", --disk {spoken(told.disk)}"
    fits = {True: "it fits", False: "it does not fit at once", None: "whether it fits is unknown"}
    lines = [
        f"disk       {free}, {spoken(found.used)} taken by images of ours{disk}: {fits[told.fits]}"
    ]
    if told.groups > 1:
        lines.append(f"           a run takes them in {told.groups} groups, each pulled once")
    elif told.fits is False:
        lines.append(
            "           --disk SIZE lets a run take them in groups, and remove what is done"
        )
    if (most := found.largest) and most.size:
        lines.append(f"largest    {most.name}: about {spoken(most.size)}")
    return lines


def _remarks(told: Forecast) -> list[str]:
    found = told.prospect
    if not found.foreign:
        return []
    of = ", ".join(sorted({one.platform for one in found.foreign}))
    return [f"platform   {len(found.foreign)} are for {of}, and the engine is {found.platform}"]


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
