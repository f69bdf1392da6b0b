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
_TAKEN_FOR_GRANTED = (
    *("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1"),
    *("libstdc++.so.6", "libgcc_s.so.1", "libz.so.1"),
)
"""What compiled packages expect of any system, says the manylinux standard."""


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


def carry(programs: list[Path], modules: list[Path], layer: Path, patchelf: Path) -> None:
    """Put the libraries of `programs` into `layer/lib`, and make the programs look there alone.

    Where a program finds its loader and its libraries is all that is changed in it. One that loads
    `modules` has what those take for granted loaded before them, wherever they would look for it.
    """
    if not programs:  # a static one carries all that it needs
        return
    loader, system = gather([*programs, *modules], layer)
    lib = layer / "lib"
    here = ["--force-rpath", "--set-rpath", f"{MOUNT}/lib"]
    early = [w for name in system for w in ("--add-needed", name)] if modules else []
    for program in programs:
        settings = ["--set-interpreter", f"{MOUNT}/lib/{loader}", *here, *early]
        run([str(patchelf), *settings, str(program)], f"preparing {program.name}")
    for library in [*sorted(lib.iterdir()), *modules]:
        # A library that says itself where to look does not look where its program would.
        if run([str(patchelf), "--print-rpath", str(library)], f"reading {library.name}").strip():
            run([str(patchelf), *here, str(library)], f"preparing {library.name}")


def gather(paths: list[Path], layer: Path) -> tuple[str, list[str]]:
    """Copy all that these load to `layer/lib`; the loader's name, and what any may expect there."""
    needed = libraries(paths)
    loader = next((Path(n).name for n in needed if Path(n).name.startswith("ld-linux")), "")
    if not loader:
        raise Fault("scaffold", "agents can be carried from a machine with the GNU C library only")
    system = _system(needed)
    lib = layer / "lib"
    lib.mkdir(exist_ok=True)
    for path in [*needed, *system]:
        if not (lib / Path(path).name).exists():
            shutil.copy(path, lib)
    return loader, [Path(path).name for path in system]


def _system(needed: list[str]) -> list[str]:
    """The libraries that are taken for granted, from beside the C library."""
    libc = next(Path(n) for n in needed if Path(n).name.startswith("libc.so"))
    beside = [libc.resolve().parent / name for name in _TAKEN_FOR_GRANTED]
    return [str(path) for path in beside if path.exists()]
