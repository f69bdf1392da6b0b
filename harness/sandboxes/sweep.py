"""Remove what dead runs have left: containers, folders, control groups."""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from pathlib import Path

from harness.errors import UsageError
from harness.sandboxes import cgroups, docker
from harness.sandboxes.docker_shelf import Shelf
from harness.sandboxes.layers import cache_folder
from harness.sandboxes.owner import PREFIX, abandoned
from harness.sandboxes.threads import in_thread, unhurried
from harness.sandboxes.trees import remove_tree

DYING_SECONDS = 5.0
"""How long the kernel may need to bury the processes of a box that was killed."""


async def sweep(
    run_id: str | None = None, *, all_: bool = False, images: bool = False
) -> list[str]:
    """Remove what belongs to nobody alive, and say what it was, a line each.

    With `run_id` also that run's containers, and with `all_` every container of ours, whoever is
    using it. Of other machines' boxes on a shared engine, those past their time. With `images` what
    we pulled and the agents' views, unless a run or a container uses them.
    """
    removed = await unhurried(in_thread(_sweep, run_id, all_))
    return [*removed, *(await unhurried(in_thread(_images)) if images else [])]


def _sweep(run_id: str | None, all_: bool) -> list[str]:
    return [*_containers(run_id, all_), *_groups(), *_folders()]


def _images() -> list[str]:
    try:
        client = docker.connect()
    except UsageError:
        return []
    try:
        shelf = Shelf(client)
        return [f"image {i.name}" for i in shelf.survey(None).items if shelf.remove(i)]
    finally:
        client.close()


def _containers(run_id: str | None, all_: bool) -> list[str]:
    try:
        client = docker.connect()
    except UsageError:
        return []
    try:
        names = docker.leftovers(client, None, all_=all_)
        if run_id:
            names += docker.leftovers(client, run_id, all_=all_)
        for name in dict.fromkeys(names):
            docker.remove_container(client, name)
        return [f"container {name}" for name in dict.fromkeys(names)]
    finally:
        client.close()


def _groups() -> list[str]:
    return [f"control group {folder}" for folder in cgroups.leftovers() if _emptied(folder)]


def _emptied(folder: Path) -> bool:
    """Whether a group could be removed; one of whose members are still dying is waited for."""
    give_up = time.monotonic() + DYING_SECONDS
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError:  # somebody is still in it
            if time.monotonic() > give_up:
                return False
            time.sleep(0.02)
        else:
            return True


def _folders() -> list[str]:
    temporary = Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*-*")
    building = cache_folder().glob(f".building-{PREFIX}*-*-*")
    removed: list[str] = []
    for folder in [*temporary, *building]:
        if folder.is_dir() and not folder.is_symlink() and abandoned(folder.name):
            with suppress(PermissionError):  # another user's
                remove_tree(folder)
                removed.append(f"folder {folder}")
    return removed
