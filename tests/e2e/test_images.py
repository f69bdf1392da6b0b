"""Images from a real registry by a road that can go bad, on a real engine, within a budget."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from harness.sandboxes.docker_shelf import PULLED, Shelf
from tests.e2e import tiny_task
from tests.e2e.commands import Running, command, harness
from tests.e2e.endpoints import Script, serving
from tests.e2e.registries import Blob, Road, Trouble, layer, padding, publish, registry, road
from tests.e2e.tiny_task import FIX

pytestmark = pytest.mark.docker
SECRET = "$2b$04$JZKAWyp/nvNaa.GxAHualehiX4iJNGab2kPDz3bFXy0WjeSCGs74e"
"""The word `secret`, as a registry keeps it."""
LEAVING_SECONDS = 30
OWN = 3_000_000
"""Bytes that each image has to itself."""


@dataclass
class Stocked:
    """A registry with a few images that share their programs, and tasks that need them."""

    folder: Path
    road: Road
    registry: str
    engine: docker.DockerClient
    base: Blob

    def image(self, number: int) -> str:
        return f"{self.road.host}/harness-test/tiny-{number}:1"

    def put(self, number: int, content: str = "") -> str:
        layers = [self.base, padding(f"own-{number}-{content}", OWN)]
        return publish(self.registry, f"harness-test/tiny-{number}:1", layers)

    def tasks(self, count: int) -> Path:
        source = tiny_task.write(self.folder / "source", "IMAGE", copies=count)
        for number in range(count):
            path = source / f"tiny-{number}" / "task.toml"
            path.write_text(path.read_text().replace("IMAGE", self.image(number)))
        return source

    def words(self, url: str, count: int, *more: str) -> list[str]:
        source = self.folder / "source" / "tasks"
        source = source if source.is_dir() else self.tasks(count)
        what = ["--tasks", f"local,folder={source}", "--model", "m", "--scaffold", "bash"]
        where = ["--sandbox", "docker", "--into", str(self.folder / "run")]
        return ["run", *what, "--base-url", url, *where, *more]

    def names(self) -> list[str]:
        """What the engine has of this registry's images, by its names and by ours."""
        listed = self.engine.api.images()
        named = [[*(one["RepoTags"] or []), *(one["RepoDigests"] or [])] for one in listed]
        ours = [names for names in named if any(self.road.host in name for name in names)]
        return sorted(name for names in ours for name in names if "<none>" not in name)

    def pins(self) -> dict[str, dict[str, object]]:
        pins = json.loads((self.folder / "run" / "run.json").read_text())["images"]
        return {str(name): dict(pin) for name, pin in pins.items()}

    def graded(self) -> list[dict[str, Any]]:
        lines = (self.folder / "run" / "ledger.jsonl").read_bytes().splitlines()
        return [one for one in map(json.loads, lines) if one["kind"] == "graded"]

    def remove_all(self, host: str = "") -> None:
        """What was pulled from here, or from another host."""
        shelf, give_up = Shelf(self.engine), time.monotonic() + LEAVING_SECONDS
        found = shelf.survey().items
        due = [i for i in found if (host or self.road.host) in " ".join((*i.names, *i.digests))]
        while due := [item for item in due if not shelf.remove(item)]:
            assert time.monotonic() < give_up, f"still in use: {due}"
            time.sleep(0.2)  # an engine may need a moment for a box that is on its way out


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Blob:
    folder = tmp_path_factory.mktemp("base")
    tiny_task.repository(folder / "app")
    return layer(tiny_task.packed(folder / "app"))


@pytest.fixture
def stocked(tmp_path: Path, base: Blob) -> Iterator[Stocked]:
    engine = docker.from_env()
    with registry(tmp_path) as host, road(host) as way:
        made = Stocked(tmp_path, way, host, engine, base)
        try:
            yield made
        finally:
            made.remove_all()
            left = made.names()
            engine.close()
    assert left == []


def test_a_run_goes_round_with_less_disk_than_its_images_take(stocked: Stocked) -> None:
    """Three images, room for two; some pulls meet a cut and an error on their way."""
    for number in range(3):
        stocked.put(number)
    stocked.road.trouble += [
        Trouble("GET /v2/harness-test/tiny-1/blobs"),
        Trouble("GET /v2/harness-test/tiny-2/blobs", 500),
    ]
    room = len(stocked.base.packed) * 2 + 2 * OWN
    with serving(Script([FIX])) as server:
        words = stocked.words(server.url, 3, "--repeats", "2", "--width", "1", "--disk", str(room))
        done = harness(*words, cwd=stocked.folder)

    assert done.returncode == 0, done.stderr
    assert len(stocked.graded()) == 6
    assert "groups of images" in done.stderr
    assert "removed" in done.stderr
    assert sorted(stocked.pins()) == [stocked.image(number) for number in range(3)]
    assert all(pin["platform"] == "linux/amd64" for pin in stocked.pins().values())
    visits = [record["attempt"]["task"] for record in stocked.graded()]
    assert len([a for a, b in zip(visits, [None, *visits], strict=False) if a != b]) == 3
    assert Shelf(stocked.engine).survey().used <= room


def test_a_run_stays_with_the_image_that_it_began_with(stocked: Stocked) -> None:
    """Its name stands for another one later; the first is pulled by its digest, and why is said."""
    first = stocked.put(0)
    manifest, no_more = "/v2/harness-test/tiny-0/manifests", {"Retry-After": "1"}
    for method in ("HEAD", "GET", "HEAD"):  # the engine's asking, again, and ours
        stocked.road.trouble.append(Trouble(f"{method} {manifest}", 429, no_more))
    with serving(Script([FIX])) as server:
        done = harness(*stocked.words(server.url, 1), cwd=stocked.folder)
        assert done.returncode == 0, done.stderr
        assert "allows no more pulls for now; asking again in 1 s" in done.stderr
        assert stocked.pins()[stocked.image(0)]["digest"] == first
        stocked.remove_all()
        second = stocked.put(0, "other")
        stocked.engine.api.pull(stocked.image(0))  # somebody else's, which is left alone

        done = harness(*stocked.words(server.url, 1, "--repeats", "2"), cwd=stocked.folder)

    assert done.returncode == 0, done.stderr
    assert f"this run was begun with {first[:19]}: pulling that one by its digest" in done.stderr
    assert [record["facts"]["image_digest"] for record in stocked.graded()] == [first] * 2
    stocked.remove_all()
    assert [name for name in stocked.names() if "@" in name] == [
        f"{stocked.image(0).removesuffix(':1')}@{second}"
    ]
    stocked.engine.api.remove_image(stocked.image(0))


def test_a_registry_that_is_down_is_waited_for_and_is_no_score(stocked: Stocked) -> None:
    stocked.put(0)
    stocked.road.closed = True
    with serving(Script([FIX])) as server:
        words = command(*stocked.words(server.url, 1))
        with Running(words, cwd=stocked.folder) as running:
            running.until("fault of the sandbox")
            running.until("paused: waiting for the sandbox")
            stocked.road.closed = False
            running.until("the sandbox is back; going on")
            assert running.ended() == 0
    assert [record["verdict"]["resolved"] for record in stocked.graded()] == [True]
    assert stocked.engine.images.list(PULLED)


def test_images_come_from_a_mirror_with_the_credentials_of_docker_login(stocked: Stocked) -> None:
    """Of the registry itself only the digest is asked, to know that the mirror has the same."""
    folder = stocked.folder / "closed"
    folder.mkdir()
    own = {"Authorization": f"Basic {b64encode(b'anybody:secret').decode()}"}
    digest = stocked.put(0)
    with registry(folder, users={"anybody": SECRET}) as host, road(host) as way:
        layers = [stocked.base, padding("own-0-", OWN)]
        assert publish(host, "cache/harness-test/tiny-0:1", layers, auth=own) == digest
        config = {"auths": {way.host: {"auth": own["Authorization"].removeprefix("Basic ")}}}
        (folder / "config.json").write_text(json.dumps(config))
        known = {"DOCKER_CONFIG": str(folder)}
        mirror = f"{stocked.road.host}={way.host}/cache"
        with serving(Script([FIX])) as server:
            words = stocked.words(server.url, 1, "--mirror", mirror)
            done = harness(*words, cwd=stocked.folder, env=known)
        assert done.returncode == 0, done.stderr
        told = harness("images", *words[1:3], "--mirror", mirror, cwd=folder, env=known)
        assert "1: 1 are here, 0 to pull" in told.stdout
        stocked.remove_all(way.host)
    pin = stocked.pins()[stocked.image(0)]
    assert pin["source"] == f"{way.host}/cache/harness-test/tiny-0@{digest}"
    assert pin["digest"] == digest and pin["checked"]
    assert stocked.road.asked("GET") == []
    assert way.asked("GET /v2/cache/harness-test/tiny-0/blobs")


def test_what_images_take_is_told_before_any_is_pulled(stocked: Stocked) -> None:
    for number in range(3):
        stocked.put(number)
    source = f"local,folder={stocked.tasks(3)}"

    def told(*more: str) -> Any:
        env = {"XDG_CACHE_HOME": str(stocked.folder / "cache")}
        done = harness("images", "--tasks", source, "--json", *more, cwd=stocked.folder, env=env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    base, own = len(stocked.base.packed), len(padding("own-0-", OWN).packed)
    first = told()
    assert (first["images"], first["here"], first["to_pull"]) == (3, 0, 3)
    assert abs(first["download_bytes"] - (base + 3 * own)) < 100
    assert first["fits"] and first["bytes_per_second"] and first["download_seconds"] > 0
    assert first["shared"] == pytest.approx(2 * base / (3 * (base + own)), abs=0.01)
    assert stocked.names() == []

    assert told("--disk", str(2 * (base + own)))["groups"] > 1
    asked = len(stocked.road.asked("manifests/sha256"))
    assert asked == 3, "a manifest is read once on a machine"
    stocked.road.closed = True
    silent = told()
    assert silent["download_bytes"] is None and silent["fits"] is None
    assert "answers 503" in silent["why"]["download_bytes"]


def test_an_image_larger_than_the_budget_is_refused_before_anything_starts(
    stocked: Stocked,
) -> None:
    stocked.put(0)
    with serving(script := Script([FIX])) as server:
        words = stocked.words(server.url, 1, "--disk", "1MB")
        done = harness(*words, cwd=stocked.folder)
    assert done.returncode == 2
    assert "takes at least" in done.stderr and "more than --disk 1.0 MB" in done.stderr
    assert script.asked.total() == 0
