"""What the whole suite shares: which engines answer, and what to do where none does."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import warnings
from functools import cache

import docker
import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

REQUIRED = os.environ.get("HARNESS_REQUIRE_DOCKER") == "1"
BASE_IMAGE = "debian:bookworm-slim"


# How long an example takes says how busy the machine is.
settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")

# A shell that starts us in the background has us, and all that we start, deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--truth",
        choices=("smoke", "full"),
        default="smoke",
        help="how often statistics are tried on a planted truth: 400 times, or 3,000",
    )


@pytest.fixture
def replicates(request: pytest.FixtureRequest) -> int:
    return 3_000 if request.config.getoption("--truth") == "full" else 400


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@cache
def engine_trouble() -> str:
    """Why Docker tests cannot run here, or nothing."""
    trouble = _asked()
    with warnings.catch_warnings():
        # The SDK leaves its socket open where nobody listens; that is no leak of some test's.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    return trouble


def _asked() -> str:
    try:
        client = docker.from_env(timeout=10)
        try:
            client.ping()
        finally:
            client.close()
    except (docker.errors.DockerException, OSError) as error:
        return f"no Docker engine answers: {error}"
    return ""


@cache
def namespace_trouble() -> str:
    """Why bubblewrap tests cannot run here, or nothing."""
    try:
        done = subprocess.run(
            ["unshare", "--user", "--pid", "--fork", "true"], capture_output=True, check=False
        )
    except FileNotFoundError:
        return "no unshare on this machine"
    return "" if done.returncode == 0 else "the kernel forbids user namespaces"


ON_REQUEST = ("agents", "cluster", "servers")
"""Marks of tests that run only where `-m` names them."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unasked = [mark for mark in ON_REQUEST if mark not in str(config.getoption("markexpr"))]
    left = [item for item in items if any(item.get_closest_marker(mark) for mark in unasked)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


class ByFile(LoadFileScheduling):
    """Of `-n`: the tests of a file run one after the other, and so do those of files that count
    what a sweep of the whole machine finds."""

    SWEEPING = ("tests/contract/test_sandbox_lifetimes.py", "tests/e2e/test_hygiene.py")

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "sweeping" if file in self.SWEEPING else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    config.option.loadscopereorder = False  # files of few tests are the long ones: not last
    return ByFile(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("docker") and (trouble := engine_trouble()):
        if REQUIRED:
            pytest.fail(f"HARNESS_REQUIRE_DOCKER=1 but {trouble}", pytrace=False)
        pytest.skip(trouble)
    if item.get_closest_marker("bubblewrap") and (trouble := namespace_trouble()):
        pytest.skip(trouble)


@pytest.fixture(scope="session")
def base_image() -> str:
    """An image with bash and coreutils that every Docker test may start from."""
    return BASE_IMAGE
