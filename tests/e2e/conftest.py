"""An engine, and an image that every tiny task runs in."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import docker
import pytest

from tests.e2e import tiny_task


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    name = f"harness-test-tiny:{uuid.uuid4().hex[:12]}"
    with tiny_task.image(engine, name, tmp_path_factory.mktemp("image")) as made:
        yield made
