"""`--sandbox auto`: which kind of box this machine offers, and why."""

from __future__ import annotations

from harness.errors import UsageError
from harness.sandboxes import bubblewrap, docker


def choose(name: str) -> tuple[str, str]:
    """A sandbox's name, and the reason in words; UsageError where `auto` finds none."""
    if name != "auto":
        return name, "as asked"
    try:
        client = docker.connect()
    except UsageError as error:
        silence = str(error).partition(":")[0].partition(" (")[0]
        return _without_docker(silence)
    try:
        engine = client.version().get("Version", "of unknown version")
        return "docker", f"a Docker engine {engine} answers at {docker.address(client)}"
    finally:
        client.close()


def _without_docker(silence: str) -> tuple[str, str]:
    try:
        bubblewrap.binary()
    except UsageError as error:
        raise UsageError(f"no sandbox to be had: {silence}, and {error}") from error
    return "bubblewrap", f"{silence}; user namespaces work here"
