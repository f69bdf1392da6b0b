"""Programs that run in any image: what they load is carried with them, down to the C library."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from harness.errors import Fault
from scaffolds.external.agent import MOUNT

_ELF = b"\x7fELF"
_LOADED = re.compile(r"(/\S+) \(0x")
_WHEELS_EXPECT = ("libstdc++.so.6", "libgcc_s.so.1", "libz.so.1")
"""Of the system, says the manylinux standard: with a carried C library they are carried too."""


def run(argv: list[str], what: str, env: dict[str, str] | None = None) -> str:
    """The output of a program on this machine; a Fault with its last words where it fails."""
    done = subprocess.run(
        argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        why = " | ".join(said[-3:]) or f"exit code {done.returncode}"
        raise Fault("scaffold", f"{what} failed: {why[:600]}")
    return done.stdout


def dynamic(path: Path) -> bool:
    """Whether a program asks for a loader: scripts and static programs do not."""
    with path.open("rb") as file:
        if file.read(4) != _ELF:
            return False
    return bool(libraries([path]))


def libraries(paths: Iterable[Path]) -> list[str]:
    """Every library that these load, and the loader itself, as this machine finds them."""
    found: set[str] = set()
    for path in paths:
        # Of a static program ldd says so and fails; of an optional module it may miss some.
        told = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False)
        found.update(_LOADED.findall(told.stdout))
    return sorted(found)


def carry(programs: list[Path], modules: Iterable[Path], layer: Path, patchelf: Path) -> None:
    """Put the libraries of `programs` into `layer/lib`, and make the programs look there alone.

    The path of the loader and of the libraries is all that is changed in a program.
    """
    if not programs:  # a static one carries all that it needs
        return
    lib = layer / "lib"
    lib.mkdir(exist_ok=True)
    needed = libraries([*programs, *modules])
    loader = next((Path(n).name for n in needed if Path(n).name.startswith("ld-linux")), "")
    if not loader:
        raise Fault("scaffold", "agents can be carried from a machine with the GNU C library only")
    for path in [*needed, *_system(needed)]:
        if not (lib / Path(path).name).exists():
            shutil.copy(path, lib)
    for program in programs:
        settings = ["--set-interpreter", f"{MOUNT}/lib/{loader}"]
        settings += ["--force-rpath", "--set-rpath", f"{MOUNT}/lib"]
        run([str(patchelf), *settings, str(program)], f"preparing {program.name}")


def _system(needed: list[str]) -> list[str]:
    """The libraries that extensions take for granted, from beside the C library."""
    libc = next(Path(n) for n in needed if Path(n).name.startswith("libc.so"))
    beside = [libc.resolve().parent / name for name in _WHEELS_EXPECT]
    return [str(path) for path in beside if path.exists()]
