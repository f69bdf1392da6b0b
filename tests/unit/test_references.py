"""Names of images are read as an engine reads them; mirrors change the place and nothing else."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.sandboxes import sizes
from harness.sandboxes.references import Mirrors, Reference


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("jefzda/sweap-images:a.b-c", "docker.io/jefzda/sweap-images:a.b-c"),
        ("index.docker.io/a/b:1", "docker.io/a/b:1"),
        ("ghcr.io/a/b/c", "ghcr.io/a/b/c:latest"),
        ("localhost:5000/a:1", "localhost:5000/a:1"),
        ("localhost/a", "localhost/a:latest"),
    ],
)
def test_a_name_in_full(name: str, full: str) -> None:
    assert Reference.parse(name).named == full


def test_a_digest_says_which_and_the_tag_no_more() -> None:
    assert Reference.parse("a/b:1@sha256:00").pinned == "docker.io/a/b@sha256:00"
    assert Reference.parse("a/b:1").key == Reference.parse("docker.io/a/b:1").key
    assert Reference.parse("a/b:1").key != Reference.parse("a/b:2").key


def test_a_mirror_of_docker_hub_takes_its_images_and_no_others() -> None:
    mirrors = Mirrors.parse("mirror.local:5000/hub;ghcr.io=mirror.local:5000/ghcr")
    assert mirrors.of(Reference.parse("debian")).named == (
        "mirror.local:5000/hub/library/debian:latest"
    )
    assert mirrors.of(Reference.parse("ghcr.io/a/b:1")).named == "mirror.local:5000/ghcr/a/b:1"
    other = Reference.parse("quay.io/a/b:1")
    assert mirrors.of(other) == other


@pytest.mark.parametrize("text", ["https://mirror.local", "ghcr.io=", "user@mirror.local"])
def test_what_can_be_no_mirror_is_told_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="give HOST"):
        Mirrors.parse(text)


def test_amounts_of_disk() -> None:
    assert sizes.read("200GB") == 200 * 10**9
    assert sizes.read("1.5 TiB") == 3 * 2**39
    assert sizes.read("500m") == 500 * 10**6
    assert sizes.read("7") == 7
    assert [sizes.spoken(n) for n in (5, 1500, 2.5e8, 1e9, 1.01e12)] == [
        "5 B",
        "1.5 kB",
        "250 MB",
        "1.0 GB",
        "1.01 TB",
    ]
    for wrong in ("", "lots", "0", "-1GB", "1PB", "1iB"):
        with pytest.raises(UsageError, match="no amount of disk"):
            sizes.read(wrong)
