"""Patches against boxes: taken from what an agent left behind, and applied where it is graded.

The agent was root in its box. So nothing of its `.git` is believed but the objects, which are
named by their content: no configuration, hook, attribute, index, replacement or exclusion of
its making takes part in the diff.
"""

from __future__ import annotations

import posixpath
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from harness.api import Sandbox
from harness.errors import Fault

LIMIT_BYTES = 32 << 20
NO_GIT, NO_BASE, TROUBLE = 91, 92, 93
_ASIDE = ".harness-nested-git"

# A fresh git folder borrows the agent's objects. Inside it an index is made from the base commit
# and brought up to the files as they are. Repositories within the repository would be recorded
# as links without their content, so their `.git` steps aside meanwhile; the same makes
# submodules stand still, and `--ignore-submodules` covers one that was deleted.
_COLLECT = rf"""
base=$1 work=$2 limit=$3
command -v git >/dev/null || exit {NO_GIT}
mkdir -m 700 "$work" || exit {TROUBLE}
give_up() {{
  cat "$work/log"
  grep -qE 'No space left|Disk quota|unable to write|Cannot allocate|out of memory' "$work/log" &&
    exit {TROUBLE}
  exit "$1"
}}
if [ -f .git ]; then store=$(sed -n 's/^gitdir: //p' .git); else store=.git; fi
if [ -f "$store/commondir" ]; then store=$store/$(cat "$store/commondir"); fi
store=$(cd "$store" 2>/dev/null && pwd -P) || exit {NO_BASE}
for name in $(env | sed -n 's/^\(GIT_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
export HOME="$work" XDG_CONFIG_HOME="$work" GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1 LC_ALL=C
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_NO_REPLACE_OBJECTS=1
case $base in
*[!0-9a-f]*) base=$(git --git-dir="$store" rev-parse --verify -q "$base^{{commit}}") ;;
esac
git init -q --bare --template= "$work/git" 2>"$work/log" || give_up {TROUBLE}
export GIT_DIR="$work/git" GIT_WORK_TREE="$PWD"
mkdir -p "$GIT_DIR/info" "$GIT_DIR/objects/info"
printf '%s\n' "$store/objects" >"$GIT_DIR/objects/info/alternates"
{{ printf '%s\n' {_ASIDE}; cat; }} >"$GIT_DIR/info/exclude"
git config core.bare false && git config core.filemode true && git config core.compression 0
git read-tree "$base^{{tree}}" 2>"$work/log" || give_up {NO_BASE}
find . -path ./.git -prune -o -name .git -exec sh -c \
  'for each; do mv "$each" "${{each%/*}}/{_ASIDE}"; done' sh {{}} + 2>/dev/null
git add -A --ignore-errors . 2>"$work/log"
added=$?
find . -path ./.git -prune -o -name {_ASIDE} -exec sh -c \
  'for each; do mv "$each" "${{each%/*}}/.git"; done' sh {{}} + 2>/dev/null
# 1: some path cannot be in a repository, and all others are in the index.
if [ $added -eq 1 ]; then (give_up 0) || exit; elif [ $added -gt 1 ]; then give_up {TROUBLE}; fi
{{ git diff --cached --binary --full-index --no-color --no-ext-diff --no-textconv --no-renames \
  --ignore-submodules=all --src-prefix=a/ --dst-prefix=b/ "$base" -- 2>"$work/log" ||
  echo "$?" >"$work/failed"; }} | head -c "$limit" >"$work/patch" || give_up {TROUBLE}
size=$(($(wc -c <"$work/patch")))
[ ! -s "$work/failed" ] || [ "$size" -ge "$limit" ] || give_up {NO_BASE}
echo "size $size"
"""

# Without a ceiling, `git apply` in a folder that is no repository itself would find one above,
# take every path for one outside the folder, and do nothing, successfully.
_APPLY = """
unset GIT_DIR GIT_WORK_TREE
GIT_CEILING_DIRECTORIES=$(dirname "$(pwd -P)") LC_ALL=C exec git \
  -c safe.directory='*' -c core.autocrlf=false -c apply.ignoreWhitespace=no \
  apply --whitespace=nowarn "$@" -
"""


@dataclass(frozen=True, slots=True)
class Applied:
    """Whether a patch is in the files now; if not, nothing of it is."""

    ok: bool
    message: str = ""


async def collect(
    sandbox: Sandbox,
    *,
    base: str,
    ignore: Sequence[str] = (),
    limit_bytes: int = LIMIT_BYTES,
    kill_after: float = 600.0,
) -> bytes:
    """What the files of the working directory are now, as a git patch against `base`.

    New files are in it unless `.gitignore` or `ignore` (patterns of the same kind) keeps them
    out. Give `base` as a commit's full name: any other is looked up in the agent's own `.git`,
    where it may have been moved. Where `.git` or the base commit is gone, the agent has thrown
    its work away: the patch is empty, which is an honest failure. A patch over the limit is the
    scaffold's fault, since nobody but it wrote the files; one that cannot be had for want of git,
    disk or time is the sandbox's. Needs git, sh, find and sed.
    """
    work = f"/tmp/harness-{secrets.token_hex(8)}"
    script = ["sh", "-c", _COLLECT, "collect", base, work, str(limit_bytes + 1)]
    patterns = "".join(f"{pattern}\n" for pattern in ignore).encode()
    done = await sandbox.exec(script, kill_after=kill_after, stdin=patterns)
    try:
        return await _fetch(sandbox, done.exit_code, done.text, (work, limit_bytes))
    finally:
        await sandbox.exec(["rm", "-rf", work], kill_after=60)


async def _fetch(sandbox: Sandbox, code: int | None, text: str, at: tuple[str, int]) -> bytes:
    work, limit_bytes = at
    if code == NO_BASE:
        return b""
    if code == NO_GIT:
        raise Fault("sandbox", "there is no git in the box, so the patch cannot be collected")
    sizes = re.findall(r"^size (\d+)$", text, re.MULTILINE)
    if code != 0 or not sizes:
        raise Fault("sandbox", f"the patch cannot be collected (exit {code}): {text[-500:]}")
    if int(sizes[-1]) > limit_bytes:
        raise Fault("scaffold", f"the patch is over the limit of {limit_bytes} bytes")
    return await sandbox.read(f"{work}/patch", limit=limit_bytes + 1)


async def apply(
    sandbox: Sandbox, patch: bytes, *options: str, kill_after: float = 120.0
) -> Applied:
    """Apply a patch to the files of the working directory, wholly or not at all.

    `options` go to `git apply`. A final newline that got lost on the way is put back; carriage
    returns are left as they are.
    """
    argv = ["sh", "-c", _APPLY, "apply", *options]
    done = await sandbox.exec(argv, kill_after=kill_after, stdin=with_final_newline(patch))
    if done.ended == "deadline":
        return Applied(False, f"git apply took more than {kill_after:g} seconds")
    if done.ended == "lost" or done.exit_code in (126, 127):
        raise Fault("sandbox", f"git apply cannot be run: {done.text[-300:]}")
    return Applied(done.ok, done.text.strip())


def with_final_newline(patch: bytes) -> bytes:
    return patch if not patch or patch.endswith(b"\n") else patch + b"\n"


def strip_binary_hunks(patch: bytes) -> bytes:
    """Leave out the files whose change is binary, as the official evaluator of Pro does."""
    sections = re.split(rb"(?m)(?=^diff --git )", patch)
    binary = re.compile(rb"(?m)^(?:Binary files .* differ|GIT binary patch)$")
    return b"".join(s for s in sections if s.strip() and not binary.search(s))


@dataclass(slots=True)
class Change:
    """What a patch does to one file; None where there is no such side."""

    old: str | None = None
    new: str | None = None
    mode: str = ""
    """The new mode, where the patch says one."""
    binary: bool = False
    added: bytes = b""
    """The lines that the patch adds, as they are: of a new symbolic link, where it points."""

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(path for path in (self.old, self.new) if path is not None)

    @property
    def creates(self) -> bool:
        return self.old is None and self.new is not None


def touched(patch: bytes) -> list[str]:
    """Every path that a patch names, old and new, in order; bytes outside UTF-8 are escaped."""
    return list(dict.fromkeys(path for each in changes(patch) for path in each.paths))


def refusal(patch: bytes) -> str | None:
    """Why a patch must not be applied, or None: it reaches out of the repository, or into `.git`.

    `git apply` refuses most of this by itself; the word here is what the verdict can quote.
    """
    links: list[str] = []
    for change in changes(patch):
        for path in change.paths:
            if trouble := _bad_path(path) or _through(path, links):
                return trouble
        if change.mode == "120000" and change.new is not None:
            if trouble := _bad_link(change, change.new):
                return trouble
            links.append(change.new)
    return None


def _bad_path(path: str) -> str | None:
    shown = path.encode(errors="surrogateescape").decode(errors="replace")
    parts = path.split("/")
    if path.startswith("/") or ".." in parts:
        return f"it names a path outside the repository: {shown}"
    if any(part.rstrip(" .").lower() in (".git", "git~1") for part in parts):
        return f"it writes to the repository's own records: {shown}"
    return (
        f"it names a path with a line break in it: {path!a}" if re.search(r"[\0\n]", path) else None
    )


def _through(path: str, links: Sequence[str]) -> str | None:
    for link in links:
        if path.startswith(link + "/"):
            return f"it writes through its own symbolic link {link}: {path!a}"
    return None


def _bad_link(change: Change, path: str) -> str | None:
    if change.binary:
        return f"it makes a symbolic link of binary content: {path!a}"
    target = change.added.removesuffix(b"\n").decode(errors="surrogateescape")
    end = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if target.startswith("/") or end == ".." or end.startswith("../"):
        return f"its symbolic link {path!a} points outside the repository: {target!a}"
    if _bad_path(end):
        return f"its symbolic link {path!a} points into .git: {target!a}"
    return None


_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_MODE = re.compile(rb"(new file mode|new mode|deleted file mode|index \S+) (\d{6})$")
_RENAME = re.compile(rb"(?:rename|copy) (from|to|old|new) (.+)$")
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')
_PASSED_OVER = (b"index ", b"similarity index ", b"dissimilarity index ", b"old mode ")
_BINARY = (b"GIT binary patch", b"Binary files ")


def changes(patch: bytes) -> list[Change]:
    """The files of a patch, in git's format or the traditional one; other text is passed over.

    Lines of a hunk are counted, so that a removed line `-- a/x` is not taken for a header.
    """
    reader = _Reader()
    lines = patch.split(b"\n")
    for line, following in zip(lines, [*lines[1:], b""], strict=True):
        reader.take(line, following)
    return reader.found


class _Reader:
    def __init__(self) -> None:
        self.found: list[Change] = []
        self.old_left = 0
        self.new_left = 0
        self.in_header = False
        self.depth = 1
        """Folders that git takes off a name: none, once a traditional header has shown none."""

    def take(self, line: bytes, following: bytes) -> None:
        if self.old_left > 0 or self.new_left > 0:
            self._take_hunk(line)
        elif line.startswith(b"diff --git "):
            name = _shared_name(line.removeprefix(b"diff --git ").rstrip(b"\r"), self.depth)
            self.found.append(Change(name, name))
            self.in_header = True
        elif self.found and (hunk := _HUNK.match(line)):
            self.old_left, self.new_left = (1 if n is None else int(n) for n in hunk.groups())
            self.in_header = False
        elif self.in_header:
            self.in_header = self._take_header(self.found[-1], line.rstrip(b"\r"))
        elif line.startswith(b"--- ") and following.startswith(b"+++ "):
            sides = {_side(each[4:], 0) for each in (line, following)} - {None}
            if sides and not any("/" in side for side in sides if side):
                self.depth = 0
            self.found.append(Change(_side(line[4:], self.depth)))
        elif line.startswith(b"+++ ") and self.found:
            self.found[-1].new = _side(line[4:], self.depth)

    def _take_hunk(self, line: bytes) -> None:
        first, change = line[:1], self.found[-1]
        self.old_left -= first in (b" ", b"-", b"")
        self.new_left -= first in (b" ", b"+", b"")
        if first == b"+" and change.mode == "120000" and len(change.added) < 8192:
            change.added += line[1:] + b"\n"

    def _take_header(self, change: Change, line: bytes) -> bool:
        """Whether the header may go on after this line."""
        if line.startswith(b"--- "):
            change.old = _side(line[4:], self.depth)
        elif line.startswith(b"+++ "):
            change.new = _side(line[4:], self.depth)
        elif mode := _MODE.match(line):
            _set_mode(change, mode[1], mode[2].decode())
        elif rename := _RENAME.match(line):
            side = "old" if rename[1] in (b"from", b"old") else "new"
            setattr(change, side, _unquote(rename[2]))
        elif line.startswith(_BINARY):
            change.binary = True
        else:
            return line.startswith(_PASSED_OVER)
        return True


def _set_mode(change: Change, kind: bytes, mode: str) -> None:
    if kind == b"deleted file mode":
        change.new = None
        return
    change.mode = mode
    if kind == b"new file mode":
        change.old = None


def _shared_name(rest: bytes, depth: int) -> str | None:
    """The name that both sides of a `diff --git` line agree on; other lines say it otherwise."""
    if rest.startswith(b'"'):
        end = _QUOTED.match(rest)
        cuts = [end.end()] if end else []
    else:
        cuts = [i for i, byte in enumerate(rest) if byte == 0x20]
    for cut in cuts:
        left, right = _strip_prefix(rest[:cut], depth), _strip_prefix(rest[cut + 1 :], depth)
        if left == right:
            return left
    return None


def _side(raw: bytes, depth: int) -> str | None:
    """The path after `---` or `+++`, None for /dev/null; a tab ends a name that is not quoted."""
    name = raw.rstrip(b"\r")
    quoted = _QUOTED.match(name)
    name = quoted[0] if quoted else name.partition(b"\t")[0]
    return None if name == b"/dev/null" else _strip_prefix(name, depth)


def _strip_prefix(raw: bytes, depth: int) -> str:
    """Without the first folder, `a/` or `b/`; an absolute path stays what it is."""
    name = _unquote(raw)
    if depth == 0 or name.startswith("/") or "/" not in name:
        return name
    return name.partition("/")[2]


_ESCAPES = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13}


def _unquote(raw: bytes) -> str:
    if len(raw) > 1 and raw[:1] == raw[-1:] == b'"':

        def plain(match: re.Match[bytes]) -> bytes:
            code = match[1]
            if code.isdigit():
                return bytes([int(code, 8) & 0xFF])
            return bytes([_ESCAPES[code]]) if code in _ESCAPES else code

        raw = re.sub(rb"\\([0-7]{3}|.)", plain, raw[1:-1])
    return raw.decode(errors="surrogateescape")
