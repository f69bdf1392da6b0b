"""`dotenv run --no-override` expands references the way it exports variables."""

import os
import subprocess
import sys

import pytest

import dotenv


def run(path, *options, show, **environment):
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    env.update(environment)
    program = "import os, sys; print(*[os.environ.get(k) for k in sys.argv[1:]], sep='|')"
    command = [sys.executable, "-m", "dotenv", "-f", str(path), "run", *options]
    process = subprocess.run(
        [*command, sys.executable, "-c", program, *show],
        capture_output=True,
        text=True,
        env=env,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.rstrip("\n")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / ".env"
    path.write_text("BASE=/file\nDATA=${BASE}/data\nCACHE=${DATA}/cache\n")
    return path


SHOW = ["BASE", "DATA", "CACHE"]


def test_reference_takes_the_value_of_the_environment(path):
    out = run(path, "--no-override", show=SHOW, BASE="/env")
    assert out == "/env|/env/data|/env/data/cache"


def test_reference_through_a_variable_that_is_set(path):
    out = run(path, "--no-override", show=SHOW, DATA="/mine")
    assert out == "/file|/mine|/mine/cache"


def test_agrees_with_load_dotenv(path, monkeypatch):
    for name in SHOW:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BASE", "/env")
    dotenv.load_dotenv(path, override=False)
    loaded = "|".join(os.environ[name] for name in SHOW)
    for name in SHOW[1:]:
        monkeypatch.delenv(name)
    assert run(path, "--no-override", show=SHOW, BASE="/env") == loaded


def test_default_applies_only_when_unset_everywhere(tmp_path):
    path = tmp_path / ".env"
    path.write_text("NAME=file\nGREETING=hello ${NAME:-nobody}\n")
    show = ["NAME", "GREETING"]
    assert run(path, "--no-override", show=show, NAME="env") == "env|hello env"
    assert run(path, "--no-override", show=show) == "file|hello file"


@pytest.mark.parametrize("options", [[], ["--override"]])
def test_override_prefers_the_file(path, options):
    out = run(path, *options, show=SHOW, BASE="/env", CACHE="/c")
    assert out == "/file|/file/data|/file/data/cache"


def test_no_override_without_a_clash(path):
    assert run(path, "--no-override", show=SHOW) == "/file|/file/data|/file/data/cache"


def test_no_override_keeps_what_is_set(path):
    assert run(path, "--no-override", show=["CACHE"], CACHE="/c") == "/c"


def test_dotenv_values_prefers_the_file(path, monkeypatch):
    monkeypatch.setenv("BASE", "/env")
    assert dotenv.dotenv_values(path)["DATA"] == "/file/data"


def test_non_ascii_value(tmp_path):
    path = tmp_path / ".env"
    path.write_text("CITY=Zürich\nPLACE=${CITY}!\n", encoding="utf-8")
    out = run(path, "--no-override", show=["PLACE"], CITY="Oslo", PYTHONUTF8="1")
    assert out == "Oslo!"
