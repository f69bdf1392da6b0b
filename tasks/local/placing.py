"""Putting files into a repository whose folders somebody else has had his hands on.

A patch may leave a symbolic link, a file or a folder where a file of ours has to go, or where
one of its folders has to be. Whatever is in the way is removed, never written through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.api import Sandbox
from harness.errors import Fault

_SECONDS = 120.0
_CHUNK = 200
"""Paths in one command: their names have to fit into the arguments of a process."""

_CLEAR = """
clear() {
  rest=$1 at=.
  while case $rest in */*) : ;; *) false ;; esac; do
    at=$at/${rest%%/*} rest=${rest#*/}
    if [ -L "$at" ] || { [ -e "$at" ] && [ ! -d "$at" ]; }; then rm -f "$at" || exit; fi
  done
  rm -rf "./$1" || exit
}
"""
_SAVE = """
aside=$1; shift
for path; do
  if [ -e "./$path" ] || [ -L "./$path" ]; then
    case $path in */*) mkdir -p "$aside/${path%/*}" ;; *) mkdir -p "$aside" ;; esac || exit
    cp -a "./$path" "$aside/$path" || exit
  fi
done
"""
_RESTORE = f"""{_CLEAR}
aside=$1; shift
for path; do clear "$path"; done
for path; do
  if [ -e "$aside/$path" ] || [ -L "$aside/$path" ]; then
    case $path in */*) mkdir -p "./${{path%/*}}" ;; esac || exit
    cp -a "$aside/$path" "./$path" || exit
  fi
done
"""
_REMOVE = f"""{_CLEAR}
for path; do clear "$path"; done
"""
_EXECUTABLE = """
for path; do chmod 755 "./$path" || exit; done
"""


async def save(sandbox: Sandbox, paths: Sequence[str], aside: str) -> None:
    """Copy what is there of `paths` to a folder outside the repository."""
    for some in _chunks(paths):
        await _run(sandbox, _SAVE, aside, *some)


async def restore(sandbox: Sandbox, paths: Sequence[str], aside: str) -> None:
    """Make `paths` what they were when they were saved; what was not there is removed."""
    for some in _chunks(sorted(paths)):  # a folder before what is in it
        await _run(sandbox, _RESTORE, aside, *some)


async def remove(sandbox: Sandbox, paths: Sequence[str]) -> None:
    for some in _chunks(sorted(paths)):
        await _run(sandbox, _REMOVE, *some)


async def place(
    sandbox: Sandbox, files: Mapping[str, bytes], executable: Sequence[str] = ()
) -> None:
    """Write files over the repository, each a regular file in real folders."""
    await remove(sandbox, list(files))
    for path, data in files.items():
        await sandbox.write(f"./{path}", data)
    for some in _chunks(executable):
        await _run(sandbox, _EXECUTABLE, *some)


def _chunks(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    return (paths[at : at + _CHUNK] for at in range(0, len(paths), _CHUNK))


async def _run(sandbox: Sandbox, script: str, *arguments: str) -> None:
    done = await sandbox.exec(["sh", "-c", script, "sh", *arguments], kill_after=_SECONDS)
    if not done.ok:
        raise Fault("sandbox", f"files cannot be put in place: {done.ended} {done.text[-300:]}")
