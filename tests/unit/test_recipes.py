"""A recipe's digest is of its content; what a machine adds to it is not."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.sandboxes.recipes import Recipe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "environment"
    made.mkdir()
    (made / "setup.sh").write_text("true\n")
    return made


def test_the_digest_changes_with_a_byte_a_name_or_a_mode(folder: Path) -> None:
    digests = [Recipe.load(str(folder), {}).digest]
    (folder / "setup.sh").write_text("false\n")
    digests.append(Recipe.load(str(folder), {}).digest)
    (folder / "setup.sh").chmod(0o755)
    digests.append(Recipe.load(str(folder), {}).digest)
    (folder / "more").write_text("")
    digests.append(Recipe.load(str(folder), {}).digest)
    assert len(set(digests)) == 4


def test_the_same_content_is_the_same_context(folder: Path) -> None:
    first = Recipe.load(str(folder), {}).context().read()
    (folder / "setup.sh").touch()
    assert Recipe.load(str(folder), {}).context().read() == first


def test_the_registry_file_is_always_there_even_empty(folder: Path) -> None:
    with tarfile.open(fileobj=Recipe.load(str(folder), {}).context()) as archive:
        assert sorted(archive.getnames()) == ["registry.env", "setup.sh"]


def test_what_the_host_trusts_the_build_trusts(folder: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(b"certificates")
    environ = {
        "SSL_CERT_FILE": str(bundle),
        "PIP_INDEX_URL": "https://mirror.invalid/it's",
        "TOKEN": "x",
    }
    recipe = Recipe.load(str(folder), environ)
    extras = recipe.extras()
    assert extras["ca.pem"] == b"certificates"
    assert b"export PIP_CERT='/environment/ca.pem'\n" in extras["registry.env"]
    assert b"export npm_config_cafile='/environment/ca.pem'\n" in extras["registry.env"]
    assert b"export PIP_INDEX_URL='https://mirror.invalid/it'\\''s'\n" in extras["registry.env"]
    assert b"TOKEN" not in extras["registry.env"]
    assert recipe.digest == Recipe.load(str(folder), {}).digest


def test_a_folder_without_a_setup_script_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"setup\.sh"):
        Recipe.load(str(tmp_path), {})
