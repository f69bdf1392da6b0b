"""A tiny agent of our own, hosted as anybody's: `tests.agents.fake:fake,layer=FOLDER`."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from scaffolds.external import interpreters, programs
from scaffolds.external.agent import MOUNT, Agent
from scaffolds.external.layer import Layer
from scaffolds.external.scaffold import External

AGENT = Agent(
    name="fake",
    registry="pypi",
    package="none",
    version="0.0.1",
    wire="chat",
    program="program.py",
    argv=(),
    stdin="$statement",
    env={"URL": "$url", "TOKEN": "$token", "HOW": "well"},
    litter=(".fake*",),
    unequal=("is our own",),
)


def lay(folder: Path) -> None:
    """A layer without an installation: this machine's Python, and the program."""
    folder.chmod(0o755)
    interpreter = interpreters.find([f"{sys.version_info[0]}.{sys.version_info[1]}"])
    program, modules = interpreters.copy(interpreter, folder)
    loader, _ = programs.gather([program, *modules], folder)
    shutil.copy(Path(__file__).with_name("program.py"), folder)
    start = [f"lib/{loader}", "--library-path", "lib", str(program.relative_to(folder)), "-I"]
    (folder / "start").write_text("\n".join([*start, "program.py"]))


def fake(*, layer: str, how: str = "well", parting: float = 1.0) -> External:
    folder = Path(layer)
    words = (folder / "start").read_text().splitlines()
    here = [f"{MOUNT}/{word}" if (folder / word).exists() else word for word in words]
    needs = ("no-such-program",) if how == "unfit" else ()
    hosted = replace(AGENT, env={**AGENT.env, "HOW": how}, needs=needs)

    async def install(agent: Agent) -> Layer:
        return Layer(folder, tuple(here), {"agent_packages": "none"})

    return External(hosted, install=install, parting=parting)
