"""Task folders: how strictly they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from tasks.local import folder
from tasks.local.load import LocalFolders, demo
from tests.e2e import small_task

BASE = "0" * 40


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small_task.write(tmp_path, BASE)


def reason_left_out(root: Path) -> str:
    """Why `small` is left out, where there is another task that is not."""
    small_task.write(root / "good", BASE)
    (root / "good" / "small").rename(root / "whole")
    source = LocalFolders(folder=str(root))
    assert [task.id for task in source.load()] == ["whole"]
    return source.left_out()["small"]


def test_a_task_folder_becomes_a_task_whose_brief_tells_nothing_of_the_tests(root: Path) -> None:
    task = small_task.load(root)
    assert task.id == "small"
    assert task.brief.statement == "add() subtracts.\n"
    assert task.brief.environment.image == small_task.IMAGE
    assert task.brief.environment.memory_mb == 512
    assert task.brief.environment.network == "none"
    assert task.facets == {"repo": "example/calc", "language": "python"}
    assert tuple(task.oracle["fail_to_pass"]) == tuple(small_task.FAIL_TO_PASS)
    assert task.oracle["patch"].startswith("diff --git a/calc/__init__.py")
    assert "test_add" not in repr(task.brief)


def test_the_origin_changes_with_any_file_but_not_with_what_tools_leave_behind(root: Path) -> None:
    before = small_task.load(root).origin
    assert before.startswith(f"local:{root.name}@")
    left = root / "small" / "tests" / "tests" / "__pycache__" / "test_add.pyc"
    left.parent.mkdir()
    left.write_bytes(b"compiled")
    assert small_task.load(root).origin == before
    (root / "small" / "tests" / "data.txt").write_text("more")
    assert small_task.load(root).origin != before


def test_tasks_come_sorted_by_id_and_other_folders_are_no_tasks(root: Path) -> None:
    for name in ("b", "a"):
        small_task.write(root / "x", BASE)
        (root / "x" / "small").rename(root / name)
    (root / "recordings").mkdir()
    (root / "README.md").write_text("about")
    assert [t.id for t in LocalFolders(folder=str(root)).load()] == ["a", "b", "small"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("task.toml", 'repoo = "a"', "did you mean repo?"),
        ("task.toml", '[limits]\nmemory = 1\nrepo="x"', "memory_mb"),
        ("task.toml", "repo = ", "Invalid value"),
        ("task.toml", 'repo="a"\nlanguage="b"\nbase_commit="main"', "40 hex digits"),
        (
            "task.toml",
            f'repo="a"\nlanguage="b"\nbase_commit="{BASE}"\nworkdir="app"',
            "not an absolute path",
        ),
        ("task.toml", f'repo="a"\nlanguage="b"\nbase_commit="{BASE}"', "neither an image nor"),
        (
            "task.toml",
            f'repo="a"\nlanguage="b"\nbase_commit="{BASE}"\nimage="x"\n[limits]\ncpus=0',
            "above 0",
        ),
        (
            "task.toml",
            f'repo="a"\nlanguage="b"\nbase_commit="{BASE}"\nimage="x"\nnetwork="some"',
            "network",
        ),
        ("problem_statement.md", "", "is empty"),
        ("tests.json", "{", "not JSON"),
        ("tests.json", '{"FAIL_TO_PASS": ["a"]}', "its keys must be"),
        ("tests.json", '{"FAIL_TO_PASS": [], "PASS_TO_PASS": ["a"]}', "FAIL_TO_PASS is empty"),
        ("tests.json", '{"FAIL_TO_PASS": [], "PASS_TO_PASS": []}', "FAIL_TO_PASS is empty"),
        ("tests.json", '{"FAIL_TO_PASS": ["a"], "PASS_TO_PASS": ["a"]}', "'a' is listed twice"),
        ("tests.json", '{"FAIL_TO_PASS": "[\'a\']", "PASS_TO_PASS": []}', "FAIL_TO_PASS"),
        ("gold.patch", "no patch", "not a git patch"),
        (
            "gold.patch",
            "diff --git a/../x b/../x\n--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n",
            "outside",
        ),
        ("eval.sh", "  \n", "is empty"),
    ],
)
def test_a_broken_task_is_left_out_with_its_reason(
    root: Path, name: str, content: str, said: str
) -> None:
    (root / "small" / name).write_text(content)
    reason = reason_left_out(root)
    assert said in reason
    assert name in reason
    assert "\n" not in reason


@pytest.mark.parametrize("name", folder.FILES)
def test_a_task_that_lacks_a_file_is_left_out(root: Path, name: str) -> None:
    (root / "small" / name).unlink()
    assert name in reason_left_out(root)


def test_a_hidden_test_that_links_elsewhere_is_not_followed(root: Path) -> None:
    (root / "small" / "tests" / "stolen").symlink_to("/etc/hostname")
    assert "not a regular file" in reason_left_out(root)


def test_an_environment_folder_needs_its_script(root: Path) -> None:
    settings = (root / "small" / "task.toml").read_text()
    (root / "small" / "environment").mkdir()
    assert "both an image and" in reason_left_out(root)
    (root / "small" / "task.toml").write_text(settings.replace(f'image = "{small_task.IMAGE}"', ""))
    source = LocalFolders(folder=str(root))
    assert [task.id for task in source.load()] == ["whole"]
    assert "has no setup.sh" in source.left_out()["small"]
    (root / "small" / "environment" / "setup.sh").write_text("true")
    small = next(iter(LocalFolders(folder=str(root)).load()))
    assert small.brief.environment.recipe == str((root / "small" / "environment").resolve())


def test_where_no_task_is_the_person_is_told_what_would_be_one(tmp_path: Path, root: Path) -> None:
    with pytest.raises(UsageError, match=r"no such folder"):
        LocalFolders(folder=str(tmp_path / "nowhere")).load()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no task folder there; one holds task.toml"):
        LocalFolders(folder=str(tmp_path / "empty")).load()
    with pytest.raises(UsageError, match=r"is one task; give the folder that it lies in"):
        LocalFolders(folder=str(root / "small")).load()
    (root / "small" / "eval.sh").unlink()
    with pytest.raises(UsageError, match=r"none of its 1 task folders can be graded.*eval.sh"):
        LocalFolders(folder=str(root)).load()


def test_a_patch_that_is_not_utf8_is_kept_byte_for_byte(root: Path) -> None:
    patch = small_task.diff({"calc/__init__.py": b"# caf\xe9\n"})
    (root / "small" / "gold.patch").write_bytes(patch)
    assert small_task.load(root).oracle["patch"].encode(errors="surrogateescape") == patch


def test_the_bundled_tasks_all_load() -> None:
    source = demo()
    tasks = list(source.load())
    assert source.left_out() == {}
    assert {task.facets["language"] for task in tasks} == {"python", "javascript"}
    assert all(task.brief.environment.recipe for task in tasks)
