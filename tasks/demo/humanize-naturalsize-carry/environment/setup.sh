#!/bin/sh
# Lays out humanize==4.12.0 as released: the source in $HARNESS_REPO (one commit), a venv with its test tools in
# $HARNESS_PREFIX/venv. The same script runs while an image is built and in a bubblewrap sandbox.
set -eu
umask 022
SOURCE='humanize==4.12.0 --hash=sha256:87ff7b43591370b12a1d103c9405849d911d4b039ed22d80b718b62c76eec8a3'
IMPORT_FROM='/src'
SCRIPTS=''
COMMIT='humanize==4.12.0'

environment=$(pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore HOME="$scratch"

python3 -m venv "$HARNESS_PREFIX/venv"
python="$HARNESS_PREFIX/venv/bin/python"
"$python" -m pip install --quiet --no-deps --require-hashes --only-binary :all: -r "$environment/requirements.txt"

# The released source, pinned by its hash; built nowhere, only unpacked.
printf '%s\n' "$SOURCE" > "$scratch/source.txt"
"$python" -m pip download --quiet --no-deps --require-hashes --no-binary :all: --no-build-isolation \
    -d "$scratch/sdist" -r "$scratch/source.txt"
tar -xzf "$scratch"/sdist/*.tar.gz -C "$HARNESS_REPO" --strip-components=1 --no-same-owner --no-same-permissions
find "$HARNESS_REPO" -name '*.egg-info' -prune -exec rm -rf {} +

# Importable from anywhere, straight from the work tree.
site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' "$HARNESS_REPO$IMPORT_FROM" > "$site/task.pth"
mkdir -p "$HARNESS_PREFIX/bin"
for script in $SCRIPTS; do
    printf '#!%s\nimport sys\nfrom %s import %s as main\nsys.exit(main())\n' \
        "$python" "$(echo "${script#*=}" | cut -d: -f1)" "${script##*:}" > "$HARNESS_PREFIX/bin/${script%=*}"
    chmod 755 "$HARNESS_PREFIX/bin/${script%=*}"
done

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
