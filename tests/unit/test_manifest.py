"""What a run declares: written once, only ever grown, refused where it cannot be trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.types import Brief, Condition, Environment, Limits, Part, Task, TaskId
from results.manifest import Manifest, declare, manifest
from results.provenance import packages, provenance, revision

BY = provenance("docker 27.3")
FIRST = Condition(Part("m", {"temperature": 0.5}), Part("editor"), Part("docker"))
SECOND = Condition(Part("m"), Part("bash"), Part("docker"), Limits(turns=3, usd=1.5))


def task(name: str, origin: str = "set@1") -> Task:
    return Task(
        Brief(TaskId(name), "?", Environment("i", "/w")), {}, "g", origin, {"repo": "acme/x"}
    )


def call(*names: str, origin: str = "set@1", **changed: Any) -> Manifest:
    asked = {"repeats": 1, "left_out": {}, "experiment": {"width": 4}, "by": BY} | changed
    conditions = asked.pop("conditions", [FIRST])
    return manifest([task(name, origin) for name in names], conditions, **asked)


def test_what_was_declared_is_read_back(tmp_path: Path) -> None:
    asked = call("b", "a", conditions=[FIRST, SECOND], left_out={"z": "no image"}, repeats=2)
    assert declare(tmp_path, asked) == asked
    read = Manifest.read(tmp_path)
    assert read == asked
    assert list(read.tasks) == ["b", "a"], "in the order of the source"
    assert read.conditions[SECOND.digest].condition.digest == SECOND.digest
    assert read.created == BY.at
    assert len(list(read.planned())) == len(set(read.planned())) == 2 * 2 * 2


def test_asking_for_the_same_again_changes_no_byte(tmp_path: Path) -> None:
    declare(tmp_path, call("a", "b", repeats=3))
    before = (tmp_path / "run.json").stat().st_mtime_ns
    again = declare(tmp_path, call("a", repeats=1, experiment={"width": 9}))
    assert list(again.tasks) == ["a", "b"]
    assert (tmp_path / "run.json").stat().st_mtime_ns == before


def test_tasks_conditions_and_repeats_may_be_added(tmp_path: Path) -> None:
    declare(tmp_path, call("a", left_out={"b": "no image", "c": "no tests"}))
    grown = declare(tmp_path, call("a", "b", conditions=[SECOND, FIRST], repeats=3))
    assert list(grown.tasks) == ["a", "b"]
    assert list(grown.conditions) == [FIRST.digest, SECOND.digest]
    assert {arm.repeats for arm in grown.conditions.values()} == {3}
    assert grown.left_out == {"c": "no tests"}
    assert len(grown.history) == 2
    assert Manifest.read(tmp_path) == grown


def test_a_condition_that_is_not_asked_for_again_keeps_its_repeats(tmp_path: Path) -> None:
    declare(tmp_path, call("a", repeats=2))
    grown = declare(tmp_path, call("a", conditions=[SECOND], repeats=5))
    assert [arm.repeats for arm in grown.conditions.values()] == [2, 5]


def test_a_declared_task_stays_declared_when_it_can_no_longer_be_graded(tmp_path: Path) -> None:
    declare(tmp_path, call("a", "b"))
    grown = declare(tmp_path, call("a", left_out={"b": "its image is gone"}))
    assert list(grown.tasks) == ["a", "b"]
    assert grown.left_out == {}


def test_the_same_id_from_another_revision_is_refused(tmp_path: Path) -> None:
    declare(tmp_path, call("a"))
    with pytest.raises(UsageError, match=r"'a' of .* is from 'set@1', not 'set@2'"):
        declare(tmp_path, call("a", "b", origin="set@2"))
    assert list(Manifest.read(tmp_path).tasks) == ["a"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "it has no run.json"),
        ("", "cannot be read"),
        ('{"format": 1', "cannot be read"),
        ("[]", "format None"),
        ('{"format": 2, "tasks": {}}', "format 2, and this harness reads format 1"),
        ('{"format": 1, "tasks": {}}', "conditions"),
        ('{"format": 1, "tasks": {}, "conditions": {}, "colour": 1}', "colour"),
    ],
)
def test_what_is_no_manifest_is_refused_in_one_line(
    tmp_path: Path, text: str | None, says: str
) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(UsageError, match=says) as caught:
        Manifest.read(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_manifest_of_another_format_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"format": 2}')
    with pytest.raises(UsageError, match="format 2"):
        declare(tmp_path, call("a"))
    assert json.loads((tmp_path / "run.json").read_text()) == {"format": 2}


def test_provenance_names_code_packages_and_machine() -> None:
    assert BY.harness != "" and BY.python.startswith("3.")
    assert {"numpy", "scipy", "pydantic"} <= BY.packages.keys()
    assert "mypy" not in BY.packages, "what only development needs did not make the numbers"
    assert BY.host["cpus"] and BY.engine == "docker 27.3"
    assert packages("no-such-distribution") == {}


def test_outside_a_checkout_there_is_no_revision(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("")
    assert revision(tmp_path / "code.py") == ""
