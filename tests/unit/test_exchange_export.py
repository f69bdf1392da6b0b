"""Ours in other people's formats, and back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

import pyarrow.parquet as pq
import pytest

from harness.errors import UsageError
from harness.types import Record
from results.exchange import flat, junit, parquet, predictions
from results.exchange.tables import Table
from results.store import RunStore
from tasks.predictions import read
from tests.unit.run_folders import attempt, declared, faulted, graded, stored

PATCH = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\r\n+caf\xe9\x00\n"
"""With a carriage return and bytes that are no UTF-8."""


def run(folder: Path, *scaffolds: str, repeats: int = 1) -> RunStore:
    """t0 solved, t1 not, t2 faulted with a patch, t3 faulted without, t4 owed."""
    blobs = {"patch": RunStore(folder).keep(PATCH)}
    records: list[Record] = []
    for scaffold in scaffolds or ("editor",):
        for repeat in range(repeats):
            keys = [attempt(f"t{i}", repeat, scaffold) for i in range(5)]
            records.append(graded(keys[0], True, blobs=blobs))
            records.append(graded(keys[1], False, usd=None, blobs=blobs))
            fault = faulted(keys[2], "grader", "no space left\non the device")
            records += [type(fault)(**{**_fields(fault), "blobs": blobs}), faulted(keys[3])]
    return stored(folder, declared(5, *scaffolds, repeats=repeats), records)


def _fields(record: Record) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def patches(files: Iterable[Path]) -> list[tuple[str, bytes]]:
    return [(p.instance_id, p.patch) for file in files for p in read(file)]


@pytest.mark.parametrize("export", [predictions.swebench, predictions.pro])
@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "folder"])
def test_exported_patches_are_read_again_byte_by_byte(
    tmp_path: Path, export: object, name: str
) -> None:
    if (export is predictions.pro) == name.endswith("l"):
        name = "folder"
    written = export(run(tmp_path / "run"), tmp_path / name)  # type: ignore[operator]
    assert patches(written.files) == [("t0", PATCH), ("t1", PATCH), ("t2", PATCH)]
    assert (written.attempts, written.without) == (3, 2)


def test_each_condition_and_repeat_is_a_file_of_its_own(tmp_path: Path) -> None:
    store = run(tmp_path / "run", "editor", "bash", repeats=2)
    written = predictions.swebench(store, tmp_path / "out")
    assert sorted(file.name for file in written.files) == [
        "m_+_bash_0.jsonl",
        "m_+_bash_1.jsonl",
        "m_+_editor_0.jsonl",
        "m_+_editor_1.jsonl",
    ]
    labels = {p.model for p in read(written.files[0])}
    assert labels == {"m + editor #0"}
    assert len(patches(written.files)) == 12
    with pytest.raises(UsageError, match="there are 4 sets of patches"):
        predictions.swebench(store, tmp_path / "one.jsonl")
    prefixes = {p.prefix for f in predictions.pro(store, tmp_path / "pro").files for p in read(f)}
    assert len(prefixes) == 4


def test_a_run_without_a_patch_has_none_to_export(tmp_path: Path) -> None:
    store = stored(tmp_path / "run", declared(1), [faulted(attempt("t0"))])
    with pytest.raises(UsageError, match="no attempt has submitted a patch"):
        predictions.swebench(store, tmp_path / "out")


def test_a_table_has_every_declared_attempt_and_null_for_what_is_not_known(tmp_path: Path) -> None:
    store = run(tmp_path / "run")
    written = flat.export(store, tmp_path / "out" / "run.csv")
    rows = list(csv.DictReader(io.StringIO(written.files[0].read_bytes().decode())))
    assert [row["state"] for row in rows] == ["graded", "graded", "faulted", "faulted", "owed"]
    assert [row["resolved"] for row in rows] == ["true", "false", "", "", ""]
    assert [row["usd"] for row in rows] == ["1.0", "", "0.5", "0.5", ""]
    assert rows[2]["message"] == "no space left\non the device"


def test_an_exported_table_is_imported_again_as_it_was(tmp_path: Path) -> None:
    store = run(tmp_path / "run", "editor", "bash", repeats=2)
    path = flat.export(store, tmp_path / "run.csv").files[0]
    found = Table().read(path)
    assert [(b.model, b.scaffold) for b in found.batches] == [("m", "editor"), ("m", "bash")]
    assert found.ids == ("t0", "t1", "t2", "t3", "t4")
    ours = [
        record for record in store.records() if record.attempt.condition == attempt("t0").condition
    ]
    theirs = found.batches[0].outcomes
    assert {(o.task, o.repeat): o.usage for o in theirs} == {
        (r.attempt.task, r.attempt.repeat): r.usage for r in ours
    }
    assert {o.reason for o in theirs} == {"resolved", "tests_failed", None}
    assert {o.culprit for o in theirs if o.reason is None} == {"grader", "sandbox"}


def test_parquet_has_types_and_nulls(tmp_path: Path) -> None:
    store = run(tmp_path / "run")
    written = parquet.export(store, tmp_path / "run.parquet")
    table = pq.read_table(written.files[0]).to_pydict()
    assert list(table) == list(flat.COLUMNS)
    assert table["resolved"] == [True, False, None, None, None]
    assert table["usd"] == [1.0, None, 0.5, 0.5, None]
    assert table["repeat"] == [0] * 5
    assert written.attempts == 5


def test_junit_calls_a_fault_an_error_and_never_a_failure(tmp_path: Path) -> None:
    store = run(tmp_path / "run", "editor", repeats=2)
    path = junit.export(store, tmp_path / "run.xml").files[0]
    root = ET.fromstring(path.read_bytes())
    counts = {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "10", "failures": "2", "errors": "4", "skipped": "2"}
    (suite,) = root
    assert suite.get("name") == "m + editor" and float(suite.get("time") or 0) == 160.0
    assert [case.get("name") for case in suite][:2] == ["t0 #0", "t0 #1"]
    error = next(iter(suite.iter("error")))
    assert (error.get("type"), error.get("message")) == ("grader", "no space left")


def test_junit_is_xml_whatever_a_message_holds(tmp_path: Path) -> None:
    fault = faulted(attempt("t0"), message="bell \x07 and \x1b[31m & <b>")
    store = stored(tmp_path / "run", declared(1), [fault])
    text = junit.export(store, tmp_path / "run.xml").files[0].read_bytes()
    (error,) = ET.fromstring(text).iter("error")
    assert error.get("message") == "bell ? and ?[31m & <b>"


def test_one_file_is_not_written_over_a_folder(tmp_path: Path) -> None:
    store = run(tmp_path / "run")
    for export in (flat.export, junit.export, parquet.export):
        with pytest.raises(UsageError, match="this format is one file"):
            export(store, tmp_path)
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match="is a file; this export is several"):
        predictions.swebench(store, tmp_path / "taken")


def test_an_export_leaves_nothing_but_its_files(tmp_path: Path) -> None:
    store = run(tmp_path / "run")
    flat.export(store, tmp_path / "out" / "run.csv")
    predictions.pro(store, tmp_path / "out" / "run.json")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["run.csv", "run.json"]
    entries = json.loads((tmp_path / "out" / "run.json").read_text())
    assert set(entries[0]) == {"instance_id", "patch", "prefix"}
