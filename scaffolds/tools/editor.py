"""The editor tool: view, create, replace, insert and undo, over whole files as bytes."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.api import Sandbox
from harness.types import Tool
from scaffolds.factors.output import Cut, legible
from scaffolds.tools import edits
from scaffolds.tools.edits import Edit, Refused

MOST_BYTES = 1 << 20
LISTING_SECONDS = 30.0
MOST_PATH, MOST_NAME = 4000, 255
MOST_SHOWN = 300
REMEMBERED = 20
"""How many changes of one file can be undone."""

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
TOOL = Tool(
    "editor",
    "View and edit text files. Commands: view (path, optionally start and end) shows a file with "
    "numbered lines, or a folder two levels deep; create (path, text) writes a whole file; replace "
    "(path, old, new) puts new in the place of old, which must occur exactly once, white space "
    "included and line numbers left out; insert (path, line, text) adds lines after a line; undo "
    "(path) takes back the last change that this tool made to the file.",
    json.dumps(
        {
            "type": "object",
            "properties": {
                "command": {
                    "type": "string",
                    "enum": ["view", "create", "replace", "insert", "undo"],
                },
                "path": _TEXT | {"description": "A file or folder, absolute or in the repository."},
                "text": _TEXT | {"description": "create, insert: what to write."},
                "old": _TEXT | {"description": "replace: what is there now."},
                "new": _TEXT | {"description": "replace: what shall be there; may be empty."},
                "line": _NUMBER | {"description": "insert: after this line; 0 is the top."},
                "start": _NUMBER | {"description": "view: the first line to show, from 1."},
                "end": _NUMBER | {"description": "view: the last line to show."},
            },
            "required": ["command", "path"],
        }
    ),
)

# Needs nothing but a shell: there are images without find.
_LIST = """
cd -- "$1" || exit
for name in * ; do
    [ -e "$name" ] || [ -L "$name" ] || continue
    if [ -d "$name" ] && [ ! -L "$name" ]; then
        printf '%s/\\n' "$name"
        for inner in "$name"/* ; do
            [ -e "$inner" ] || [ -L "$inner" ] || continue
            if [ -d "$inner" ]; then printf '%s/\\n' "$inner"; else printf '%s\\n' "$inner"; fi
        done
    else
        printf '%s\\n' "$name"
    fi
done
"""


@dataclass(frozen=True, slots=True)
class _Change:
    before: bytes | None
    """None: the file was not there."""
    after: bytes


class _IsFolder(Refused):
    """The one refusal that `view` has a better answer to."""


class Editor:
    """The tool's hands in one box, with what they did there, so that it can be undone."""

    def __init__(self, sandbox: Sandbox, cut: Cut, workdir: str) -> None:
        self._sandbox = sandbox
        self._cut = cut
        self._workdir = workdir
        self._changes: dict[str, list[_Change]] = {}

    async def run(self, arguments: Mapping[str, Any]) -> str:
        commands = {
            "view": self._view,
            "create": self._create,
            "replace": self._replace,
            "insert": self._insert,
            "undo": self._undo,
        }
        try:
            path = self._path(arguments["path"])
            return self._cut.cut(await commands[arguments["command"]](path, arguments))
        except Refused as error:
            return f"[{arguments['command']} {arguments['path'][:MOST_SHOWN]}: {error}]"

    def _path(self, written: str) -> str:
        """One spelling for each file; a name that no file can have is refused here."""
        if not written.strip():
            raise Refused("the path is empty")
        path = posixpath.normpath(posixpath.join(self._workdir, written.strip()))
        if len(path.encode()) > MOST_PATH or any(
            len(p.encode()) > MOST_NAME for p in path.split("/")
        ):
            raise Refused("the path is too long")
        # A relative path stays one: where it leads is for the box to know.
        relative = posixpath.relpath(path, self._workdir)
        return path if relative.startswith("../") else posixpath.join(".", relative)

    async def _view(self, path: str, arguments: Mapping[str, Any]) -> str:
        try:
            text = edits.decode(await self._file(path))
        except _IsFolder:
            return await self._list(path)
        count = len(edits.lines(text.removeprefix(edits.BOM)))
        first = arguments.get("start", 1)
        last = arguments.get("end", count)
        last = count if last < 0 else min(last, count)
        if count and not 1 <= first <= last:
            raise Refused(f"lines {first} to {last} cannot be shown; the file has {count} lines")
        header = f"{path}: {count} lines{edits.oddities(text)}"
        return f"{header}\n{edits.numbered(text, first, last)}" if count else header

    async def _list(self, path: str) -> str:
        argv = ["sh", "-c", _LIST, "sh", path]
        result = await self._sandbox.exec(argv, kill_after=LISTING_SECONDS)
        if not result.ok:
            raise Refused(f"the folder cannot be listed: {legible(result.output).strip()}")
        return f"{path}/ (hidden files left out)\n{legible(result.output)}".rstrip("\n")

    async def _create(self, path: str, arguments: Mapping[str, Any]) -> str:
        text = _needed(arguments, "text")
        before = await self._file_or_none(path)
        await self._write(path, before, edits.encode(text))
        count = len(edits.lines(text))
        if before is None:
            return f"[created {path}: {count} lines]"
        return f"[replaced the whole of {path}: {count} lines]"

    async def _replace(self, path: str, arguments: Mapping[str, Any]) -> str:
        old, new = _needed(arguments, "old"), _needed(arguments, "new")
        before = await self._file(path)
        return await self._edit(path, before, edits.replace_once(edits.decode(before), old, new))

    async def _insert(self, path: str, arguments: Mapping[str, Any]) -> str:
        line, text = _needed(arguments, "line"), _needed(arguments, "text")
        before = await self._file(path)
        return await self._edit(path, before, edits.insert_after(edits.decode(before), line, text))

    async def _edit(self, path: str, before: bytes, edit: Edit) -> str:
        await self._write(path, before, edits.encode(edit.text))
        return f"[changed {path}; it now reads]\n{edits.around(edit)}"

    async def _undo(self, path: str, arguments: Mapping[str, Any]) -> str:
        changes = self._changes.get(path)
        if not changes:
            raise Refused("this tool has made no change that is left to undo")
        change = changes[-1]
        if await self._file_or_none(path) != change.after:
            raise Refused("it was changed by something else since; nothing was undone")
        if change.before is None:
            removed = await self._sandbox.exec(["rm", "-f", path], kill_after=LISTING_SECONDS)
            if not removed.ok:
                raise Refused(legible(removed.output).strip())
            told = f"[undone: {path} is gone again]"
        else:
            with _refusing():
                await self._sandbox.write(path, change.before)
            told = f"[undone: {path} is as it was before the last change]"
        changes.pop()
        return told

    async def _file(self, path: str) -> bytes:
        data = await self._file_or_none(path)
        if data is None:
            raise Refused("there is no such file")
        return data

    async def _file_or_none(self, path: str) -> bytes | None:
        with _refusing():
            try:
                return await self._sandbox.read(path, limit=MOST_BYTES)
            except FileNotFoundError:
                return None
            except IsADirectoryError:
                raise _IsFolder("it is a folder") from None

    async def _write(self, path: str, before: bytes | None, after: bytes) -> None:
        if len(after) > MOST_BYTES:
            raise Refused(f"it would be larger than {MOST_BYTES} bytes")
        with _refusing():
            await self._sandbox.write(path, after)
        changes = self._changes.setdefault(path, [])
        changes.append(_Change(before, after))
        del changes[:-REMEMBERED]


@contextmanager
def _refusing() -> Iterator[None]:
    """What the file system says no to is told to the model; a box that is gone is not its doing."""
    try:
        yield
    except (ConnectionError, TimeoutError):
        raise
    except ValueError:
        raise Refused(f"it is larger than {MOST_BYTES} bytes; use bash for it") from None
    except OSError as error:
        raise Refused(error.strerror or str(error)) from None


def _needed(arguments: Mapping[str, Any], name: str) -> Any:
    if name not in arguments:
        raise Refused(f"{arguments['command']} needs the argument {name}")
    return arguments[name]
