"""A Python to carry along: one of this machine's, copied so that it runs from another place."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Fault
from harness.sandboxes.local import python

_LEFT_OUT = ("test", "tests", "idlelib", "turtledemo", "tkinter", "ensurepip", "lib2to3")
_ASK = """import json, sys, sysconfig, ssl, sqlite3, venv, ensurepip
print(json.dumps([sys.executable, sysconfig.get_path("stdlib"), sys.version, sys.base_prefix]))"""
_AGENTS_FOLDER = """import os, site, sys
site.addsitedir(os.path.join(os.path.dirname(sys.prefix), "site"))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    program: Path
    stdlib: Path
    version: str


def find(pythons: Sequence[str]) -> Interpreter:
    """The first of these versions that is on this machine, whole enough to install packages."""
    for version in pythons:
        for candidate in _candidates(version):
            if found := _asked(candidate, version):
                return found
    wanted = " or ".join(pythons)
    raise Fault(
        "scaffold",
        f"this agent needs a Python {wanted}, and this machine has none with venv and ensurepip: "
        f"install one (`uv python install {pythons[0]}`, pyenv or the system's packages)",
    )


def _candidates(version: str) -> Iterator[Path]:
    yield python()
    if named := shutil.which(f"python{version}"):
        yield Path(named)
    for places in (".pyenv/versions/*", ".local/share/uv/python/*"):
        yield from sorted(Path.home().glob(f"{places}/bin/python{version}"), reverse=True)


def _asked(program: Path, version: str) -> Interpreter | None:
    try:
        told = subprocess.run(
            [program, "-I", "-c", _ASK], capture_output=True, text=True, check=True, timeout=60
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    executable, stdlib, said, base = json.loads(told)
    if not said.startswith(f"{version}."):
        return None
    real = Path(base) / "bin" / f"python{version}"
    return Interpreter(
        (real if real.exists() else Path(executable)).resolve(), Path(stdlib), said.split()[0]
    )


def copy(interpreter: Interpreter, layer: Path) -> tuple[Path, list[Path]]:
    """Lay it out in `layer/python`; return its program, and the extension modules it comes with.

    What is installed in `layer/site` is importable from it, and from no other interpreter.
    """
    prefix = layer / "python"
    name = f"python{'.'.join(interpreter.version.split('.')[:2])}"
    program, stdlib = prefix / "bin" / name, prefix / "lib" / name
    program.parent.mkdir(parents=True)
    shutil.copy(interpreter.program, program)
    shutil.copytree(interpreter.stdlib, stdlib, ignore=_unneeded, ignore_dangling_symlinks=True)
    (stdlib / "sitecustomize.py").unlink(missing_ok=True)  # a system's own may be a link
    (stdlib / "sitecustomize.py").write_text(_AGENTS_FOLDER)
    for folder in (prefix, *prefix.rglob("*")):
        if folder.is_dir():
            folder.chmod(0o755)
    return program, sorted((stdlib / "lib-dynload").glob("*.so"))


def _unneeded(folder: str, names: list[str]) -> set[str]:
    left_out = {n for n in names if n in ("site-packages", "dist-packages")}
    left_out |= {n for n in names if n in _LEFT_OUT and Path(folder).name.startswith("python")}
    left_out |= {n for n in names if n.startswith(("config-", "_tkinter")) or n.endswith(".a")}
    return left_out | {n for n in names if not os.access(Path(folder) / n, os.R_OK)}
