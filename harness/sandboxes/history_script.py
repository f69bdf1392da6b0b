"""What `history.py` runs in a box: shell that dash, busybox ash and bash read alike.

It needs find, sed, sort, grep and git 2.20, and leaves no program of its own behind.
"""

from __future__ import annotations

REFUSED, NOTHING = 90, 91
"""Exit codes: it cannot be done, the last line says why; and there is no repository."""

_COMMON = rf"""
set -eu
umask 022
newline='
'
refuse() {{ printf '%s\n' "$*"; exit {REFUSED}; }}
for name in $(env | sed -n 's/^\(GIT_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
# Replacements and grafts are a second history; the one that the objects name is meant.
export LC_ALL=C GIT_CONFIG_NOSYSTEM=1 GIT_NO_REPLACE_OBJECTS=1 GIT_GRAFT_FILE=/nonexistent
export HOME=/nonexistent XDG_CONFIG_HOME=/nonexistent GIT_TERMINAL_PROMPT=0
top=$(cd "$1" && pwd -P) base=$2 within=$3
while [ ! -e "$top/.git" ] && [ ! -L "$top/.git" ]; do
    [ -n "$top" ] && [ "$top" != / ] || exit {NOTHING}
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
    # The repository by its name as well: it may be on a file system of its own.
    find "$within" "$top" -xdev -type d -name objects 2>/dev/null | sort -u |
        while IFS= read -r store; do
            case $store in "$top/.git"/*) continue ;; esac
            [ ! -d "$store/pack" ] && [ ! -d "$store/info" ] || printf '%s\n' "$store"
        done
}}
knows_base() {{
    GIT_OBJECT_DIRECTORY=$1 git --git-dir="$top/.git" cat-file -e "$base" 2>/dev/null
}}
"""

# The new store is complete before anything old is touched: what cannot be pruned stays as it was.
PRUNE = (
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
    # A tag object has a text of its own: one of later date could tell of later things, and so
    # could one without a date, or one behind another.
    g for-each-ref --merged="$base" refs/tags \
        --format='%(objecttype):%(type):%(taggerdate:unix):%(objectname):%(refname)' |
        while IFS=: read -r type of date id name; do
            late=$((${date:-$((when + 1))} > when))
            [ "$type" = commit ] || [ "$of$late" = commit0 ] || continue
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

CERTIFY = (
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
