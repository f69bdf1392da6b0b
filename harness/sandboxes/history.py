"""The agent's view of a repository: its history up to the base commit, and not an object more.

`prune` makes the view and `certify` looks whether it is one; neither takes the other's word. Both
are for boxes that nobody has worked in yet. They need sh, find, sed, sort and git 2.20 in the box.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness.api import Sandbox
from harness.errors import Fault

PRUNE_SECONDS = 1800.0
_REFUSED, _NOTHING = 90, 91
_SHOWN = 5
"""Of a list that may be long, so many are named in a certificate."""

_COMMON = rf"""
set -eu
umask 022
newline='
'
refuse() {{ printf '%s\n' "$*"; exit {_REFUSED}; }}
for name in $(env | sed -n 's/^\(GIT_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
# Replacements and grafts are a second history; the one that the objects name is meant.
export LC_ALL=C GIT_CONFIG_NOSYSTEM=1 GIT_NO_REPLACE_OBJECTS=1 GIT_GRAFT_FILE=/dev/null
export HOME=/nonexistent XDG_CONFIG_HOME=/nonexistent GIT_TERMINAL_PROMPT=0
top=$(cd "$1" && pwd -P) base=$2 within=$3
while [ ! -e "$top/.git" ] && [ ! -L "$top/.git" ]; do
    [ -n "$top" ] && [ "$top" != / ] || exit {_NOTHING}
    top=${{top%/*}}
done
command -v git >/dev/null || refuse "there is no git in the image to prune $top with"
# The folder is named outright, so git does not ask whose it is.
g() {{
    git --git-dir="$d" --work-tree="$w" -c core.fsmonitor=false -c core.hooksPath=/dev/null \
        -c core.splitIndex=false -c gc.auto=0 -c maintenance.auto=false "$@"
}}
outward='^((remote|remotes|branch|url|include|includeif|credential|http)\.|extensions\.partialclone$)'
# Every place in the box that holds git objects, but for those of the repository itself.
other_stores() {{
    [ -n "$within" ] || return 0
    find "$within" -xdev -type d -name objects 2>/dev/null | while IFS= read -r store; do
        case $store in "$top/.git"/*) continue ;; esac
        [ ! -d "$store/pack" ] && [ ! -d "$store/info" ] || printf '%s\n' "$store"
    done
}}
knows_base() {{ GIT_OBJECT_DIRECTORY=$1 git --git-dir="$top/.git" cat-file -e "$base" 2>/dev/null; }}
"""

# The new store is complete before anything old is touched: what cannot be pruned stays as it was.
_PRUNE = (
    _COMMON
    + r"""
prune_store() (
    d=$1 w=$2 base=$3
    cd "$w"
    [ ! -d "$d/reftable" ] || refuse "$d keeps its refs in a reftable, which cannot be pruned"
    head=$(g rev-parse --verify -q 'HEAD^{commit}') || refuse "HEAD of $d leads to no commit"
    [ "$head" = "$base" ] || refuse "$w is at commit $head and not at the base commit $base:" \
        "correct the task's base commit, or check it out where the image is built"
    branch=$(g symbolic-ref -q HEAD) || branch=
    case $branch in refs/heads/*) ;; *) branch= ;; esac
    when=$(g rev-list --timestamp -1 "$base")
    when=${when%% *}

    new=$d/harness-view
    rm -rf "$new"
    mkdir -p "$new/objects/info" "$new/objects/pack" "$new/refs/heads" "$new/refs/tags"
    # A tag object has a text of its own: one of later date could tell of later things.
    g for-each-ref --merged="$base" refs/tags \
        --format='%(objecttype):%(taggerdate:unix):%(objectname):%(refname)' |
        while IFS=: read -r type date id name; do
            [ "$type" = commit ] || { [ -n "$date" ] && [ "$date" -le "$when" ]; } || continue
            printf '%s %s\n' "$id" "$name"
        done >"$new/packed-refs"
    missing=
    ! g config --get-regexp '^(extensions\.partialclone|remote\..*\.promisor)$' >/dev/null ||
        missing=--missing=allow-any
    # Deltas are taken over as they are; to look for better ones would take minutes.
    { echo "$base"; sed 's/ .*//' "$new/packed-refs"; } |
        g pack-objects --revs -q --window=0 --delta-base-offset $missing "$new/objects/pack/pack" \
            >/dev/null || refuse "the history of $base in $d has gaps, and cannot be pruned"
    if [ -n "$branch" ]; then
        printf '%s %s\n' "$base" "$branch" >>"$new/packed-refs"
        printf 'ref: %s\n' "$branch" >"$new/HEAD"
    else
        printf '%s\n' "$base" >"$new/HEAD"
    fi
    for shared in "$d"/sharedindex.*; do
        [ ! -e "$shared" ] || { g update-index --no-split-index; break; }
    done

    # From here on the old is gone: all but what is known to be harmless.
    for entry in "$d"/* "$d"/.[!.]* "$d"/..?*; do
        case ${entry##*/} in
        harness-view | config | config.worktree | description | index | info | hooks | modules) ;;
        shallow) ;;
        worktrees) drop_worktrees "$entry" ;;
        *) rm -rf "$entry" ;;
        esac
    done
    for entry in "$d"/info/* "$d"/info/.[!.]*; do
        case ${entry##*/} in exclude | attributes | sparse-checkout) ;; *) rm -rf "$entry" ;; esac
    done
    rm -f "$d"/hooks/*.sample
    mv "$new"/* "$d/"
    rmdir "$new"
    for file in "$d/config" "$d/config.worktree"; do
        [ -f "$file" ] || continue
        while name=$(git config --file "$file" --name-only --get-regexp "$outward"); do
            name=${name%%"$newline"*}
            case $name in
            extensions.*) git config --file "$file" --unset-all "$name" ;;
            *) git config --file "$file" --remove-section "${name%.*}" ;;
            esac || refuse "$file cannot be cleansed of $name"
        done
    done
    if [ -f "$d/shallow" ]; then
        sed '/^[0-9a-f]*$/!d' "$d/shallow" | g cat-file --batch-check='%(objectname)' |
            sed '/ missing$/d' >"$d/shallow.new"
        mv "$d/shallow.new" "$d/shallow"
        [ -s "$d/shallow" ] || rm "$d/shallow"
    fi
    [ ! -f "$d/index" ] || mend_index
    [ ! -d "$d/modules" ] || prune_modules "$d/modules"
)

# Checkouts of other commits, in plain files.
drop_worktrees() {
    for link in "$1"/*/gitdir; do
        [ -n "$within" ] && [ -f "$link" ] || continue
        tree=$(cat "$link")
        tree=${tree%/.git}
        case $tree in "${within%/}"/?*) [ ! -f "$tree/.git" ] || rm -rf "$tree" ;; esac
    done
    rm -rf "$1"
}

# The index may hold what was staged and is no part of history: such an index is put back to the
# base commit, and the files stay as they are.
mend_index() {
    empty=$(g hash-object -t blob --stdin </dev/null)
    if g ls-files -s | sed -n '/^160000/!s/^[0-9]* \([0-9a-f]*\) .*/\1/p' | sed "/^$empty\$/d" |
        g cat-file --batch-check='%(objectname)' | grep -q ' missing$'; then
        [ -n "$missing" ] || g read-tree --reset "$base"
    fi
    g update-index -q --clear-resolve-undo
    # Every box would have to look at every file again: once is enough.
    g update-index -q --refresh >/dev/null || :
}

# A submodule is at the commit that it is at; one that nobody has checked out is not needed.
prune_modules() {
    find "$1" -type d -name objects | while IFS= read -r store; do
        m=${store%/objects}
        [ -f "$m/HEAD" ] && [ -d "$m/refs" ] || continue
        tree=$(git config --file "$m/config" core.worktree) || tree=
        tree=$(cd "$m" && cd "${tree:-/nonexistent}" 2>/dev/null && pwd -P) || tree=
        if [ -n "$tree" ] && [ -f "$tree/.git" ]; then
            prune_store "$m" "$tree" "$(git --git-dir="$m" rev-parse HEAD)"
        else
            rm -rf "$m"
        fi
    done
}

d=$top/.git
if [ -L "$d" ] || [ ! -d "$d" ] || [ -f "$d/commondir" ]; then
    refuse "$d leads to a git folder elsewhere: only a repository that holds its own can be pruned"
fi
owner=$(ls -nd "$d" | { read -r mode links user group rest; echo "$user:$group"; })
alternates=$(cd "$d/objects" && sed '/^#/d' info/alternates 2>/dev/null) || alternates=
prune_store "$d" "$top" "$base"
# What the repository no longer leads to would still be there to be found.
{ printf '%s\n' "$alternates"; other_stores; } | while IFS= read -r store; do
    [ -n "$within" ] && [ -n "$store" ] || continue
    case $store in "${within%/}"/?*) ! knows_base "$store" || rm -rf "$store" ;; esac
done
[ "$(id -u)" != 0 ] || chown -R "$owner" "$d"
"""
)

_CERTIFY = (
    _COMMON
    + r"""
say() { printf '%s %s\n' "$1" "$2"; }
lines() { wc -l | tr -d ' '; }
certify_store() {
    d=$1 w=$2 base=$3
    set -- $(g rev-list --timestamp --all HEAD | sort -rn | sed -n '1s/ .*//p;$=')
    say newest "$1"
    say commits "$2"
    when=$(g rev-list --timestamp -1 "$base")
    objects=$(g cat-file --batch-all-objects --batch-check='%(objectname)' --buffer | lines)
    reachable=$(g rev-list --objects --missing=allow-any "$base" | lines)
    annotated=$(g for-each-ref --format='%(objecttype) %(objectname)' refs/tags | sort -u |
        sed '/^tag /!d' | lines)
    say objects "$objects"
    say beyond "$((objects - reachable - annotated))"
    say tags "$(g for-each-ref --format=x refs/tags | lines)"
    say tags_newer "$(g for-each-ref --format='%(objecttype) %(taggerdate:unix)' refs/tags |
        while read -r type date; do
            [ "$type" != tag ] || [ "${date:-0}" -le "${when%% *}" ] || echo newer
        done | lines)"
    branch=$(g symbolic-ref -q HEAD) || branch=
    g for-each-ref --format='%(refname)' | while IFS= read -r ref; do
        case $ref in "$branch") say branch "$ref" ;; refs/tags/*) ;; *) say ref "$ref" ;; esac
    done
    say reflogs "$(find "$d/logs" -type f 2>/dev/null | lines)"
    for file in "$d/config" "$d/config.worktree"; do
        say remotes "$(git config --file "$file" --name-only --get-regexp "$outward" | lines)"
    done
    say alternates "$(cat "$d"/objects/info/*alternates 2>/dev/null | lines)"
    say grafts "$(cat "$d"/info/grafts 2>/dev/null | lines)"
    for hook in "$d"/hooks/*; do [ ! -x "$hook" ] || say hook "${hook##*/}"; done
    [ ! -f "$d/shallow" ] || say shallow 1
    for entry in "$d"/* "$d"/.[!.]* "$d"/..?*; do
        case ${entry##*/} in
        HEAD | config | config.worktree | description | index | info | hooks | modules | shallow) ;;
        objects | refs | packed-refs) ;;
        *) [ ! -e "$entry" ] || say stray "${entry##*/}" ;;
        esac
    done
    find "$d/objects" -type f ! -name 'pack-*.pack' ! -name 'pack-*.idx' ! -name 'pack-*.rev' |
        while IFS= read -r file; do say stray "${file#"$d/"}"; done
}
d=$top/.git w=$top
say repository "$top"
say head "$(g rev-parse HEAD)"
certify_store "$d" "$w" "$base"
[ ! -d "$top/.git/modules" ] ||
    find "$top/.git/modules" -type d -name objects | while IFS= read -r store; do
        m=${store%/objects}
        [ -f "$m/HEAD" ] && [ -d "$m/refs" ] || continue
        say submodule 1
        certify_store "$m" "$m" "$(git --git-dir="$m" rev-parse HEAD)"
    done
other_stores | while IFS= read -r store; do
    if knows_base "$store"; then say copy "$store"; else say other "$store"; fi
done
"""
)

VERSION = hashlib.sha256((_PRUNE + _CERTIFY).encode()).hexdigest()[:12]
"""Of what a view is made by and judged by: views of another version are made anew."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was found in a repository, its submodules included. Numbers are counts."""

    base: str
    repository: str = ""
    """Its folder; empty where there is none, and so nothing to find."""
    head: str = ""
    commits_visible: int = 0
    newest_commit_date: str = ""
    """UTC. Later than the base commit's only where clocks were wrong when history was made."""
    objects: int = 0
    objects_beyond_base: int = 0
    """Objects in the store, loose, packed or of alternates, that history does not lead to."""
    branches: tuple[str, ...] = ()
    other_refs: tuple[str, ...] = ()
    tags: int = 0
    tags_newer: int = 0
    reflogs: int = 0
    remotes: int = 0
    """Settings that lead out of the repository: remotes, upstreams, includes, credentials."""
    alternates: int = 0
    grafts: int = 0
    hooks: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    """Files in `.git` that have no business there, or could hold anything."""
    submodules: int = 0
    shallow: bool = False
    copies: tuple[str, ...] = ()
    """Other places in the box that hold the base commit, and so what came after it."""
    other_stores: int = 0
    """Places in the box that hold objects of other repositories."""

    @property
    def clean(self) -> bool:
        return not self.trouble

    @property
    def trouble(self) -> tuple[str, ...]:
        """What of the future can still be seen, a phrase each."""
        if not self.repository:
            return ()
        wrong = {
            f"HEAD is at {self.head}": self.head != self.base,
            f"{self.objects_beyond_base} objects beyond the base": self.objects_beyond_base,
            f"refs {_some(self.other_refs)}": self.other_refs,
            f"{self.tags_newer} tags made later": self.tags_newer,
            f"{self.reflogs} reflogs": self.reflogs,
            f"{self.remotes} settings that lead out of it": self.remotes,
            f"{self.alternates} alternates": self.alternates,
            f"{self.grafts} grafts": self.grafts,
            f"unknown files {_some(self.strays)}": self.strays,
            f"copies at {_some(self.copies)}": self.copies,
        }
        return tuple(phrase for phrase, found in wrong.items() if found)

    def facts(self) -> dict[str, Any]:
        """As plain JSON types, for the record: lists cut short, the counts as they are."""
        plain = {
            name: list(value[:_SHOWN]) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }
        return {**plain, "clean": self.clean, "version": VERSION}


async def prune(sandbox: Sandbox, repo: str, base: str, *, within: str = "") -> None:
    """Leave in `repo` what `base`, a commit's full name, leads to, and nothing else.

    Kept are the files of the working directory to the byte, what `git status` says of them, the
    branch that is checked out, and tags as old as the history they point into. An index with
    staged content that is in no kept commit is put back to the base. HEAD must be at `base`: to
    move it would change the files, which is for whoever builds the image. Where there is no
    repository there is nothing to do; one that cannot be pruned is the sandbox's Fault.

    `within` is a folder of the box, `/` for all of it, that is searched for further copies of
    the history: stores that know `base` are removed, and so are linked work trees.
    """
    done = await sandbox.exec(
        ["sh", "-c", _PRUNE, "prune", repo, base, within], kill_after=PRUNE_SECONDS
    )
    if done.exit_code not in (0, _NOTHING):
        raise Fault("sandbox", f"the agent's view cannot be made: {_reason(done.text, repo)}")


async def certify(sandbox: Sandbox, repo: str, base: str, *, within: str = "") -> Certificate:
    """Look at every object and every other place of `repo` in which later things could hide."""
    done = await sandbox.exec(
        ["sh", "-c", _CERTIFY, "certify", repo, base, within], kill_after=PRUNE_SECONDS
    )
    if done.exit_code == _NOTHING:
        return Certificate(base)
    if not done.ok or done.omitted:
        raise Fault("sandbox", f"the agent's view cannot be checked: {_reason(done.text, repo)}")
    return _Findings.read(done.text).certificate(base)


@dataclass(frozen=True, slots=True)
class _Findings:
    """The lines `name value` that the script prints; of git's remarks nothing is made."""

    said: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> _Findings:
        said: dict[str, list[str]] = {}
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            said.setdefault(name, []).append(value)
        return cls(said)

    def certificate(self, base: str) -> Certificate:
        newest = datetime.fromtimestamp(max(map(int, self.said["newest"])), UTC)
        return Certificate(
            base=base,
            repository=self.said["repository"][0],
            head=self.said["head"][0],
            commits_visible=self._sum("commits"),
            newest_commit_date=newest.isoformat(),
            objects=self._sum("objects"),
            objects_beyond_base=sum(abs(int(each)) for each in self.said["beyond"]),
            branches=self._all("branch"),
            other_refs=self._all("ref"),
            tags=self._sum("tags"),
            tags_newer=self._sum("tags_newer"),
            reflogs=self._sum("reflogs"),
            remotes=self._sum("remotes"),
            alternates=self._sum("alternates"),
            grafts=self._sum("grafts"),
            hooks=self._all("hook"),
            strays=self._all("stray"),
            submodules=self._sum("submodule"),
            shallow="shallow" in self.said,
            copies=self._all("copy"),
            other_stores=len(self._all("other")),
        )

    def _sum(self, name: str) -> int:
        return sum(map(int, self.said.get(name, [])))

    def _all(self, name: str) -> tuple[str, ...]:
        return tuple(self.said.get(name, []))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _reason(text: str, repo: str) -> str:
    said = text.strip().splitlines()
    return said[-1] if said else f"{repo}: no reason given"
