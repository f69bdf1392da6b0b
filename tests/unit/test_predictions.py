"""Predictions are read from every format that people have, and damage is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from tasks.predictions import Prediction, read

ONE = {"instance_id": "a", "model_name_or_path": "m", "model_patch": "diff\r\n"}
TWO = {"instance_id": "b", "model_name_or_path": "m", "model_patch": None}
READ = [Prediction("a", b"diff\r\n", "m"), Prediction("b", b"", "m")]


def written(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), newline="")
    return path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("p.jsonl", f"{json.dumps(ONE)}\n\n{json.dumps(TWO)}\n"),
        ("p.json", [ONE, TWO]),
        ("p.json", {"a": ONE, "b": TWO}),
        ("preds.json", {"a": {**ONE, "extra": 1}, "b": TWO}),
        ("p.json", "\ufeff" + json.dumps([ONE, TWO])),
    ],
)
def test_the_forms_of_swe_bench_and_swe_agent_are_read(
    tmp_path: Path, name: str, value: Any
) -> None:
    assert read(written(tmp_path / name, value)) == READ


def test_the_list_of_the_official_pro_evaluator_is_read_with_its_prefix(tmp_path: Path) -> None:
    entries = [{"instance_id": "a", "patch": "d", "prefix": p} for p in ("x", "y")]
    found = read(written(tmp_path / "p.json", entries))
    assert [(each.patch, each.prefix) for each in found] == [(b"d", "x"), (b"d", "y")]


def test_a_folder_of_pred_files_is_read_and_plain_patches_are_named_after_their_folder(
    tmp_path: Path,
) -> None:
    written(tmp_path / "a" / "a.pred", ONE)
    written(tmp_path / "instance_c" / "x.pred", "diff --git a/x b/x\n")
    found = read(tmp_path)
    assert found == [READ[0], Prediction("instance_c", b"diff --git a/x b/x\n")]
    assert read(tmp_path / "a" / "a.pred") == [READ[0]]


def test_a_folder_with_merged_predictions_is_read_from_these(tmp_path: Path) -> None:
    written(tmp_path / "a" / "a.pred", ONE)
    written(tmp_path / "preds.json", {"b": TWO})
    assert read(tmp_path) == [READ[1]]


def test_bytes_that_are_no_text_come_through(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_bytes(b'[{"instance_id": "a", "patch": "caf\xe9 \\udce9 \\ud800"}]')
    (found,) = read(tmp_path / "p.json")
    assert found.patch == b"caf\xe9 \xe9 \xed\xa0\x80"


def refused(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "p.jsonl",
            json.dumps(ONE) + '\n{"instance_id": "b", "mod',
            "p.jsonl:2: not JSON (cut short?)",
        ),
        ("p.json", '[\n{"instance_id": ', "p.json:2: not JSON (cut short?)"),
        ("p.json", [ONE, ONE], "more than one prediction for a"),
        ("p.json", '{"a": {"patch": ""}, "a": {"patch": ""}}', "'a' stands there twice"),
        ("p.json", {"z": ONE}, "under 'z' stands 'a'"),
        ("p.json", [{"instance_id": "a"}], "entry 1: has neither model_patch nor patch"),
        ("p.json", [{"patch": ""}], "entry 1: has no instance_id"),
        ("p.json", [{"instance_id": "a", "patch": ["x"]}], "patch is list"),
        ("p.json", ["a"], "entry 1: not an object"),
        ("p.json", "3", "neither a list"),
        ("p.json", "[]", "holds no prediction"),
        ("p.json", "[" * 100_000, "nested too deeply"),
    ],
)
def test_damage_is_one_line_with_its_place(
    tmp_path: Path, name: str, value: Any, says: str
) -> None:
    assert says in refused(written(tmp_path / name, value))


def test_a_path_that_is_not_there_or_has_nothing_is_an_error(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "no.json")
    assert "neither a preds.json nor a .pred" in refused(tmp_path)
